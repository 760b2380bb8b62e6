"""What a lake consists of: its tables and files, as rows, from a snapshot alone.

In trusted SQL, and in guarded SQL of callers who may see all clusters, these are the tables
`lake_tables` and `lake_files`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from lake.files import TableFile
from lake.schema import TIMESTAMP
from lake.snapshot import Snapshot
from lake.timerange import to_micros

LEVEL = re.compile(r"compact-\d{20}-l(\d)-[^/]*$")
"""In the names of files that compaction wrote, see `lake/maintenance/levels.py`, which is built on
this package's lake, and so cannot be asked."""

CLOSED = 9
"""The level of a closed day's files."""

FILES = pa.schema(
    [
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("date", pa.date32()),
        pa.field("path", pa.string(), nullable=False),
        pa.field("level", pa.int64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("first_time", TIMESTAMP),
        pa.field("last_time", TIMESTAMP),
        pa.field("committed", TIMESTAMP),
        pa.field("first_cluster", pa.string()),
        pa.field("last_cluster", pa.string()),
    ]
)

TABLES = pa.schema(
    [
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("files", pa.int64(), nullable=False),
        pa.field("small_files", pa.int64(), nullable=False),
        pa.field("days", pa.int64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("bytes_per_row", pa.float64()),
        pa.field("first_time", TIMESTAMP),
        pa.field("last_time", TIMESTAMP),
        pa.field("hottest_date", pa.date32()),
        pa.field("hottest_files", pa.int64()),
        pa.field("hottest_bytes", pa.int64()),
    ]
)


def lake_files(snapshot: Snapshot) -> pa.Table:
    """One row a file: what the log knows of it.

    `path` is within the lake. `level` is 0 for a file as it was flushed, more for one that
    compaction wrote (`CLOSED` for those of a closed day). Times and clusters are least and greatest
    in the file; null where the log does not say.
    """
    names: list[str] = []
    files: list[TableFile] = []
    for name, table in snapshot.tables.items():
        names += [name] * len(table.files)
        files += table.files
    columns = [
        names,
        [file.day for file in files],
        [file.path.removeprefix(f"{snapshot.store.url}/") for file in files],
        [_level(file.path) for file in files],
        [file.rows for file in files],
        [file.size for file in files],
        [_micros(file.first) for file in files],
        [_micros(file.last) for file in files],
        [file.modified_ms * 1000 for file in files],
        [file.clusters and file.clusters[0] for file in files],
        [file.clusters and file.clusters[1] for file in files],
    ]
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, FILES, strict=True)],
        schema=FILES,
    )


def lake_tables(snapshot: Snapshot) -> pa.Table:
    """One row a table; `small_files` are those that no compaction of a closed day has written.

    The hottest day is the one of most files, and of those the largest. `last_time` may be a
    millisecond early: the log keeps no more.
    """
    files = lake_files(snapshot)
    rows = []
    for name, version in snapshot.versions.items():
        own = files.filter(pc.equal(files["table_name"], name))
        rows.append({"table_name": name, "version": version, **_totals(own)})
    return pa.Table.from_pylist(rows, TABLES)


def inspected(sql: str, snapshot: Snapshot) -> dict[str, pa.Table]:
    """Those of these tables that a query can mean: all whose names are anywhere in its text."""
    text = sql.lower()
    return {name: make(snapshot) for name, make in INSPECTED.items() if name in text}


INSPECTED: dict[str, Callable[[Snapshot], pa.Table]] = {
    "lake_tables": lake_tables,
    "lake_files": lake_files,
}


def _totals(files: pa.Table) -> dict[str, object]:
    rows, size = (pc.sum(files[name]).as_py() or 0 for name in ("rows", "bytes"))
    days = files.group_by("date").aggregate([("path", "count"), ("bytes", "sum")])
    hottest = days.filter(pc.is_valid(days["date"])).sort_by(
        [("path_count", "descending"), ("bytes_sum", "descending"), ("date", "ascending")]
    )
    hot = hottest.slice(0, 1).to_pylist()
    return {
        "files": files.num_rows,
        "small_files": pc.sum(pc.less(files["level"], CLOSED)).as_py() or 0,
        "days": hottest.num_rows,
        "rows": rows,
        "bytes": size,
        "bytes_per_row": size / rows if rows else None,
        "first_time": _moment(pc.min(files["first_time"])),
        "last_time": _moment(pc.max(files["last_time"])),
        "hottest_date": hot[0]["date"] if hot else None,
        "hottest_files": hot[0]["path_count"] if hot else None,
        "hottest_bytes": hot[0]["bytes_sum"] if hot else None,
    }


def _level(path: str) -> int:
    found = LEVEL.search(path)
    return 0 if found is None else int(found[1])


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _moment(scalar: pa.Scalar) -> datetime | None:
    return None if not scalar.is_valid else scalar.as_py().astimezone(UTC)
