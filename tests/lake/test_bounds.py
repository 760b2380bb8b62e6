"""Bounds on `time` are read off a query: never too narrow, and narrow enough to skip days."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lake import Lake, TimeRange
from lake.bounds import SLACK, tables_read, time_bounds

DAY = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = date(2026, 1, 1)


def around(start: datetime, end: datetime) -> TimeRange:
    return TimeRange(start - SLACK, end + SLACK)


BOUNDED = {
    "SELECT * FROM samples WHERE time >= '2026-03-01' AND time < '2026-03-02'": "samples",
    "FROM metrics m WHERE m.time BETWEEN '2026-03-01' AND '2026-03-02' AND pod = 'a'": "samples",
    "FROM events WHERE '2026-03-01 02:00+02' <= time AND DATE '2026-03-02' > time": "events",
    "WITH a AS (FROM samples WHERE time > '2026-03-01' AND time < '2026-03-02') FROM a": "samples",
    "FROM samples s JOIN series r USING (series_id) "
    "WHERE s.time >= DATE '2026-02-28' + INTERVAL 1 DAY AND s.time < '2026-03-02'": "samples",
    "FROM samples WHERE time > '2026-03-01' AND time < '2026-03-01 06:00' UNION ALL "
    "FROM samples WHERE time > '2026-03-01 12:00' AND time < '2026-03-02'": "samples",
}

UNBOUNDED = [
    "SELECT * FROM samples",
    "SELECT * FROM samples WHERE time > '2026-03-01' OR pod = 'a'",
    "SELECT * FROM samples WHERE NOT time > '2026-03-01'",
    "SELECT * FROM samples WHERE date_trunc('day', time) > '2026-03-01'",
    "SELECT * FROM samples WHERE time > (SELECT max(time) FROM events)",
    "SELECT * FROM samples WHERE time > '2026-03-01' AND (SELECT count(*) FROM metrics) > 1",
    "SELECT * FROM samples a, samples b WHERE time > '2026-03-01'",
    "WITH samples AS (FROM metrics) SELECT * FROM samples WHERE time > '2026-03-01'",
    "FROM events e ASOF JOIN samples s ON e.time >= s.time WHERE s.time < '2026-03-01'",
    "FROM events e POSITIONAL JOIN samples s WHERE s.time < '2026-03-01'",
    "SELECT * FROM samples WHERE time > 'nonsense'",
    "FROM events AS e(d, c, x, time) WHERE time > '2026-03-01'",
    "FROM samples TABLESAMPLE 10% WHERE time > '2026-03-01'",
    "FROM samples USING SAMPLE 10 ROWS WHERE time > '2026-03-01'",
    "SELECT * FROM samples WHERE time > '2026-03-01' USING SAMPLE 10 ROWS",
    "FROM samples s TABLESAMPLE 5 ROWS JOIN series r USING (series_id) WHERE s.time > '2026-03-01'",
    "FROM samples WHERE time < today()",
    "FROM samples WHERE time < date_trunc('hour', now())",
    "FROM samples WHERE today() >= time",
    "FROM samples WHERE time > today() + (TIMESTAMPTZ '2026-03-01' - now())",
    "FROM samples WHERE time > TIMESTAMPTZ '2026-03-01' + (now() - TIMESTAMPTZ '2026-01-01') * -1",
    "SHOW TABLES",
    "SELECT * FROM series WHERE last_seen > '2026-03-01'",
    "not SQL at all",
]


@pytest.mark.parametrize("sql", BOUNDED)
def test_bounds_are_read(sql):
    assert time_bounds(sql) == {BOUNDED[sql]: around(DAY, DAY + timedelta(days=1))}


@pytest.mark.parametrize("sql", UNBOUNDED)
def test_what_is_not_understood_is_not_pruned(sql):
    assert time_bounds(sql) == {}


def test_now_is_evaluated():
    found = time_bounds("SELECT * FROM metrics WHERE time > now() - INTERVAL 2 HOURS")["samples"]
    start = datetime.now(UTC) - timedelta(hours=2) - SLACK
    assert abs(found.start - start) < timedelta(seconds=30)
    assert found.end.year == 9999


@pytest.mark.parametrize("where", ["time = today()", "time >= today() AND time < today() + 1"])
def test_the_clock_bounds_from_below_only(where):
    """Midnight may pass before the query runs."""
    found = time_bounds(f"FROM samples WHERE {where}")["samples"]
    assert datetime.now(UTC) - found.start < timedelta(days=1, minutes=2)
    assert found.end.year == 9999


def test_only_one_table_of_two_is_bounded():
    sql = "SELECT * FROM events e JOIN metrics m USING (cluster) WHERE e.time > '2026-03-01'"
    assert set(time_bounds(sql)) == {"events"}


EVERY = {"objects", "samples", "series", "events", "anomalies"}


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", set()),
        ("SELECT * FROM Samples", {"samples"}),
        ("FROM stored.series", {"series"}),
        ("SELECT * FROM samples USING SAMPLE 10 ROWS", {"samples"}),
        (
            "SELECT (SELECT count(*) FROM events), (SELECT 1 FROM anomalies)",
            {"events", "anomalies"},
        ),
        ("WITH a AS (FROM metrics) FROM a", {"samples", "series"}),
        ("SELECT * FROM (PIVOT samples ON metric IN ('up') USING sum(value))", {"samples"}),
        ("WITH RECURSIVE t AS (FROM events UNION ALL FROM t, series) FROM t", {"events", "series"}),
        ("PIVOT samples ON metric USING sum(value)", EVERY),
        ("FROM query_table('sam' || 'ples')", EVERY),
        ("FROM query('FROM samples')", EVERY),
        ("DESCRIBE samples", EVERY),
        ("SELECT * FROM (DESCRIBE samples)", EVERY),
        ("not SQL at all", EVERY),
    ],
)
def test_the_tables_that_a_query_reads(sql, tables):
    assert tables_read(sql) == tables


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake.open(tmp_path_factory.mktemp("year"))
    times = [
        datetime(2026, 1, 1, hour, tzinfo=UTC) + timedelta(days=day)
        for day in range(60)
        for hour in (3, 15)
    ]
    lake.samples.append(
        pa.table(
            {
                "cluster": ["c"] * len(times),
                "metric": ["m"] * len(times),
                "series_id": [1] * len(times),
                "time": times,
                "value": [1.0] * len(times),
            }
        )
    )
    return lake


def test_a_query_on_time_opens_its_own_day_only(year: Lake):
    wanted = "2026-02-10"
    files = year.snapshot().tables["samples"].files
    others = [Path(file.path) for file in files if str(file.day) != wanted]
    assert len(others) == 59
    sql = f"SELECT count(*) AS n FROM samples WHERE time >= '{wanted}' AND time < '{wanted} 12:00'"
    hidden = [path.rename(path.with_suffix(".away")) for path in others]
    try:
        assert year.sql(sql).to_pylist() == [{"n": 1}]
        with pytest.raises(Exception, match=r"No files found|Cannot open|not exist"):
            year.sql("SELECT count(*) FROM samples WHERE epoch_us(time) > 0")
    finally:
        for path in hidden:
            path.rename(path.with_suffix(".parquet"))


@pytest.mark.parametrize(
    "where",
    [
        "time >= '2026-01-20 03:00' AND time <= '2026-01-22 15:00'",
        "time > '2026-01-20 03:00' AND time < '2026-01-22 15:00'",
        "time = '2026-01-20 03:00'",
        "time BETWEEN '2026-01-22' AND '2026-01-20'",
        "time < '2026-01-01 03:00'",
    ],
)
def test_pruned_and_unpruned_answers_agree(year: Lake, where: str):
    pruned = year.sql(f"SELECT count(*) AS n FROM samples WHERE {where}").to_pylist()
    whole = TimeRange(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    unpruned = year.sql(f"SELECT count(*) AS n FROM samples WHERE {where}", between=whole)
    assert pruned == unpruned.to_pylist()
