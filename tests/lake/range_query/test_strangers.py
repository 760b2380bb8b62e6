"""What strangers may send: bounded in memory and time, and never an error of ours."""

import time
import tracemalloc
import warnings

import numpy as np
import pyarrow as pa
import pytest

from lake.range_query import Pool, answered, footers
from lake.range_query.answering import MOST_ANSWERED
from lake.schema import SAMPLES, SERIES, TIMESTAMP
from tests.lake.range_query.conftest import of_series
from tests.lake.range_query.test_odd_files import check

LONG = "1" * 5000


@pytest.mark.parametrize(
    "tail",
    [
        f"LIMIT {LONG}",
        f"AND series_id = {LONG}",
        f"AND time > now() - INTERVAL {LONG} HOUR",
        f"ORDER BY {LONG}",
        f"AND value > {LONG}",
    ],
)
def test_a_long_number(some_days, tail):
    sql = f"SELECT value FROM samples WHERE metric = 'up' {tail}"
    assert answered(some_days.snapshot(), sql) is None


@pytest.fixture
def long_one(lake, make_samples):
    lake.samples.append(make_samples(np.arange(MOST_ANSWERED + 1.0), series_id=7))
    return lake


def test_memory_of_many_columns(long_one):
    snapshot = long_one.snapshot()
    tracemalloc.start()
    try:
        for n in (60, 2_000):
            sql = f"SELECT {', '.join(['value'] * n)} FROM samples WHERE metric = 'up'"
            assert answered(snapshot, sql, pool=Pool(1 << 26)) is None
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_as_many_rows_as_are_answered(long_one):
    snapshot, sql = long_one.snapshot(), "SELECT time, {} FROM samples WHERE metric = 'up'"
    assert answered(snapshot, sql.format("value") + " AND value > 0").num_rows == MOST_ANSWERED
    assert answered(snapshot, sql.format("max(value) AS v") + " GROUP BY 1") is None


def test_the_same_function_many_times_is_computed_once(long_one):
    one = "SELECT {} FROM samples WHERE metric = 'up'"
    snapshot, pool = long_one.snapshot(), Pool(1 << 26)

    def cpu(n):
        sql = one.format(", ".join(f"rate(value, time) AS r{i}" for i in range(n)))
        began = time.thread_time()
        assert answered(snapshot, sql, pool=pool) is not None
        return time.thread_time() - began

    alone = min(cpu(1) for _ in range(5))
    assert min(cpu(60) for _ in range(5)) < 10 * alone
    sql = one.format(", ".join(f"rate(value, time) AS r{i}" for i in range(65)))
    assert answered(snapshot, sql, pool=pool) is None


def test_texts_are_not_kept_for_ever(long_one):
    snapshot, pool = long_one.snapshot(), Pool(1 << 26)
    for batch in range(5):
        texts = ", ".join(f"'{batch}{n:04}'" for n in range(900))
        sql = f"SELECT value FROM samples WHERE metric IN ('up', {texts}) AND value < 0"
        assert answered(snapshot, sql, pool=pool).num_rows == 0
    footer = next(value for key, value in pool._held.items() if isinstance(key, str))
    assert len(footer._held) <= footers.MOST_HELD


def test_texts_times_row_groups_are_bounded(some_days, monkeypatch):
    texts = ", ".join(f"'u{n}'" for n in range(50))
    sql = f"SELECT value FROM samples WHERE metric IN ('up', {texts})"
    assert answered(some_days.snapshot(), sql) is not None
    monkeypatch.setattr("lake.range_query.answering.MOST_LOOKS", 50)
    assert answered(some_days.snapshot(), sql) is None


def test_keys_of_many_times(lake):
    n = 65_536
    times = np.arange(n) * 20_000_000 + 1_700_000_000_000_000
    columns = [
        pa.array(["eu"] * n), pa.array(["up"] * n), pa.array([7] * n, pa.int64()),
        pa.array(times, pa.int64()).cast(TIMESTAMP), pa.array(np.ones(n)),
    ]  # fmt: skip
    lake.samples.append(pa.table(columns, names=SAMPLES.schema.names))
    keys = ["time", *(f"time_bucket(INTERVAL {s} SECOND, time)" for s in range(1, 7))]
    sql = (
        "SELECT max(value) AS m, count(*) AS n FROM samples WHERE metric = 'up' AND time < "
        f"'2023-11-20' GROUP BY {', '.join(keys)} ORDER BY n DESC LIMIT 1"
    )
    assert answered(lake.snapshot(), sql)["n"].to_pylist() == [1]  # each time comes once


def test_numbers_that_overflow_are_not_told_in_the_log(lake, make_samples):
    lake.samples.append(make_samples([np.inf, -np.inf, 1e308, 1e308], series_id=7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sql = "SELECT sum(value) AS s, avg(value) AS a FROM samples WHERE metric = 'up'"
        assert answered(lake.snapshot(), sql).num_rows == 1


def test_without_a_pool_nothing_is_read(some_days, monkeypatch):
    monkeypatch.setattr(footers.pq, "read_metadata", lambda _: pytest.fail("it was read"))
    sql = "SELECT value FROM samples WHERE metric = 'up'"
    assert answered(some_days.snapshot(), sql, pool=Pool(0)) is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT value FROM metrics WHERE metric = 'up'",
        "SELECT count(*) AS n FROM metrics WHERE metric = 'up' AND pod IN ('pod-0', 'pod-1')",
        "SELECT sum(value) AS n FROM samples JOIN series USING (cluster, metric, series_id)"
        " WHERE metric = 'up'",
    ],
)
def test_a_series_of_which_two_things_are_known(lake, make_samples, sql):
    """The view has a row for each of the two, whatever is selected of it."""
    rows = [("eu", "up", 7, "host_0", "pod-0"), ("eu", "up", 7, "host_0", "pod-1")]
    lake.series.append(pa.Table.from_pylist(of_series(rows), SERIES.schema))
    lake.samples.append(make_samples([1.0], series_id=7))
    assert check(lake, sql) == 0


def test_one_number_in_one_row_group(lake, make_samples):
    mine = ("eu", "up", 7, "host_0", "pod-0")
    lake.series.append(pa.Table.from_pylist(of_series([mine]), SERIES.schema))
    rows = [
        make_samples([1.0, 2.0], cluster="eu", metric="up", series_id=7),
        make_samples([666.0], cluster="evil", metric="up", series_id=7),
        make_samples([667.0], cluster="eu", metric="other", series_id=7),
    ]
    lake.samples.append(pa.concat_tables(rows))
    sql = "SELECT value FROM metrics WHERE metric IN ('up', 'other') AND pod = 'pod-0'"
    for whose in (None, ["eu"]):
        found = answered(lake.snapshot(), sql, whose, pool=Pool(1 << 26))
        assert sorted(found["value"].to_pylist()) == [1.0, 2.0]


def test_clusters_that_are_asked_for_and_those_of_the_caller(some_days):
    sql = "SELECT cluster, count(*) FROM samples WHERE metric = 'up' AND cluster = 'eu' GROUP BY 1"
    assert answered(some_days.snapshot(), sql, ["us"]).num_rows == 0
    assert answered(some_days.snapshot(), sql, ["us", "eu"])["cluster"].to_pylist() == ["eu"]
