"""The engine that trusted queries share: quick to reach, and each query is alone in it."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import Lake
from lake.engine import SharedEngine, shared
from lake.errors import FileDamagedError, QueryError
from lake.prepare import prepare
from lake.schema import TIMESTAMP
from lake.views import VIEWS
from tests.patience import PATIENCE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def two(tmp_path) -> list[Lake]:
    """Lakes of which one has one sample, the other two."""
    lakes = []
    for n in (1, 2):
        lake = Lake.open(tmp_path / str(n))
        rows = {
            "cluster": ["eu"] * n, "metric": ["up"] * n, "series_id": list(range(n)),
            "time": pa.array([NOON + timedelta(seconds=i) for i in range(n)], TIMESTAMP),
            "value": [1.0] * n,
        }  # fmt: skip
        lake.samples.append(pa.table(rows))
        lakes.append(lake)
    return lakes


def test_queries_at_once_see_their_own_lake(two):
    def count(n: int) -> int:
        return two[n % 2].sql("SELECT count(*) AS n FROM samples")["n"][0].as_py()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(count, range(40))) == [1, 2] * 20


def test_a_query_leaves_nothing_behind():
    engine = SharedEngine()
    with engine.session() as one:
        one.execute("CREATE VIEW mine AS SELECT 1 AS x")
        one.execute("CREATE TEMP TABLE passing AS SELECT 1 AS x")
        with engine.session() as other:
            for name in ("mine", "passing"):
                with pytest.raises(duckdb.CatalogException):
                    other.execute(f"FROM {name}")
            assert other.sql("SELECT rate(v, t) FROM (SELECT 1 v, now() t)").fetchall() == [(None,)]
        names = "SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'query_%'"
        assert len(one.sql(names).fetchall()) == 1
    with engine.session() as last:
        assert len(last.sql(names).fetchall()) == 1


@pytest.mark.parametrize("wrapped", [False, True], ids=["as it is", "as ours"])
def test_an_engine_that_broke_is_replaced(wrapped):
    engine = SharedEngine()
    broken = duckdb.FatalException("database has been invalidated")

    def fail() -> None:
        with engine.session() as connection:
            connection.execute("CREATE TABLE memory.main.kept AS SELECT 1 AS x")
            if wrapped:
                raise QueryError("of it") from broken
            raise broken

    with pytest.raises(QueryError if wrapped else duckdb.FatalException):
        fail()
    with engine.session() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM memory.main.kept")


def test_settings_of_a_statement_are_of_no_other(two):
    before = two[0].sql("SELECT current_setting('threads') AS n")
    two[0].sql("SET threads = 7; SELECT 1")
    assert two[0].sql("SELECT current_setting('threads') AS n") == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT table_name AS name FROM information_schema.tables",
        "SELECT view_name AS name FROM duckdb_views() WHERE NOT internal",
        "SHOW TABLES",
        "WITH t AS (SELECT * FROM information_schema.tables) SELECT table_name AS name FROM t",
    ],
)
def test_the_catalogue_lists_every_view(two, sql):
    assert set(VIEWS) <= set(two[0].sql(sql)["name"].to_pylist())


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("FROM samples", {"samples"}),
        ("FROM metrics", {"samples", "series"}),
        ("FROM buckets(INTERVAL 1 HOUR)", {"samples_1h", "samples_5m", "samples_stale"}),
        ("FROM buckets(INTERVAL 7 MINUTE)", {"samples_written"}),
        (
            "FROM buckets(INTERVAL 1 HOUR), samples_5m",
            {"samples_1h", "samples_5m", "samples_stale"},
        ),
        ("FROM buckets(INTERVAL 1 HOUR) WHERE time > '2027-01-01'", {"samples_1h"}),
    ],
)
def test_no_view_is_made_that_is_not_read(two, sql, tables):
    ready = prepare(two[0].snapshot(), sql)
    assert set(ready.paths) == tables
    two[0].sql(sql)


def test_a_session_that_stands_shows_each_query_its_files(two):
    """Two at once have two, one after the other have one, and after an error it is another."""
    for lake in (*two, *two):
        assert lake.sql("SELECT count(*) AS n FROM metrics")["n"].to_pylist() == [0]
    with shared.standing() as one:
        for lake, n in zip(two, (1, 2), strict=True):
            assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [n]
        with shared.standing() as other:
            assert other.connection is not one.connection
    with shared.standing() as last:
        assert last.connection is one.connection
    with pytest.raises(KeyError), shared.standing():
        raise KeyError
    with shared.standing() as last:
        assert last.connection is not one.connection


def test_rows_of_ours_are_not_there_for_the_next_query(two):
    """A table of the lake's own figures is registered for the query that names it."""
    assert two[0].sql("SELECT count(*) FROM lake_tables JOIN (SELECT 1) ON true").num_rows == 1
    with shared.standing() as one, pytest.raises(duckdb.CatalogException):
        one.connection.execute("FROM lake_tables")


def test_a_broken_engine_takes_its_sessions_with_it():
    engine = SharedEngine()
    with engine.standing() as first:
        pass
    with engine.standing() as busy, pytest.raises(duckdb.FatalException), engine.session():
        raise duckdb.FatalException("database has been invalidated")
    with engine.standing() as other, engine.standing() as another:
        assert not {id(first), id(busy)} & {id(other), id(another)}


def test_sessions_of_many_threads_do_not_wait_for_a_long_one():
    engine, running, done = SharedEngine(), threading.Event(), threading.Event()

    def long() -> None:
        with engine.session() as connection:
            running.set()
            with pytest.raises(duckdb.InterruptException):
                connection.execute("SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 0")
            done.set()

    with engine.session() as probe:
        assert probe.execute("SELECT 1").fetchall() == [(1,)]
    thread = threading.Thread(target=long, daemon=True)
    thread.start()
    assert running.wait(PATIENCE)
    with engine.session() as other:
        assert other.execute("SELECT 2").fetchall() == [(2,)]
        assert not done.is_set()


@pytest.mark.parametrize("keys", [10, 60, 900])
def test_a_join_skips_row_groups_between_its_keys(tmp_path, keys):
    """A row group a series; wanted are few of them, from the first to the last."""
    path, n = tmp_path / "rows.parquet", 1_000
    rows = pa.table({"series_id": [i for i in range(n) for _ in range(10)]})
    pq.write_table(rows, path, row_group_size=10)
    wanted = f"SELECT i * {n // keys} AS series_id FROM range({keys}) t(i)"
    with SharedEngine().session() as connection:
        plan = connection.execute(
            f"EXPLAIN ANALYZE FROM '{path}' JOIN (SELECT DISTINCT series_id FROM ({wanted})) "
            "USING (series_id)"
        ).fetchall()[0][1]
    scanned = re.search(r"Row Groups Scanned: (\d+) / 1000", plan)
    assert scanned is not None, plan
    assert int(scanned[1]) == keys


def test_queries_that_fail_leave_nothing_either(two):
    (file,) = two[0].samples.files()[1]
    Path(file.path).unlink()
    for _ in range(5):
        with pytest.raises(FileDamagedError):
            two[0].sql("FROM samples")
    with shared.session() as connection:
        names = "SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'query_%'"
        assert len(connection.sql(names).fetchall()) == 1
