"""Buckets of samples by their definition, one sample at a time: what the fast ways must equal."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from lake.schema import SAMPLES, TIMESTAMP

SLOT = 300_000_000
LOOKBACK = 12


class Sample(NamedTuple):
    cluster: str
    metric: str
    series_id: int
    time: int
    value: float


class Bucket(NamedTuple):
    min: float
    max: float
    sum: float
    count: int
    last: float
    increase: float


def buckets(written: Iterable[Sample], width: int) -> dict[tuple, Bucket]:
    """(cluster, metric, series_id, time) to bucket, of samples in the order of writing."""
    last_write = {}
    for sample in written:
        last_write[sample[:4]] = sample.value
    series = defaultdict(list)
    for (*name, time), value in sorted(last_write.items()):
        if not math.isnan(value):
            series[tuple(name)].append((time, value))
    found = {}
    for name, points in series.items():
        inside = defaultdict(list)
        for i, (time, value) in enumerate(points):
            rise = 0.0
            if i > 0 and time // SLOT - points[i - 1][0] // SLOT <= LOOKBACK:
                before = points[i - 1][1]
                rise = value - before if value > before else 0.0 if value == before else value
            inside[time // width * width].append((value, rise))
        for time, both in inside.items():
            values = [value for value, _ in both]
            found[(*name, time)] = Bucket(
                min(values),
                max(values),
                math.fsum(values) if all(map(math.isfinite, values)) else sum(values),
                len(values),
                values[-1],
                sum(rise for _, rise in both),
            )
    return found


def same(got: dict, wanted: dict) -> None:
    """Assert that they are equal, sums up to rounding."""
    assert got.keys() == wanted.keys()
    for key, bucket in wanted.items():
        for name, value in bucket._asdict().items():
            other = getattr(got[key], name)
            if name in {"sum", "increase"}:
                # Where large values cancel out, what is left is as inexact as they were.
                size = max(abs(bucket.min), abs(bucket.max))
                exact_to = max(1e-6, 1e-12 * size) if math.isfinite(size) else 1e-6
                close = math.isclose(value, other, rel_tol=1e-9, abs_tol=exact_to)
                assert close or (math.isnan(value) and math.isnan(other)), (key, name, other, value)
            else:
                assert value == other, (key, name, other, value)


COLUMNS = (
    'cluster, metric, series_id, epoch_us(time) AS time, min, max, sum, "count", last, increase'
)


def rows_of(table) -> dict[tuple, Bucket]:
    """The rows of a query for `COLUMNS`, each key once."""
    rows = [list(row.values()) for row in table.to_pylist()]
    found = {tuple(row[:4]): Bucket(*row[4:]) for row in rows}
    assert len(found) == len(rows)
    return found


def stored(lake, table: str) -> dict[tuple, Bucket]:
    """A rollup table as it is."""
    return rows_of(lake.sql(f"SELECT {COLUMNS} FROM {table}"))


def to_rows(samples):
    columns = list(zip(*samples, strict=True)) if samples else [()] * 5
    arrays = [
        pa.array(columns[0], pa.string()),
        pa.array(columns[1], pa.string()),
        pa.array(columns[2], pa.int64()),
        pa.array(columns[3], pa.int64()).cast(TIMESTAMP),
        pa.array(columns[4], pa.float64()),
    ]
    return pa.table(arrays, names=SAMPLES.schema.names)
