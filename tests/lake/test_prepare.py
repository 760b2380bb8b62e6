"""Which files a query opens: no more than it can need, and all that it does."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.transaction import AddAction
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import Lake, Limits
from lake.connection import connect
from lake.prepare import ASK_ABOVE, prepare
from lake.schema import SAMPLES, SERIES, TIMESTAMP
from tests.patience import least_seconds

FIRST = datetime(2016, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 3_650
LIFE = 100
"""Days that a pod lives: pod p0, then p1, and so on; each has two series."""

METRICS = ("cpu", "up")


@pytest.fixture(scope="module")
def decade(tmp_path_factory) -> Lake:
    """A file a day for ten years; all of one day are one file under many names, but for its day."""
    lake = Lake.open(tmp_path_factory.mktemp("decade") / "lake")
    one = pa.table(
        {
            "cluster": ["eu"] * 4,
            "metric": ["cpu", "cpu", "up", "up"],
            "series_id": [0, 0, 1, 1],
            "time": pa.array([FIRST, FIRST + DAY / 4] * 2, TIMESTAMP),
            "value": [1.0, 2.0, 3.0, 4.0],
        }
    )
    assert one.schema.names == SAMPLES.schema.names
    version = write_days(lake, one)
    assert version == 1
    series = [
        {
            "cluster": "eu", "metric": metric, "series_id": 2 * pod + METRICS.index(metric),
            "namespace": f"n{pod % 3}", "pod": f"p{pod}", "labels": [("app", f"a{pod}")],
            "first_seen": FIRST + pod * LIFE * DAY,
            "last_seen": FIRST + min((pod + 1) * LIFE, DAYS) * DAY - DAY,
        }
        for pod in range(-(-DAYS // LIFE))
        for metric in METRICS
    ]  # fmt: skip
    columns = [pa.array([row.get(f.name) for row in series], f.type) for f in SERIES.schema]
    lake.series.append(pa.table(columns, schema=SERIES.schema))
    return lake


def write_days(lake: Lake, one: pa.Table) -> int:
    """One commit of DAYS files, without forcing each to disk as an append would."""
    actions = []
    for number in range(DAYS):
        at = FIRST + number * DAY
        times = pa.array([at, at + DAY / 4] * 2, TIMESTAMP)
        pod = number // LIFE
        ids = pa.array([2 * pod, 2 * pod, 2 * pod + 1, 2 * pod + 1])
        rows = one.set_column(3, "time", times).set_column(2, "series_id", ids)
        path = f"date={at.date()}/{number}.parquet"
        (lake.samples.folder / path).parent.mkdir()
        pq.write_table(rows, lake.samples.folder / path, store_schema=False)
        told = [(at + n * DAY / 4).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for n in (0, 1)]
        least = {"cluster": "eu", "metric": "cpu", "time": told[0]}
        most = {"cluster": "eu", "metric": "up", "time": told[1]}
        stats = {"numRecords": 4, "minValues": least, "maxValues": most, "nullCount": {}}
        size = (lake.samples.folder / path).stat().st_size
        day = {"date": at.date().isoformat()}
        actions.append(AddAction(path, size, day, 0, True, json.dumps(stats)))
    delta = lake.samples.delta()
    schema = lake.samples.spec.stored_schema
    delta.create_write_transaction(actions, "append", schema, ["date"])
    return lake.samples.version()


def opened(lake: Lake, sql: str, **params) -> int:
    """How many files of samples are opened, by the engine's own log of its file system."""
    ready = prepare(lake.snapshot(), sql, params)
    with connect(ready.paths, stale=ready.stale) as connection:
        connection.execute("CALL enable_logging('FileSystem')")
        connection.execute(ready.sql, ready.params or None).fetchall()
        log = "SELECT DISTINCT path FROM duckdb_logs_parsed('FileSystem') WHERE op = 'OPEN'"
        paths = [path for (path,) in connection.execute(log).fetchall()]
    return sum("/samples/" in path for path in paths)


HOUR = "time >= '2020-05-05 12:00' AND time < '2020-05-05 13:00'"


@pytest.mark.parametrize(
    ("sql", "most"),
    [
        (f"SELECT sum(value) FROM samples WHERE {HOUR}", 1),
        (f"SELECT sum(value) FROM metrics WHERE {HOUR} AND pod = 'p15'", 1),
        (f"WITH a AS (FROM samples) SELECT sum(value) FROM a WHERE {HOUR}", 1),
        ("SELECT sum(value) FROM metrics WHERE date = '2020-05-05'", 1),
        (f"SELECT sum(value) FROM samples WHERE {HOUR} OR date = '2021-01-01'", 2),
        (f"FROM samples WHERE {HOUR} UNION ALL FROM samples WHERE date = '2021-01-01'", 2),
        (
            "SELECT sum(value) FROM samples WHERE time BETWEEN $start AND $start + INTERVAL 1 HOUR",
            1,
        ),
        ("SELECT rate(value, time) FROM samples WHERE date = $start::DATE GROUP BY series_id", 1),
        # through what is known of series
        ("SELECT sum(value) FROM metrics WHERE pod = 'p7'", LIFE),
        ("SELECT sum(value) FROM metrics WHERE labels['app'] = 'a7' AND metric = 'up'", LIFE),
        ("SELECT sum(value) FROM metrics WHERE label(labels, 'app') IN ('a7', 'a20')", 2 * LIFE),
        ("SELECT sum(value) FROM metrics WHERE pod LIKE 'p1_' AND namespace = 'n1'", 4 * LIFE),
        ("SELECT sum(value) FROM metrics WHERE pod = $pod", LIFE),
        ("SELECT sum(value) FROM samples JOIN series USING (series_id) WHERE pod = 'p7'", LIFE),
        ("SELECT sum(value) FROM samples WHERE series_id = 14", LIFE),
        ("SELECT sum(value) FROM metrics WHERE pod = 'nobody'", 0),
        ("SELECT sum(value) FROM metrics WHERE pod = 'p7' OR date = '2021-01-01'", DAYS),
        # by cluster and metric
        ("SELECT sum(value) FROM samples WHERE cluster = 'us'", 0),
        ("SELECT sum(value) FROM samples WHERE metric LIKE 'node_%'", 0),
        ("SELECT sum(value) FROM samples", DAYS),
    ],
)
def test_a_query_opens_only_the_files_that_can_matter(decade, sql, most):
    start = datetime(2020, 5, 5, 12, tzinfo=UTC)
    given = {"start": start, "pod": "p7"}
    params = {name: value for name, value in given.items() if f"${name}" in sql}
    assert opened(decade, sql, **params) == most


def test_the_cost_to_plan_does_not_grow_with_history(decade):
    """Of ten years it is a few milliseconds, most of it for the parser."""
    snapshot = decade.snapshot()
    for sql in (
        f"SELECT sum(value) FROM samples WHERE {HOUR}",
        "SELECT sum(value) FROM metrics WHERE pod = 'p7'",
    ):
        assert least_seconds(partial(prepare, snapshot, sql), attempts=10) < 0.02


def test_a_new_version_of_the_series_is_asked_again(decade):
    sql = "SELECT count(*) AS n FROM metrics WHERE pod = 'late'"
    assert decade.sql(sql).to_pylist() == [{"n": 0}]
    row = {
        "cluster": "eu", "metric": "cpu", "series_id": 0, "pod": "late",
        "first_seen": FIRST, "last_seen": FIRST,
    }  # fmt: skip
    columns = [pa.array([row.get(f.name)], f.type) for f in SERIES.schema]
    decade.series.append(pa.table(columns, schema=SERIES.schema))
    assert decade.sql(sql).to_pylist() == [{"n": 2}]
    assert decade.sql(sql, as_of="1-1.1").to_pylist() == [{"n": 0}]


CLUSTERS, PODS = ("ap", "eu", "us"), ("a", "b", None)


@pytest.fixture(scope="module")
def varied(tmp_path_factory) -> Lake:
    """More files than are opened without asking: a file a day, cluster and metric."""
    lake = Lake.open(tmp_path_factory.mktemp("varied") / "lake")
    rows, series = [], []
    for c, cluster in enumerate(CLUSTERS):
        for m, metric in enumerate(("a_x", "b_x", "b_y")):
            for p, pod in enumerate(PODS):
                number = (c * 3 + m) * 3 + p
                days = range(p, 8, 1 + (number % 3))
                key = {"cluster": cluster, "metric": metric, "series_id": number}
                times = [FIRST + day * DAY + number * timedelta(minutes=37) for day in days]
                rows += [{**key, "time": at, "value": float(at.day)} for at in times]
                series.append(
                    {**key, "pod": pod, "first_seen": times[0], "last_seen": times[-1],
                     "labels": [("app", f"app-{p}")]}
                )  # fmt: skip
    schema = SERIES.schema
    lake.series.append(
        pa.table([pa.array([r.get(f.name) for r in series], f.type) for f in schema], schema=schema)
    )
    for cluster in CLUSTERS:
        for metric in ("a_x", "b_x", "b_y"):
            mine = [r for r in rows if (r["cluster"], r["metric"]) == (cluster, metric)]
            columns = [pa.array([r[f.name] for r in mine], f.type) for f in SAMPLES.schema]
            lake.samples.append(pa.table(columns, schema=SAMPLES.schema))
    assert len(lake.samples.files()[1]) > ASK_ABOVE
    return lake


MOMENTS = st.integers(-1, 9).flatmap(
    lambda day: st.sampled_from(
        [f"'{(FIRST + day * DAY).date()}'", f"'{FIRST + day * DAY + timedelta(hours=5)}'"]
    )
)
DATES = st.integers(-1, 9).map(lambda day: f"'{(FIRST + day * DAY).date()}'")
COMPARED = st.sampled_from(["=", "<", "<=", ">", ">=", "<>"])
TEXTS = st.sampled_from(["'ap'", "'eu'", "'us'", "'a_x'", "'b_x'", "'b_y'", "'zz'", "''"])
LEAF = st.one_of(
    st.tuples(st.just("time"), COMPARED, MOMENTS).map(" ".join),
    st.tuples(MOMENTS, COMPARED, st.just("time")).map(" ".join),
    st.tuples(st.sampled_from(["date", "time::DATE"]), COMPARED, DATES).map(" ".join),
    st.tuples(MOMENTS, MOMENTS).map(lambda two: f"time BETWEEN {two[0]} AND {two[1]}"),
    st.tuples(st.sampled_from(["cluster", "metric"]), COMPARED, TEXTS).map(" ".join),
    st.lists(TEXTS, min_size=1, max_size=3).map(lambda each: f"cluster IN ({', '.join(each)})"),
    st.sampled_from(["metric LIKE 'b%'", "metric LIKE '_\\_x'", "metric NOT LIKE 'b%'"]),
    st.sampled_from(["pod = 'a'", "pod <> 'a'", "pod IS NULL", "pod IN ('b', 'c')", "pod ~ 'a|b'"]),
    st.sampled_from(["labels['app'] = 'app-1'", "label(labels, 'app') > 'app-1'", "series_id = 5"]),
    st.sampled_from(["series_id < 9", "value > 3", "true", "false", "NULL", "pod = NULL"]),
)
WHERE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda one: f"NOT ({one})"),
    ),
    max_leaves=6,
)
SHAPES = [
    "SELECT count(*), sum(value) FROM metrics WHERE {where}",
    "SELECT count(*), sum(value) FROM (FROM metrics) AS m WHERE {where}",
    "WITH m AS (SELECT * FROM metrics WHERE {other}) "
    "SELECT count(*), sum(value) FROM m WHERE {where}",
    "WITH m AS (FROM metrics) SELECT (SELECT count(*) FROM m WHERE {where}), sum(value) FROM m "
    "WHERE {other}",
    "SELECT count(*), sum(value) FROM samples JOIN series USING (cluster, metric, series_id) "
    "WHERE {where}",
    "SELECT count(*), sum(value) FROM series LEFT JOIN samples USING (cluster, metric, series_id) "
    "WHERE {where}",
    "SELECT count(*), sum(n) FROM (SELECT date, time, cluster, metric, pod, labels, series_id, "
    "value, count(*) AS n FROM metrics GROUP BY ALL) WHERE {where}",
    "SELECT count(*), sum(value) FROM (FROM metrics WHERE {other} UNION ALL FROM metrics) "
    "WHERE {where}",
]


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=20)
@given(where=WHERE, other=WHERE)
def test_what_is_left_out_changes_no_answer(varied, everything, shape, where, other):
    sql = shape.format(where=where, other=other)
    ready = prepare(varied.snapshot(), sql)
    with connect(ready.paths) as connection:
        assert connection.execute(sql).fetchall() == everything.execute(sql).fetchall()


@pytest.fixture(scope="module")
def everything(varied):
    with connect(varied.snapshot().paths()) as connection:
        yield connection


def test_a_restricted_caller_opens_files_of_its_clusters(varied):
    snapshot = varied.snapshot()
    ready = prepare(snapshot, "SELECT * FROM metrics WHERE pod = 'a'", clusters=["eu"])
    held = {file.path: file.clusters for file in snapshot.tables["samples"].files}
    assert {held[path] for path in ready.paths["samples"]} == {("eu", "eu")}
    rows = varied.query_guarded("SELECT DISTINCT cluster FROM metrics", Limits(), clusters=["eu"])
    assert rows.rows.to_pylist() == [{"cluster": "eu"}]


def test_a_hostile_filter_is_not_tried_on_the_series(varied):
    """It would be computed in the caller's own process."""
    for filter_ in (
        "length(repeat(pod, 2000000000)) > 1",
        "error(pod) IS NULL",
        "pod = (SELECT string_agg(a.pod, '') FROM series a, series b, series c)",
        "CAST(pod AS INT) = 1",
    ):
        ready = prepare(varied.snapshot(), f"SELECT count(*) FROM metrics WHERE {filter_}")
        assert len(ready.paths["samples"]) == len(varied.samples.files()[1])
