"""Which times of the samples were written or taken away between two versions of the table.

Read off the commits in Delta's log, which say what they did: an append brings rows of the times in
its files' statistics; `Table.replace` changes the days of the files that it takes away, and so does
giving up a damaged file. Other commits of `Table.rewrite` bring nothing: compaction only moves
rows, and whoever drops rows because they are old or their cluster is gone does so in each table by
itself.
"""

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from lake.commit import NEWS
from lake.files import TableFile
from lake.rollups.aggregate import LOOKBACK, SLOT
from lake.rollups.spans import Span, Spans, aligned, union
from lake.store import LOG, Store
from lake.timerange import DAY, MICROSECOND, TimeRange, to_micros

STATISTICS_STEP = 1000
"""Delta's statistics cut times to milliseconds: rows may be so many microseconds later."""

MAINTENANCE = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})

ReadCommit = Callable[[int], bytes | None]
"""A version to its log entry; None where there is none any more."""


def log_of(store: Store) -> ReadCommit:
    """The log of the table in this place."""
    return lambda version: store.read(f"{LOG}/{version:020d}.json")


def changed_times(read: ReadCommit, after: int, until: int) -> Spans | None:
    """The times whose rows the versions after the first, up to the second, changed.

    Returns:
        None where an entry is gone (the log is cleaned up in time), so that nobody can tell.
    """
    spans: list[Span] = []
    for version in range(after + 1, until + 1):
        entry = read(version)
        if entry is None:
            return None
        spans += changed_by(entry)
    return union(spans)


def changed_by(entry: bytes) -> Spans:
    """The times that one commit changed."""
    actions = [json.loads(line) for line in entry.splitlines() if line]
    added = [action["add"] for action in actions if "add" in action]
    removed = [action["remove"] for action in actions if "remove" in action]
    said: dict[str, Any] = next(
        (action["commitInfo"] for action in actions if "commitInfo" in action), {}
    )
    if _is_maintenance(said, rewrites=bool(removed)):
        return ()
    spans = [_times(file) for file in added if file.get("dataChange", True)]
    spans += [_day(file) for file in removed if file.get("dataChange", True)]
    return union(spans)


def file_times(files: Iterable[TableFile]) -> Spans:
    """The times that files can have rows of."""
    return union(file_span(file) for file in files)


def file_span(file: TableFile) -> Span:
    """The times that a file can have rows of, by the log's statistics, else its day."""
    if file.first is None or file.last is None:
        return _of_day(file.day)
    return to_micros(file.first), to_micros(file.last) + STATISTICS_STEP


def stale_slots(changed: Spans) -> Spans:
    """The slots whose buckets may differ when the rows of these times do.

    A sample also changes the rise of the one after it, up to `LOOKBACK` slots later.
    """
    return aligned([(start, end + LOOKBACK * SLOT) for start, end in changed], SLOT)


def _is_maintenance(said: dict[str, Any], *, rewrites: bool) -> bool:
    if said.get("operation") in MAINTENANCE:
        return True
    mode = said.get("operationParameters", {}).get("mode")
    return rewrites and mode == "Append" and NEWS not in said


def _times(file: dict[str, Any]) -> Span:
    stats = json.loads(file.get("stats") or "{}")
    try:
        first, last = stats["minValues"]["time"], stats["maxValues"]["time"]
    except KeyError:
        return _day(file)
    return (
        to_micros(datetime.fromisoformat(first)),
        to_micros(datetime.fromisoformat(last)) + STATISTICS_STEP,
    )


def _day(file: dict[str, Any]) -> Span:
    return _of_day(date.fromisoformat(file["partitionValues"]["date"]))


def _of_day(day: date | None) -> Span:
    if day is None:
        raise AssertionError("bug: a file of samples without a day")
    start = to_micros(TimeRange.of_day(day).start)
    return start, start + DAY // MICROSECOND
