"""The files of a table's version, as its log knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from lake.timerange import from_micros

Paths = Mapping[str, Sequence[str]]
"""Table name to the files to be read of it."""

LOG_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of a table version, with what the log knows of it.

    Attributes:
        path: to read it by.
        day: its partition; None where the table has none.
        rows: how many it holds.
        size: in bytes.
        first: inclusive bound of the table's column of time; None where the log does not say.
        last: likewise.
        modified_ms: when it was committed, by its writer's clock.
        clusters: least and greatest `cluster` in it; None where the log does not say.
        metrics: likewise of `metric`.
    """

    path: str
    day: date | None
    rows: int
    size: int
    first: datetime | None
    last: datetime | None
    modified_ms: int = 0
    clusters: tuple[str, str] | None = None
    metrics: tuple[str, str] | None = None


def table_files(url: str, actions: pa.Table, time: str | None) -> tuple[TableFile, ...]:
    """The files of Delta's flattened add actions, by day, then path.

    Column by column: a lake has tens of thousands of files, and every commit makes a new list.

    Args:
        url: of the table's place.
        actions: as `DeltaTable.get_add_actions(flatten=True)` gives them.
        time: the table's column of time, if it has one.
    """
    n, root = actions.num_rows, f"{url}/"
    none: list[Any] = [None] * n

    def column(name: str) -> list[Any]:
        return list(actions[name].to_pylist()) if name in actions.column_names else none

    def times(name: str) -> list[datetime | None]:
        if name not in actions.column_names or pa.types.is_null(actions[name].type):
            return none
        # pyarrow makes datetimes far more slowly than we do.
        micros = actions[name].cast(LOG_TIME).cast(pa.int64()).to_pylist()
        return [None if value is None else from_micros(value) for value in micros]

    def bounds(name: str) -> list[Any]:
        pairs = zip(column(f"min.{name}"), column(f"max.{name}"), strict=True)
        return [None if low is None or high is None else (low, high) for low, high in pairs]

    found = [
        TableFile(root + path, day, rows or 0, size, first, last, modified, clusters, metrics)
        for path, day, rows, size, first, last, modified, clusters, metrics in zip(
            column("path"),
            column("partition.date"),
            column("num_records"),
            column("size_bytes"),
            times(f"min.{time}"),
            times(f"max.{time}"),
            column("modification_time"),
            bounds("cluster"),
            bounds("metric"),
            strict=True,
        )
    ]
    found.sort(key=lambda file: (file.day or date.min, file.path))
    return tuple(found)
