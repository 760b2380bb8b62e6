"""What a query asks of its files is read off it: never too much, and enough to skip files."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lake.errors import AsOfError
from lake.files import TableFile
from lake.pruning.conditions import ALWAYS, EVER
from lake.pruning.reads import reading

DAY = date(2026, 3, 1)
ONE = timedelta(days=1)


def days(sql, table="samples", **params):
    """The runs of days of a table that a query needs."""
    found = [read for read in reading(sql, params).reads if table in read.tables]
    assert found, f"{sql} does not read {table}"
    return sorted(run for read in found for run in read.condition.days())


def file(day=DAY, clusters=("eu", "eu"), metrics=("up", "up"), hours=(0, 23)):
    first, last = (datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for hour in hours)
    return TableFile("x", day, 1, 1, first, last, 0, clusters, metrics)


def admits(sql, one, view=None, **params):
    found = [read for read in reading(sql, params).reads if view in (None, read.view)]
    return any(read.condition.admits(one) for read in found)


# SLACK reaches into the neighbouring days where a bound on `time` is midnight.
TWO_DAYS = [(DAY - ONE, DAY + ONE)]

BOUNDED = [
    "SELECT * FROM samples WHERE time >= '2026-03-01' AND time < '2026-03-02'",
    "FROM metrics m WHERE m.time BETWEEN '2026-03-01' AND '2026-03-02' AND pod = 'a'",
    "FROM samples WHERE '2026-03-01 02:00+02' <= time AND DATE '2026-03-02' > time",
    "WITH a AS (FROM samples WHERE time > '2026-03-01' AND time < '2026-03-02') FROM a",
    "FROM samples s JOIN series r USING (series_id) "
    "WHERE s.time >= DATE '2026-02-28' + INTERVAL 1 DAY AND s.time < '2026-03-02'",
    "FROM samples s JOIN series r ON s.series_id = r.series_id AND s.time > '2026-03-01'"
    " AND s.time < '2026-03-02'",
    "FROM series r LEFT JOIN samples s ON s.series_id = r.series_id AND s.time > '2026-03-01'"
    " AND s.time < '2026-03-02'",
    # from outside, through what passes a column on as it is
    "FROM (FROM samples) WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "WITH a AS (FROM samples) FROM a WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "WITH a AS (SELECT s.time AS t, value FROM samples s), b AS (FROM a WHERE value > 1) "
    "FROM b AS c WHERE c.t > '2026-03-01' AND t < '2026-03-02'",
    "FROM (SELECT time, sum(value) FROM samples GROUP BY time) "
    "WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "FROM (SELECT time, sum(value) FROM samples GROUP BY 1) "
    "WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "FROM (SELECT time, sum(value) FROM samples GROUP BY ALL) "
    "WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "FROM (SELECT DISTINCT time FROM samples ORDER BY time) "
    "WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "FROM (SELECT time FROM samples UNION ALL SELECT time FROM events) "
    "WHERE time > '2026-03-01' AND time < '2026-03-02'",
    "SELECT (SELECT count(*) FROM samples s WHERE s.time > '2026-03-01' AND s.time < '2026-03-02')",
    "FROM samples s ASOF JOIN events e ON e.time <= s.time "
    "WHERE s.time > '2026-03-01' AND s.time < '2026-03-02'",
]


@pytest.mark.parametrize("sql", BOUNDED)
def test_bounds_on_time_are_read(sql):
    assert days(sql) == TWO_DAYS


UNBOUNDED = [
    "SELECT * FROM samples",
    "SELECT * FROM samples WHERE time > '2026-03-01' OR value = 1",
    "SELECT * FROM samples WHERE NOT time > '2026-03-01'",
    "SELECT * FROM samples WHERE date_trunc('day', time) > '2026-03-01'",
    "SELECT * FROM samples WHERE time > (SELECT max(time) FROM events)",
    "SELECT * FROM samples WHERE time > '2026-03-01' AND (SELECT count(*) FROM metrics) > 1",
    "WITH samples AS (FROM metrics), a AS (SELECT time + INTERVAL 1 DAY AS time FROM samples) "
    "SELECT * FROM a WHERE time > '2026-03-01'",
    "FROM events e ASOF JOIN samples s ON e.time >= s.time WHERE s.time < '2026-03-01'",
    "FROM events e POSITIONAL JOIN samples s WHERE s.time < '2026-03-01'",
    "FROM events e FULL JOIN samples s USING (cluster) WHERE s.time < '2026-03-01'",
    "FROM samples s RIGHT JOIN events e USING (cluster) WHERE e.time < '2026-03-01'",
    "FROM samples s LEFT JOIN events e ON s.time > '2026-03-01'",
    "FROM events e ANTI JOIN samples s ON s.cluster = e.cluster WHERE e.time > '2026-03-01'",
    "SELECT * FROM samples WHERE time > 'nonsense'",
    "FROM samples AS e(d, c, m, i, x, time) WHERE time > '2026-03-01'",
    "FROM samples TABLESAMPLE 10% WHERE time > '2026-03-01'",
    "SELECT * FROM samples WHERE time > '2026-03-01' USING SAMPLE 10 ROWS",
    "FROM samples s TABLESAMPLE 5 ROWS JOIN series r USING (series_id) WHERE s.time > '2026-03-01'",
    "FROM samples WHERE time < today()",
    "FROM samples WHERE time < date_trunc('hour', now())",
    "FROM samples WHERE today() >= time",
    "FROM samples WHERE time > today() + (TIMESTAMPTZ '2026-03-01' - now())",
    "FROM samples WHERE time > TIMESTAMPTZ '2026-03-01' + (now() - TIMESTAMPTZ '2026-01-01') * -1",
    "FROM samples WHERE now() < '2020-01-01'",
    "FROM samples WHERE time > $unknown",
    "FROM samples WHERE time > 'infinity' OR time = '-infinity'",
    # from outside, where a row depends on others or a column is made
    "FROM (FROM samples LIMIT 10) WHERE time > '2026-03-01'",
    "FROM (FROM samples ORDER BY value LIMIT 10) WHERE time > '2026-03-01'",
    "FROM (SELECT *, lag(value) OVER (ORDER BY time) FROM samples) WHERE time > '2026-03-01'",
    "FROM (SELECT * FROM samples QUALIFY row_number() OVER () = 1) WHERE time > '2026-03-01'",
    "FROM (SELECT DISTINCT ON (metric) * FROM samples) WHERE time > '2026-03-01'",
    "FROM (SELECT max(time) AS time FROM samples) WHERE time > '2026-03-01'",
    "FROM (SELECT cluster, any_value(time) AS time FROM samples GROUP BY 1) "
    "WHERE time > '2026-03-01'",
    "FROM (SELECT cluster, time FROM samples GROUP BY ROLLUP (cluster, time)) "
    "WHERE time > '2026-03-01'",
    "FROM (SELECT * EXCLUDE (time), time + INTERVAL 1 DAY AS time FROM samples) "
    "WHERE time > '2026-03-01'",
    "FROM (SELECT * REPLACE (time + INTERVAL 1 DAY AS time) FROM samples) "
    "WHERE time > '2026-03-01'",
    "FROM (FROM samples) AS s(date, cluster, metric, series_id, other, time) "
    "WHERE time > '2026-03-01'",
    "WITH RECURSIVE a AS (FROM samples UNION ALL FROM a) FROM a WHERE time > '2026-03-01'",
    "FROM (FROM samples EXCEPT FROM samples) WHERE time > '2026-03-01'",
    "FROM (SELECT value, time FROM samples UNION ALL SELECT time, value FROM samples) "
    "WHERE time > '2026-03-01'",
    "WITH a AS (FROM samples) SELECT * FROM a WHERE time > '2026-03-01' UNION ALL FROM a",
    "SELECT * FROM events e WHERE EXISTS (FROM samples s WHERE e.time > '2026-03-01')",
    "FROM (SELECT * FROM events JOIN samples USING (cluster)) WHERE time > '2026-03-01'",
    "FROM (PIVOT samples ON metric IN ('up') USING sum(value)) WHERE time > '2026-03-01'",
]


@pytest.mark.parametrize("sql", UNBOUNDED)
def test_what_is_not_understood_is_not_pruned(sql):
    assert EVER in days(sql)


@pytest.mark.parametrize(
    ("where", "runs"),
    [
        ("date = '2026-03-01'", [(DAY, DAY)]),
        ("date >= '2026-03-01' AND date < '2026-03-03'", [(DAY, DAY + 2 * ONE)]),
        ("date IN ('2026-03-01', DATE '2026-03-04')", [(DAY, DAY), (DAY + 3 * ONE, DAY + 3 * ONE)]),
        ("date BETWEEN DATE '2026-03-01' AND DATE '2026-03-01' + 1", [(DAY, DAY + ONE)]),
        ("date = '2026-03-01' OR date = '2026-03-02'", [(DAY, DAY), (DAY + ONE, DAY + ONE)]),
        ("time::DATE = '2026-03-01'", [(DAY, DAY)]),
        ("(date = '2026-03-01' AND value = 1) OR false", [(DAY, DAY)]),
        ("date = '2026-03-01' AND date = '2026-03-02'", []),
        ("date = '2026-03-01' AND (date = '2026-03-01' OR value = 2)", [(DAY, DAY)]),
        ("date = $day", [(DAY, DAY)]),
        ("date >= $day::DATE - INTERVAL 1 DAY AND date <= $day", [(DAY - ONE, DAY)]),
        ("time >= $start AND time < $start + INTERVAL 1 HOUR", [(DAY, DAY)]),
    ],
)
def test_days_of_filters(where, runs):
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    params = {"day": DAY, "start": start}
    assert days(f"SELECT * FROM samples WHERE {where}", **params) == runs


def test_now_is_evaluated_and_bounds_from_below_only():
    """Midnight may pass before the query runs."""
    today = datetime.now(UTC).date()
    ((first, last),) = days("SELECT * FROM metrics WHERE time > now() - INTERVAL 2 DAYS")
    assert today - first in (2 * ONE, 3 * ONE)
    assert last == EVER[1]
    for where in ("time = today()", "time >= today() AND time < today() + 1", "date = today()"):
        ((first, last),) = days(f"FROM samples WHERE {where}")
        assert today - first <= 2 * ONE
        assert last == EVER[1]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("cluster = 'eu'", True),
        ("cluster = 'us'", False),
        ("cluster IN ('us', 'eu')", True),
        ("cluster IN ('us', 'ap')", False),
        ("'us' = cluster", False),
        ("cluster > 'eu'", True),  # a long greatest value may have been cut short
        ("cluster < 'eu'", True),  # bounds count as inclusive
        ("cluster < 'et'", False),
        ("cluster >= 'f'", False),
        ("cluster BETWEEN 'a' AND 'b'", False),
        ("metric LIKE 'u%'", True),
        ("metric LIKE 'v%'", False),
        ("metric LIKE 'up'", True),
        ("metric LIKE 'us'", False),
        ("metric LIKE '%p'", True),
        ("metric LIKE '_p'", True),
        ("metric LIKE 'v\\%'", True),
        ("metric ILIKE 'v%'", True),
        ("starts_with(metric, 'node_')", False),
        ("metric ^@ 'u'", True),
        ("metric = 'up' AND cluster = 'us'", False),
        ("metric = 'up' OR cluster = 'us'", True),
        ("metric = 'down' OR cluster = 'us'", False),
        ("NOT cluster = 'us'", True),
        ("cluster != 'us'", True),
        ("cluster NOT IN ('eu')", True),
        ("metric = 5", True),
        ("metric = '5'::INT", True),
        ("metric COLLATE NOCASE = 'UP'", True),
        ("lower(metric) = 'x'", True),
        ("metric = $metric", False),
        ("metric = $number", True),
        ("metric IN $metrics", False),
        ("list_contains($metrics, metric)", False),
        ("(len($none) = 0 OR list_contains($none, cluster))", True),
        ("(len($metrics) = 0 OR list_contains($metrics, cluster))", False),
        ("list_contains($none, cluster)", False),
        ("metric IS NULL", True),
        ("metric = NULL", True),
    ],
)
def test_filters_on_cluster_and_metric(where, found):
    params = {"metric": "down", "metrics": ["down", "left"], "none": [], "number": 5}
    assert admits(f"SELECT * FROM metrics WHERE {where}", file(), **params) == found


def test_a_file_of_many_clusters_and_metrics():
    one = file(clusters=("ap", "eu"), metrics=("a", "node_load1"))
    assert admits("FROM samples WHERE cluster = 'au' AND metric LIKE 'node_%'", one)
    assert not admits("FROM samples WHERE cluster = 'us'", one)
    assert not admits("FROM samples WHERE metric > 'o'", one)
    assert admits("FROM samples WHERE metric > 'node_load15'", one)
    unknown = file(clusters=None, metrics=None)
    assert admits("FROM samples WHERE cluster = 'us' AND metric = 'x'", unknown)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM samples s JOIN series r USING (cluster, metric, series_id) WHERE r.cluster = 'us'",
        "FROM samples s JOIN series r USING (cluster, metric, series_id) WHERE cluster = 'us'",
        "FROM series r LEFT JOIN samples s USING (cluster) WHERE r.cluster = 'us'",
    ],
)
def test_what_a_join_shares(sql):
    assert not admits(sql, file(), view="samples")


def test_what_a_join_does_not_share():
    sql = "FROM samples s JOIN series r USING (metric) WHERE r.cluster = 'us'"
    assert admits(sql, file(), view="samples")


def test_a_mention_without_a_bound_needs_all():
    found = reading("FROM events e JOIN metrics m USING (cluster) WHERE e.time > '2026-03-01'")
    conditions = {read.view: read.condition for read in found.reads}
    assert conditions["metrics"] == ALWAYS != conditions["events"]


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
        ("FROM range(10), samples_5m", {"samples_5m"}),
        ("FROM buckets(INTERVAL 1 HOUR)", {"samples", "samples_5m", "samples_1h"}),
        ("SELECT * FROM samples ORDER BY (SELECT max(time) FROM events)", {"samples", "events"}),
        ("SELECT * FROM samples LIMIT (SELECT count(*) FROM events)", {"samples", "events"}),
        ("FROM range((SELECT count(*) FROM events))", {"events"}),
        ("VALUES ((SELECT count(*) FROM events))", {"events"}),
    ],
)
def test_the_tables_that_a_query_reads(sql, tables):
    assert {table for read in reading(sql).reads for table in read.tables} == tables


@pytest.mark.parametrize(
    "sql",
    [
        "PIVOT samples ON metric USING sum(value)",
        "FROM query_table('sam' || 'ples')",
        "FROM query('FROM samples')",
        "DESCRIBE samples",
        "SELECT * FROM (DESCRIBE samples)",
        "FROM buckets(step := 1)",
        "not SQL at all",
    ],
)
def test_queries_that_may_read_anything(sql):
    assert reading(sql) is None


def test_a_query_that_doubles_at_each_level_is_given_up_soon():
    tables = ", ".join(f"a{i} AS (FROM a{i - 1} UNION ALL FROM a{i - 1})" for i in range(1, 40))
    sql = f"WITH a0 AS (FROM samples), {tables} SELECT count(*) FROM a39"
    assert reading(sql) is None


def test_buckets_reach_before_and_after():
    ((first, last),) = days("FROM buckets(INTERVAL 2 DAYS) WHERE time = '2026-03-01 01:00'")
    assert (first, last) == (DAY - ONE, DAY + 2 * ONE)
    assert days("FROM buckets(INTERVAL 1 DAY)") == [EVER]


def test_an_at_clause_names_the_past_of_one_mention():
    sql = (
        "FROM samples AT (VERSION => 12) JOIN metrics AT (VERSION => '1-3.4') USING (series_id) "
        "JOIN events AT (TIMESTAMP => DATE '2026-03-01') USING (cluster), anomalies"
    )
    found = {read.view: read.at for read in reading(sql).reads}
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    assert found == {"samples": 12, "metrics": "1-3.4", "events": moment, "anomalies": None}
    renamed = reading(sql).renamed(lambda view, _: f"{view}@7")
    assert '"samples@7" AS samples' in renamed
    assert "AT (" not in renamed


@pytest.mark.parametrize(
    "at", ["VERSION => value", "TIMESTAMP => 'nonsense'", "VERSION => (SELECT 1)", "VERSION => $x"]
)
def test_an_at_clause_needs_a_constant(at):
    with pytest.raises(AsOfError, match="needs a constant"):
        reading(f"FROM samples AT ({at})")
