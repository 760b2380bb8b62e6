"""A caller of some clusters sees those and nothing else, whatever the SQL.

The test is non-interference: two lakes that differ in other clusters' rows alone answer every
query, hostile ones too, with the same rows or the same error.
"""

from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import Lake, Limits
from lake.clusters import confined_view, may_hold
from lake.errors import QueryError
from lake.files import TableFile
from lake.schema import EVENTS, SAMPLES, SAMPLES_1H, SERIES, TABLES
from lake.table_spec import TableSpec
from lake.views import VIEWS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

MINE = frozenset({"eu-1", "eu-2"})


def rows(spec, values):
    return pa.Table.from_pylist(values, spec.schema)


def samples(cluster, metric, n, at=NOON, base=0.0, series_id=1):
    return [
        {
            "cluster": cluster, "metric": metric, "series_id": series_id,
            "time": at + timedelta(seconds=i), "value": base + i,
        }
        for i in range(n)
    ]  # fmt: skip


def series(cluster, metric, pod, series_id=1, **labels):
    return {
        "cluster": cluster, "metric": metric, "series_id": series_id, "pod": pod,
        "labels": list(labels.items()), "first_seen": NOON, "last_seen": NOON,
    }  # fmt: skip


def event(cluster, reason, uid, at=NOON):
    return {
        "cluster": cluster, "time": at, "source": "kubernetes", "reason": reason, "uid": uid,
        "message": f"{reason} happened", "count": 1, "attributes": [],
    }  # fmt: skip


def rollup(cluster, metric, value):
    return {
        "cluster": cluster, "metric": metric, "series_id": 1, "time": NOON, "min": value,
        "max": value, "sum": value, "count": 1, "last": value, "increase": 0.0,
    }  # fmt: skip


def build(folder, strangers):
    """A lake whose files mix clusters: mine are the same in all, `strangers` are of the others."""
    lake = Lake.open(folder)
    mine_samples = samples("eu-1", "up", 50) + samples("eu-2", "load", 50, base=100.0)
    mine_series = [series("eu-1", "up", "cart-0", job="a"), series("eu-2", "load", "web-0")]
    mine_events = [event("eu-1", "Started", "u1"), event("eu-2", "Killing", "u2")]
    mine_rollups = [rollup("eu-1", "up", 1.0), rollup("eu-2", "load", 2.0)]
    lake.series.append(rows(SERIES, mine_series + strangers["series"]))
    lake.samples.append(rows(SAMPLES, mine_samples + strangers["samples"]))
    lake.events.append(rows(EVENTS, mine_events + strangers["events"]))
    lake.tables["samples_1h"].append(rows(SAMPLES_1H, mine_rollups + strangers["rollups"]))
    for more in strangers["later"]:
        lake.samples.append(rows(SAMPLES, more))
    return lake


NOBODY = {"series": [], "samples": [], "events": [], "rollups": [], "later": []}

SECRET = "secret_42"

SOMEBODY = {
    # Names before, between and after mine; also one that mine begin.
    "series": [
        series("aa", SECRET, "secret-pod", job=SECRET),
        series("eu-1b", "up", "secret-pod"),
        series("zz", "up", "secret-pod", series_id=2),
    ],
    "samples": samples("aa", SECRET, 300, base=-5e9)
    + samples("eu-1b", "up", 300, base=7e9)
    + samples("zz", SECRET, 300, base=5e9, series_id=99),
    "events": [event("aa", SECRET, "u8"), event("zz", "Started", "u9")],
    "rollups": [rollup("aa", SECRET, -5e9), rollup("zz", "up", 5e9)],
    # Of this day there are only strangers' rows: one file whose clusters enclose mine, one not.
    "later": [
        samples("aa", SECRET, 5, NOON + DAY) + samples("zz", SECRET, 5, NOON + DAY),
        samples("zz", SECRET, 5, NOON + 2 * DAY),
    ],
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return build(tmp_path_factory.mktemp("alone"), NOBODY)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return build(tmp_path_factory.mktemp("shared"), SOMEBODY)


def restricted(lake, clusters=MINE, threads=1):
    limits = Limits(threads=threads, memory_bytes=512 << 20)
    return lake.snapshot().connect(clusters=clusters, limits=limits, locked=True)


def outcome(connection, sql):
    """What a caller can tell: the rows, in any order, or the error."""
    try:
        found = connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        return type(error).__name__, str(error)
    rows = zip(*found.to_pydict().values(), strict=True)
    return found.column_names, sorted(map(repr, rows))


def trap(condition, bad, good="true"):
    return f"CASE WHEN {condition} THEN {bad} ELSE {good} END"


STRANGE = {
    "a metric": f"metric = '{SECRET}'",
    "part of a metric": "metric LIKE 'secret%'",
    "a cluster": "cluster = 'aa'",
    "part of a cluster": "cluster NOT LIKE 'eu-%'",
    "any cluster": "cluster NOT IN ('eu-1', 'eu-2')",
    "a value": "abs(value) > 1e9",
    "a series": "series_id = 99",
    "a day": "date = '2026-03-02'",
    "another day": "date > '2026-03-02'",
    "a time": "time > '2026-03-01 12:02:00+00'",
}
"""Conditions that hold for strangers' rows alone."""

ALARMS = {
    "error": "error('seen: ' || metric || cluster)",
    "cast": "CAST(metric AS INTEGER) = 1",
    "boolean": "CAST(metric AS BOOLEAN)",
    "date part": "date_part(metric, date) > 0",
    "pattern": "regexp_matches('a', '(' || metric)",
    "code point": "chr(-1) = 'x'",
    "overflow": "hash(9223372036854775807::BIGINT + series_id) > 0",
    "json": "json('{' || metric) IS NULL",
    "long text": "length(repeat(metric, 1000000000)) > 0",
    "list": "len(range(5000000000)) > 0",
    "unit": "date_trunc(metric, time) IS NULL",
    "zone": "timezone(metric, now()) IS NULL",
    "lambda": "list_transform([metric], lambda x: error('seen: ' || x))[1]",
}

PLACES = {
    "filter": "SELECT count(*) FROM samples WHERE {alarm}",
    "filter beside an equality": "SELECT count(*) FROM samples WHERE value = 5 AND {alarm}",
    "filter before a filter": "SELECT count(*) FROM samples WHERE {alarm} AND cluster = 'eu-1'",
    "filter with OR": "SELECT count(*) FROM samples WHERE cluster = 'eu-1' OR {alarm}",
    "filter of another cluster": "SELECT count(*) FROM samples WHERE cluster = 'aa' AND {alarm}",
    "list": "SELECT max({alarm}) FROM samples",
    "aggregate's filter": "SELECT count(*) FILTER (WHERE {alarm}) FROM samples",
    "order": "SELECT value FROM samples ORDER BY {alarm}, value LIMIT 3",
    "group": "SELECT {alarm} AS g, count(*) FROM samples GROUP BY g",
    "window": "SELECT max(n) FROM (SELECT count(*) OVER (PARTITION BY {alarm}) AS n FROM samples)",
    "join": "WITH e AS (SELECT cluster AS c FROM events) "
    "SELECT count(*) FROM samples JOIN e ON cluster = c AND {alarm}",
    "metrics": "SELECT count(*) FROM (SELECT * FROM metrics) WHERE {alarm}",
    "view of a view": "WITH m AS (SELECT * FROM metrics WHERE pod LIKE '%0') FROM m WHERE {alarm}",
    "distinct": "SELECT count(DISTINCT {alarm}) FROM samples",
    "nested": "SELECT * FROM (SELECT value, {alarm} AS seen FROM samples) WHERE seen LIMIT 2",
}


@pytest.mark.parametrize("place", PLACES)
def test_an_expression_is_not_computed_over_strangers_rows(alone, shared, place):
    """Whatever it would tell by failing, wherever it stands, whichever rows it waits for."""
    failures = 0
    with restricted(alone) as one, restricted(shared) as other:
        for condition in STRANGE.values():
            for alarm in ALARMS.values():
                sql = PLACES[place].format(alarm=trap(condition, alarm))
                expected = outcome(one, sql)
                assert outcome(other, sql) == expected, sql
                failures += isinstance(expected[1], str)
    # If all of it failed it would be no wonder that nothing is seen.
    assert failures < len(STRANGE) * len(ALARMS) / 4


def test_the_alarms_go_off(shared):
    """In a caller of all clusters, for whom the strangers are none."""
    limits = Limits(memory_bytes=512 << 20)
    with shared.snapshot().connect(limits=limits, locked=True) as connection:
        for alarm in ALARMS.values():
            sql = PLACES["filter"].format(alarm=trap(STRANGE["a metric"], alarm))
            assert isinstance(outcome(connection, sql)[1], str), sql


FACTS = [
    "SELECT count(*) FROM {table}",
    "SELECT DISTINCT cluster FROM {table}",
    "SELECT min(cluster), max(cluster), approx_count_distinct(cluster) FROM {table}",
    "SELECT count(*) FROM {table} WHERE cluster > 'f' OR cluster < 'b'",
    "SELECT count(*) FROM {table} WHERE cluster = 'aa' OR true",
    "SELECT cluster FROM {table} TABLESAMPLE 100%",
    "SELECT cluster FROM {table} ORDER BY cluster DESC LIMIT 1",
    "SELECT {table} FROM {table}",
    "SELECT count(*) FROM {table} a, {table} b WHERE a.cluster <> b.cluster",
    "SELECT stats(cluster) FROM {table} LIMIT 1",
    "SELECT stats(COLUMNS(*)) FROM {table} LIMIT 1",
    "SELECT vector_type(cluster) FROM {table} LIMIT 1",
    "SELECT list(DISTINCT cluster ORDER BY cluster) OVER () FROM {table}",
    "WITH RECURSIVE t(c) AS (SELECT min(cluster) FROM {table} UNION SELECT "
    "(SELECT min(cluster) FROM {table} WHERE cluster > c) FROM t WHERE c IS NOT NULL) FROM t",
    "FROM (PIVOT (SELECT cluster FROM {table}) ON cluster IN ('aa', 'eu-1', 'zz') USING count(*))",
    "SELECT * FROM (VALUES ('aa'), ('eu-1')) c(cluster) SEMI JOIN {table} USING (cluster)",
    "SELECT * FROM {table} ANTI JOIN (VALUES ('eu-1'), ('eu-2')) c(cluster) USING (cluster)",
    "SELECT hash(list(cluster ORDER BY cluster)) FROM {table}",
    "SELECT reservoir_quantile(hash(cluster), 0.5) IS NULL FROM {table}",
]

READABLE = [*VIEWS, *(f"stored.{name}" for name in TABLES)]
"""Also what lies below the views: the guard refuses the name, this is what holds without it."""


@pytest.mark.parametrize("table", READABLE)
def test_facts_of_a_table_are_of_the_callers_rows(alone, shared, table):
    with restricted(alone) as one, restricted(shared) as other:
        for fact in FACTS:
            sql = (
                fact.format(table=table)
                if "." not in table
                else (fact.replace("SELECT {table}", "SELECT cluster").format(table=table))
            )
            assert outcome(other, sql) == outcome(one, sql), sql


VALUES = [
    "SELECT count(*), min(value), max(value), sum(value), min(metric), max(time) FROM samples",
    "SELECT quantile_cont(value, [0, 0.5, 1]) FROM samples",
    "SELECT approx_top_k(metric, 10), histogram(metric) FROM samples",
    "SELECT * FROM samples ORDER BY value LIMIT 3",
    "SELECT * FROM samples ORDER BY value DESC LIMIT 3",
    "SELECT value, lag(value) OVER w, count(*) OVER w FROM samples WINDOW w AS (ORDER BY value)",
    "SELECT date, count(*) FROM samples GROUP BY ROLLUP (date)",
    "SELECT count(*) FROM samples WHERE date = '2026-03-02'",
    "SELECT pod, labels, count(*) FROM metrics GROUP BY ALL",
    "SELECT count(*) FROM metrics WHERE pod = 'secret-pod'",
    "SELECT map_keys(labels), labels['job'] FROM series",
    "SELECT reason, message FROM events",
    'SELECT cluster, "sum" / "count" FROM samples_1h',
    "SELECT s.value, e.reason FROM samples s ASOF JOIN events e ON s.cluster >= e.cluster",
    "SELECT metric, increase(value, time), rate(value, time) FROM samples GROUP BY 1",
    "SELECT series_id IN (SELECT series_id FROM anomalies), count(*) FROM samples GROUP BY 1",
    "SELECT (SELECT count(*) FROM samples i WHERE i.value < o.value) FROM samples o",
    "SELECT count(*) FROM samples s LEFT JOIN series r ON s.series_id = r.series_id",
    "SELECT count(DISTINCT (cluster, metric, series_id)) FROM samples",
]


@pytest.mark.parametrize("sql", VALUES)
def test_answers_are_of_the_callers_rows(alone, shared, sql):
    with restricted(alone) as one, restricted(shared) as other:
        found = outcome(other, sql)
    with restricted(alone) as one:
        assert found == outcome(one, sql)
    assert not isinstance(found[1], str), found
    with alone.snapshot().connect(locked=True) as everyone:
        assert found == outcome(everyone, sql)


FILTERS = st.lists(
    st.sampled_from(
        [
            *STRANGE.values(),
            *(
                trap(condition, alarm)
                for condition in STRANGE.values()
                for alarm in ALARMS.values()
            ),
            *(
                "value > 10",
                "metric = 'up'",
                "series_id = 1",
                "date = '2026-03-01'",
                "cluster > 'eu-1'",
            ),
            *("value::INTEGER % 7 = 1", "metric IN (SELECT metric FROM series)", "random() >= 0"),
        ]
    ),
    min_size=1,
    max_size=4,
)


@given(
    filters=FILTERS,
    joiner=st.sampled_from([" AND ", " OR "]),
    table=st.sampled_from(["samples", "metrics"]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_filter_sees_strangers_rows(alone, shared, filters, joiner, table):
    where = joiner.join(f"({one})" for one in filters)
    sql = f"SELECT cluster, metric, value FROM {table} WHERE {where}"
    with restricted(alone, threads=2) as one, restricted(shared, threads=2) as other:
        assert outcome(other, sql) == outcome(one, sql)


def test_files_of_other_clusters_alone_are_not_opened(shared):
    snapshot = shared.snapshot()
    days = {file.path: file.day for file in snapshot.tables["samples"].files}
    held = {days[path] for path in snapshot.paths(clusters=MINE)["samples"]}
    assert held == {date(2026, 3, 1), date(2026, 3, 2)}  # of the second, by statistics alone
    assert {days[path] for path in snapshot.paths(clusters={"zz"})["samples"]} == set(days.values())
    assert not any(snapshot.paths(clusters=()).values())
    assert snapshot.paths(clusters=None) == snapshot.paths()


def test_a_restricted_connection_still_skips_files_and_row_groups(shared):
    with restricted(shared) as connection:
        plan = connection.execute(
            "EXPLAIN SELECT sum(value) FROM samples WHERE metric = 'up' AND date = '2026-03-01'"
        ).fetchall()
    assert "metric = 'up'" in plan[0][1].split("Secure View")[1]


@pytest.mark.parametrize(
    "clusters", [(), ["nobody"], ["eu-1' OR 'a' = 'a"], ["EU-1"], ["eu-%"], [""]]
)
def test_of_no_known_cluster_there_are_no_rows(shared, clusters):
    with restricted(shared, clusters) as connection:
        for table in READABLE:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]


def test_a_name_with_a_quote_is_a_name(tmp_path):
    lake = Lake.open(tmp_path)
    lake.samples.append(rows(SAMPLES, samples("it's", "up", 2) + samples("its", "up", 3)))
    with restricted(lake, ["it's"]) as connection:
        assert connection.execute("SELECT count(*) FROM samples").fetchall() == [(2,)]


def test_a_table_without_clusters_shows_nothing_to_a_restricted_caller():
    spec = TableSpec("models", pa.schema([pa.field("name", pa.string())]), ("name",), None)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA stored")
        connection.execute(confined_view(spec, [], MINE))
        assert connection.execute("SELECT count(*) FROM stored.models").fetchall() == [(0,)]
    assert confined_view(spec, ["x.parquet"], MINE).endswith("WHERE false")


NAMES = st.text("ab\u00e9\U0001f600", max_size=4)


@given(
    held=st.lists(NAMES, min_size=1, max_size=4),
    asked=st.lists(NAMES, max_size=3),
    cut=st.integers(1, 4),
)
def test_a_file_that_holds_a_cluster_is_never_left_out(held, asked, cut):
    """Also where the writer cut the statistics short."""
    least, greatest = min(held)[:cut], max(held)[:cut]
    file = TableFile("x", None, 1, 1, None, None, clusters=(least, greatest))
    if set(held) & set(asked):
        assert may_hold(file, asked)
    unknown = TableFile("x", None, 1, 1, None, None)
    assert may_hold(unknown, asked) == bool(asked)


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM stored.samples", "SELECT cluster FROM main.samples"]
)
def test_sql_from_outside_cannot_name_what_lies_below(shared, sql):
    with pytest.raises(QueryError, match="is not allowed"):
        shared.query_guarded(sql, Limits(), clusters=MINE)


OUTSIDE = [
    *VALUES,
    *(
        fact.format(table="metrics")
        for fact in FACTS
        if "stats(" not in fact and "_type(" not in fact
    ),
    # What is made for the query at hand: rollups with what is newer, and tables of another past.
    'SELECT cluster, metric, time, max, "count" FROM buckets(INTERVAL 5 MINUTE)',
    "SELECT cluster, count(*) FROM buckets(INTERVAL 1 HOUR) GROUP BY 1",
    "SELECT cluster, min(min) FROM buckets(INTERVAL 7 MINUTE) GROUP BY 1",
    "SELECT cluster, count(*) FROM samples AT (VERSION => 1) GROUP BY 1",
    "SELECT cluster, pod FROM metrics AT (VERSION => 1) GROUP BY ALL",
]


def told(lake, sql, **caller):
    try:
        rows = lake.query_guarded(sql, Limits(), **caller).rows
    except QueryError as error:
        return type(error).__name__, str(error)
    return sorted(map(repr, rows.to_pylist()))


def test_sql_from_outside_is_of_the_callers_clusters(alone, shared):
    for sql in OUTSIDE:
        answer = told(shared, sql, clusters=MINE)
        assert answer == told(alone, sql, clusters=MINE), sql
        assert isinstance(answer, list) or "AT (" in sql, answer
    assert len(told(shared, "SELECT DISTINCT cluster FROM samples")) == 5
