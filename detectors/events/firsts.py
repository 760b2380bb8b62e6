"""What was never there before: reasons whose first event is new, a few of a day.

One event of a new kind says little: a cluster has several such a week. So a reason counts when it
has come again (`AGAIN`), reasons that come up together are one piece of news, and the more news a
day has had, the more events each needs: after each `budget` of them, twice as many. A day of the
fleet then holds about as much as it may, and what is loud comes through all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

# Events of a new reason before it counts.
AGAIN = 2
# And if it is new here, but not elsewhere in the fleet.
AGAIN_ELSEWHERE = 8


@dataclass(frozen=True, slots=True)
class News:
    """A reason that was never seen before.

    Attributes:
        place: where it is new (the cluster); news of one place can be one.
        name: what it is; breaks ties in time.
        events: (column, count) by column, of the first of it.
        needed: events before it counts by itself.
    """

    place: str
    name: str
    events: Sequence[tuple[int, float]]
    needed: int = AGAIN

    @property
    def column(self) -> int:
        """When it was seen first."""
        return self.events[0][0]


@dataclass(frozen=True, slots=True)
class Told:
    """News that have enough events.

    Attributes:
        start: the column in which they had.
        end: the column after the last event.
        peak: the column with the most events.
        most: how many.
        score: 1.0 where there are just enough.
    """

    start: int
    end: int
    peak: int
    most: float
    score: float


@dataclass(slots=True)
class First:
    """Reasons that came up together.

    Attributes:
        news: them, the earliest first, which names all.
        needed: events before it is told.
        before: how many had come up, and again, earlier on the same day.
    """

    news: list[News] = field(default_factory=list)
    needed: int = AGAIN
    before: int = 0

    def counts(self, end: int) -> bool:
        """Whether there were events enough before a column, on a day without other news."""
        total = sum(n for one in self.news for column, n in one.events if column < end)
        return total >= self.news[0].needed

    def told(self, end: int) -> Told | None:
        """What is known of it before a column; None = it has not enough events by then.

        Args:
            end: what is in this column or later is not known yet.
        """
        events: dict[int, float] = {}
        for one in self.news:
            for column, count in one.events:
                if column < end:
                    events[column] = events.get(column, 0.0) + count
        total = 0.0
        start = None
        for column in sorted(events):
            total += events[column]
            if start is None and total >= self.needed:
                start = column
        if start is None:
            return None
        peak = max(events, key=lambda column: (events[column], -column))
        return Told(start, max(events) + 1, peak, events[peak], self._score(total))

    def _score(self, total: float) -> float:
        """1.0 where it has just enough events; a quarter more for each doubling."""
        return 1.0 + math.log2(max(total / self.needed, 1.0)) / 4.0


def firsts(news: Sequence[News], together: int, columns_a_day: int, budget: int) -> list[First]:
    """News as they are told: together where they came up together, by the day's budget.

    Args:
        news: all since a midnight (a column that is a multiple of `columns_a_day`), any order.
        together: columns between the first and another of one place that are one.
        columns_a_day: of the columns.
        budget: so many a day need no more than what each needs by itself.

    >>> pair = [News("eu-1", "A", [(3, 1.0), (5, 4.0)]), News("eu-1", "B", [(4, 1.0)])]
    >>> found = firsts(pair, together=30, columns_a_day=1440, budget=1)
    >>> len(found), found[0].told(end=4), found[0].told(end=5).start
    (1, None, 4)
    """
    found: list[First] = []
    open_: dict[str, First] = {}
    for one in sorted(news, key=lambda one: (one.column, one.place, one.name)):
        first = open_.get(one.place)
        if first is not None and one.column <= first.news[0].column + together:
            first.news.append(one)
            continue
        day = one.column // columns_a_day
        # Those that counted by then, whether they were loud enough for their day or not.
        before = sum(
            earlier.news[0].column // columns_a_day == day and earlier.counts(one.column)
            for earlier in found
        )
        first = First([one], one.needed << min(before // budget, 20), before)
        open_[one.place] = first
        found.append(first)
    return found
