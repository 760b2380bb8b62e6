"""What people said, remembered by day as long as the files of that day are the same.

It is a few among very many events, and any day since may have some: to look for it takes reading
all days since. A server looks each minute, and only today's files change much.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date
from typing import Any

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import DAY
from orchestration.steps.feedback_events import FEEDBACK

Row = dict[str, Any]

ReadSaid = Callable[[Snapshot, TimeRange], Sequence[Row]]
"""Gives what was said in a range, as `KeptFeedback.said` does."""

SAID = f"""
SELECT date, cluster, kind, name, time, uid, attributes['verdict'] AS verdict,
       attributes['cause'] AS cause, attributes['by'] AS "by", message AS note
FROM events WHERE date >= $first_day AND date <= $last_day AND source = '{FEEDBACK}'
ORDER BY time, uid
"""  # noqa: S608 - the text is ours


class KeptFeedback:
    """Keeps what was said of anything, whoever asks; several threads may."""

    def __init__(self) -> None:
        self._days: dict[date, tuple[tuple[str, ...], list[Row]]] = {}
        self._asking = threading.Lock()

    def said(self, snapshot: Snapshot, between: TimeRange) -> list[Row]:
        """What was said in a range, the earliest first.

        Gives a row an event: `cluster`, `kind` and `name` of what it is said of, `time`, `uid`,
        `verdict`, `cause`, `by`, `note`.
        """
        files: dict[date, list[str]] = {}
        for file in snapshot.tables["events"].within(_whole_days(between)):
            if file.day is not None:
                files.setdefault(file.day, []).append(file.path)
        keys = {day: tuple(paths) for day, paths in files.items()}
        with self._asking:
            missing = sorted(day for day in keys if self._key(day) != keys[day])
            for first, last in _runs(missing):
                found: dict[date, list[Row]] = {}
                params = {"first_day": first, "last_day": last}
                for row in run(snapshot, SAID, params).rows.to_pylist():
                    row["time"] = row["time"].astimezone(UTC)
                    found.setdefault(row.pop("date"), []).append(row)
                for day in missing:
                    if first <= day <= last:
                        self._days[day] = (keys[day], found.get(day, []))
            told = [row for day in sorted(keys) for row in self._days[day][1]]
        return [dict(row) for row in told if between.start <= row["time"] < between.end]

    def _key(self, day: date) -> tuple[str, ...] | None:
        kept = self._days.get(day)
        return None if kept is None else kept[0]


def _whole_days(between: TimeRange) -> TimeRange:
    """All that a day holds is kept, whatever part of it is asked for."""
    first = TimeRange.of_day(between.start.astimezone(UTC).date()).start
    return TimeRange(first, TimeRange.of_day(between.end.astimezone(UTC).date()).end)


def _runs(days: Sequence[date]) -> list[tuple[date, date]]:
    """Days that follow each other, as first and last.

    >>> [last.day for _, last in _runs([date(2026, 3, day) for day in (1, 2, 5)])]
    [2, 5]
    """
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
