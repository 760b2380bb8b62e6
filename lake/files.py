"""The files of a table's version, as its log knows them."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake.timerange import from_micros

LOG_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of a table version, with what the log knows of it.

    `first` and `last` are inclusive bounds of the table's column of time; None where the table
    has none or the log does not say.
    """

    path: str
    day: date | None
    rows: int
    size: int
    first: datetime | None
    last: datetime | None


def table_files(folder: Path, actions: pa.Table, time: str | None) -> tuple[TableFile, ...]:
    """The files of Delta's flattened add actions, by day, then path.

    Column by column: a lake has tens of thousands of files, and every commit makes a new list.

    Args:
        folder: the table's folder.
        actions: as `DeltaTable.get_add_actions(flatten=True)` gives them.
        time: the table's column of time, if it has one.
    """
    n, root = actions.num_rows, f"{folder}/"
    none: list[Any] = [None] * n

    def column(name: str) -> list[Any]:
        return list(actions[name].to_pylist()) if name in actions.column_names else none

    def times(name: str) -> list[datetime | None]:
        if name not in actions.column_names or pa.types.is_null(actions[name].type):
            return none
        # pyarrow makes datetimes far more slowly than we do.
        micros = actions[name].cast(LOG_TIME).cast(pa.int64()).to_pylist()
        return [None if value is None else from_micros(value) for value in micros]

    found = [
        TableFile(root + path, day, rows or 0, size, first, last)
        for path, day, rows, size, first, last in zip(
            column("path"),
            column("partition.date"),
            column("num_records"),
            column("size_bytes"),
            times(f"min.{time}"),
            times(f"max.{time}"),
            strict=True,
        )
    ]
    found.sort(key=lambda file: (file.day or date.min, file.path))
    return tuple(found)
