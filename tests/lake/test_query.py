import threading
import time

import pytest

from lake import Limits
from lake.errors import QueryError, QueryTimeoutError, ResultTooLargeError
from tests.patience import MINUTES, SOON

ENDLESS = "SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 0"


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(ENDLESS, id="aggregate"),
        pytest.param("SELECT i FROM range(1000000000000) t(i) WHERE i < 0", id="no rows"),
        pytest.param("SELECT i FROM range(1000000000000) t(i) WHERE i % 100000000 = 0", id="few"),
        pytest.param("SELECT count(*) FROM range(9999999) a, range(9999999) b", id="product"),
        pytest.param(
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
            id="recursion",
        ),
    ],
)
def test_long_queries_are_cancelled(lake, sql):
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"after 0\.3 s"):
        lake.query_guarded(sql, Limits(seconds=0.3))
    assert time.monotonic() - began < SOON


def test_a_query_is_cancelled_even_if_its_time_is_up_before_it_began(lake):
    with pytest.raises(QueryTimeoutError):
        lake.query_guarded(ENDLESS, Limits(seconds=1e-9))


def test_no_thread_outlives_its_query(lake):
    before = threading.active_count()
    for _ in range(3):
        lake.query_guarded("SELECT 1", Limits(seconds=60))
    assert threading.active_count() == before


@pytest.mark.parametrize(("rows", "fits"), [(9, False), (10, True), (11, True)])
def test_rows_are_bounded(lake, rows, fits):
    sql = "SELECT * FROM range(10)"
    if fits:
        assert lake.query_guarded(sql, Limits(rows=rows)).rows.num_rows == 10
        return
    with pytest.raises(ResultTooLargeError, match="more than 9 rows") as refusal:
        lake.query_guarded(sql, Limits(rows=rows))
    assert (refusal.value.what, refusal.value.limit) == ("rows", 9)


def test_too_many_rows_are_noticed_early(lake):
    began = time.monotonic()
    with pytest.raises(ResultTooLargeError):
        lake.query_guarded("SELECT * FROM range(1000000000000)", Limits(rows=10, seconds=MINUTES))
    assert time.monotonic() - began < SOON


def test_bytes_are_bounded(lake):
    sql = "SELECT repeat('x', 1000) AS x FROM range(100)"
    assert lake.query_guarded(sql, Limits()).rows.num_rows == 100
    with pytest.raises(ResultTooLargeError, match="more than 50000 bytes"):
        lake.query_guarded(sql, Limits(result_bytes=50_000))


def test_memory_is_bounded_and_nothing_is_spilled(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    sql = "SELECT md5(i::VARCHAR) AS x FROM range(3000000) t(i) ORDER BY x LIMIT 1 OFFSET 2000000"
    with pytest.raises(QueryError, match="Out of Memory"):
        lake.query_guarded(sql, Limits(memory_bytes=40 << 20))
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("sql", ["SELECT nowhere FROM samples", "SELECT ?", "SELECT 1 / 'x'"])
def test_the_engines_refusals_are_query_errors(lake, sql):
    with pytest.raises(QueryError):
        lake.query_guarded(sql, Limits())


def test_results_say_what_was_read(lake, make_samples):
    lake.samples.append(make_samples())
    result = lake.query_guarded("SELECT value FROM samples", Limits())
    assert result.rows.to_pylist() == [{"value": 1.0}]
    assert result.versions == {**dict.fromkeys(lake.tables, 0), "samples": 1}
    assert result.snapshot_id == lake.snapshot().id


def test_times_come_as_utc(lake, make_samples, noon):
    lake.samples.append(make_samples())
    rows = lake.query_guarded(
        "SELECT time, CAST(time AS VARCHAR) AS text FROM samples", Limits()
    ).rows
    assert rows.to_pylist() == [{"time": noon, "text": "2026-03-01 12:00:00+00"}]
