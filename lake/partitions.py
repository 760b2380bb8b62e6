"""Rows of a table by the day whose partition they belong in."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.table_spec import TableSpec
from lake.timerange import DAY, EPOCH

MICROS_A_DAY = 86_400_000_000


def by_day(spec: TableSpec, rows: pa.Table) -> Iterator[tuple[date | None, pa.Table]]:
    """Each day that has rows, and those, in the order in which they come.

    A table without partitions has one part, whose day is None.
    """
    if rows.num_rows == 0:
        return
    if spec.day_of is None:
        yield None, rows
        return
    micros = rows.column(spec.day_of).cast(pa.int64())
    days = np.asarray(micros) // MICROS_A_DAY
    low, high = int(days.min()), int(days.max())
    if low == high:
        yield (EPOCH + low * DAY).date(), rows
        return
    for day in np.unique(days):
        yield (EPOCH + int(day) * DAY).date(), rows.filter(pc.equal(pa.array(days), int(day)))


def with_date(spec: TableSpec, rows: pa.Table) -> pa.Table:
    """Rows as delta-rs writes them: with the column `date`, where the table is partitioned."""
    if spec.day_of is not None:
        days = rows.column(spec.day_of).cast(pa.date32())
        rows = rows.add_column(0, pa.field("date", pa.date32(), nullable=False), days)
    return rows.cast(spec.stored_schema)
