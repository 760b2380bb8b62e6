"""Turning a sorted stream of rows into data files of a bounded size."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa

from lake.files import TableFile
from lake.maintenance.levels import prefix, prefix_of
from lake.maintenance.merge import merged
from lake.maintenance.policy import CompactionPolicy
from lake.maintenance.reading import reading
from lake.parquet import DataFile
from lake.table import Table

PORTION_ROWS = 1_048_576
"""Written at once: four row groups, in memory as plain columns while they are encoded."""


def portions(tables: Iterable[pa.Table], most: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly `most` rows, the last one smaller.

    >>> [t.num_rows for t in portions([pa.table({"n": range(5)}), pa.table({"n": range(2)})], 3)]
    [3, 3, 1]
    """
    held: list[pa.Table] = []
    count = 0
    for table in tables:
        rest = table
        while count + rest.num_rows >= most:
            head = rest.slice(0, most - count)
            yield pa.concat_tables([*held, head])
            rest, held, count = rest.slice(head.num_rows), [], 0
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held:
        yield pa.concat_tables(held)


def new_run() -> str:
    """The eight digits that a run's files share."""
    return uuid.uuid4().hex[:8]


def name_of_part(file: TableFile, version: int) -> str:
    """How the name of a file begins that holds part of a file of this version of the table."""
    return prefix_of(file) or prefix(version, 0, new_run())


def write_merged(
    table: Table,
    files: Sequence[TableFile],
    name_prefix: str,
    policy: CompactionPolicy,
    *,
    where: str = "true",
    dense: bool = False,
    spill: Path | None = None,
    wrote: Callable[[int], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> list[DataFile]:
    """Write the rows of files of one day as sorted files, and commit nothing.

    Whatever goes wrong, none of them is left behind that can be deleted.

    Args:
        table: whose files.
        files: oldest first.
        name_prefix: of the new names.
        policy: how large a file gets.
        where: rows that stay, as SQL.
        dense: take more time for fewer bytes.
        spill: where large sorts go.
        wrote: called with the number of rows about to be written; may raise, to break off.
        stopping: asked before each million or so of rows. If it was true once, some of the rows are
            missing in the files given: `discard` them.

    Raises:
        FileDamagedError: one of the files cannot be read.
        StoreError: the disk or the object store fails, or is full.
    """
    written: list[DataFile] = []
    try:
        with reading(table, files, policy.memory_bytes, spill) as connection:
            stream = merged(connection, table.spec, files, where)
            rows = _counted(portions(stream, PORTION_ROWS), wrote, stopping)
            while (first := next(rows, None)) is not None:
                one = table.write(
                    chain([first], rows),
                    files[0].day,
                    name_prefix,
                    dense=dense,
                    modified_ms=max(file.modified_ms for file in files),
                    most_bytes=policy.target_bytes,
                )
                written.append(one)
    except BaseException:
        table.discard(written)
        raise
    return written


def _counted(
    tables: Iterable[pa.Table], wrote: Callable[[int], None], stopping: Callable[[], bool]
) -> Iterator[pa.Table]:
    for table in tables:
        if stopping():
            return
        wrote(table.num_rows)
        yield table
