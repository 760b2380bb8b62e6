"""Runs are cut out of a row group in one of three ways, by how many of them are wanted."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from lake.range_query import answered
from lake.range_query.rows import FEW_RUNS
from lake.schema import SAMPLES, SERIES, TIMESTAMP
from tests.lake.range_query.conftest import BEGIN, of_series

COUNT = 6 * FEW_RUNS


@pytest.fixture
def many_series(lake):
    """Series of one metric, each of its own length and begin."""
    rng = np.random.default_rng(3)
    series = [("eu", "load", i, f"host_{i}", f"pod-{i % 3}") for i in range(COUNT)]
    lengths = rng.integers(1, 40, COUNT)
    of = np.repeat(np.arange(COUNT), lengths)
    nth = np.arange(len(of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    first = int(BEGIN.timestamp() * 1e6) + rng.integers(0, 600, COUNT) * 1_000_000
    columns = [
        pa.array(["eu"] * len(of)),
        pa.array(["load"] * len(of)),
        pa.array(of, pa.int64()),
        pa.array(first[of] + nth * 30_000_000, pa.int64()).cast(TIMESTAMP),
        pa.array(rng.normal(0, 1, len(of))),
    ]
    rows = pa.table(columns, names=SAMPLES.schema.names)
    lake.series.append(pa.Table.from_pylist(of_series(series), SERIES.schema))
    order = [(name, "ascending") for name in SAMPLES.sort]
    lake.samples.append(rows.sort_by(order), ordered=True)
    return lake, of, columns[3].cast(pa.int64()).to_numpy(), columns[4].to_numpy()


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("instance IN ('host_7', 'host_99')", lambda of: np.isin(of, (7, 99))),
        ("pod = 'pod-1'", lambda of: of % 3 == 1),
        ("pod IN ('pod-0', 'pod-1')", lambda of: of % 3 < 2),
        ("cluster = 'eu'", lambda of: of >= 0),
    ],
)
def test_few_and_many_of_the_series(many_series, condition, wanted):
    lake, of, times, values = many_series
    for begin, end in ((0, 3600), (200, 900), (631, 632), (1_700, 1_800)):
        since, until = (BEGIN + timedelta(seconds=at) for at in (begin, end))
        sql = (
            "SELECT instance, time, value FROM metrics WHERE metric = 'load' AND "
            f"{condition} AND time >= '{since.isoformat()}' AND time < '{until.isoformat()}'"
        )
        found = answered(lake.snapshot(), sql)
        low, high = (round(at.timestamp() * 1e6) for at in (since, until))
        kept = wanted(of) & (times >= low) & (times < high)
        expected = {(f"host_{of[i]}", times[i], values[i]) for i in np.flatnonzero(kept)}
        moments = found["time"].cast(pa.int64()).to_pylist()
        columns = (found["instance"].to_pylist(), moments, found["value"].to_pylist())
        assert set(zip(*columns, strict=True)) == expected
        assert found.num_rows == len(expected)
