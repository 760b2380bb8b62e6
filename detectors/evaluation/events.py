"""What an operator counts: false alarms a day, and events found.

An interval is false if it touches no labelled range; an event is found if an interval touches it.
Two intervals in one event are one event found and no false alarm; one interval over three events
finds all three, so intervals have to be kept short for the figure to mean anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Counts of one or more labelled stretches; they add up.

    Attributes:
        false: intervals that touch no event.
        found: events that an interval touches.
        events: all of them.
        days: length of what was scored.
    """

    false: int
    found: int
    events: int
    days: float

    def __add__(self, other: Self) -> EventCounts:
        return EventCounts(
            self.false + other.false,
            self.found + other.found,
            self.events + other.events,
            self.days + other.days,
        )

    @property
    def false_a_day(self) -> float:
        """False intervals per day."""
        return self.false / self.days

    @property
    def recall(self) -> float:
        """Share of the events that were found; NaN without any."""
        return self.found / self.events if self.events else float("nan")


def count_events(
    start: npt.ArrayLike, end: npt.ArrayLike, labels: npt.ArrayLike, columns_a_day: float
) -> EventCounts:
    """Compare the intervals of one row with its labels.

    Args:
        start: first column of each interval.
        end: column after its last.
        labels: `[n_times]`, not 0 = abnormal.
        columns_a_day: to tell how long that is.

    >>> labels = [0, 1, 1, 0, 0, 0, 0, 1, 0, 0]
    >>> count_events([2, 4], [3, 6], labels, columns_a_day=10)
    EventCounts(false=1, found=1, events=2, days=1.0)
    """
    truth = np.asarray(labels) != 0
    edges = np.diff(np.concatenate([[0], truth.astype(np.int8), [0]]))
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    begins, ends = np.asarray(start)[:, None], np.asarray(end)[:, None]
    touch = (begins < after) & (ends > first)
    return EventCounts(
        false=int((~touch.any(axis=1)).sum()),
        found=int(touch.any(axis=0).sum()),
        events=first.size,
        days=truth.size / columns_a_day,
    )
