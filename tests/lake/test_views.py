from datetime import timedelta

import pyarrow as pa
import pytest

from lake.prepare import prepare
from lake.schema import ANOMALIES, EVENTS, SERIES, TABLES
from lake.views import METRICS_OF_NAMED_VIEW, OF_NAMED, VIEWS, identifier, queries_of, quote


def table(spec, rows):
    columns = [pa.array([row.get(f.name) for row in rows], f.type) for f in spec.schema]
    return pa.table(columns, schema=spec.schema)


@pytest.fixture
def series(noon):
    def build(**changes):
        row = {
            "cluster": "eu", "metric": "up", "series_id": 1, "pod": "a-0", "kind": "gauge",
            "labels": [("__name__", "up"), ("job", "node")], "first_seen": noon, "last_seen": noon,
        }  # fmt: skip
        return table(SERIES, [row | changes])

    return build


@pytest.fixture
def event(noon):
    def build(**changes):
        row = {"cluster": "eu", "time": noon, "source": "kubernetes", "uid": "u", "count": 1}
        return table(EVENTS, [row | changes])

    return build


@pytest.fixture
def anomaly(noon):
    def build(**changes):
        row = {
            "cluster": "eu", "anomaly_id": "a", "start": noon, "end": noon, "peak_time": noon,
            "score": 1.0, "detector": "d", "model_version": "1", "lake_version": 1,
            "state": "interim",
        }  # fmt: skip
        return table(ANOMALIES, [row | changes])

    return build


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_an_empty_lake_is_empty_and_typed(lake, view, make_samples, series, event):
    empty = lake.sql(f"SELECT * FROM {view}")
    lake.samples.append(make_samples())
    lake.series.append(series())
    lake.events.append(event(attributes=[("a", "b")]))
    assert empty.num_rows == 0
    assert empty.schema == lake.sql(f"SELECT * FROM {view}").schema


def test_empty_lakes_answer_aggregates_and_windows(lake):
    rows = lake.sql(
        "SELECT count(*) AS n, avg(value) AS mean, quantile_cont(value, 0.9) AS q FROM metrics"
    ).to_pylist()
    assert rows == [{"n": 0, "mean": None, "q": None}]


def test_series_has_one_row_a_series(lake, series, noon):
    later = noon + timedelta(days=2)
    lake.series.append(series(unit="s"))
    lake.series.append(series(kind="counter", help="text", last_seen=later))
    lake.series.append(series(series_id=2))
    first, second = lake.sql("SELECT * FROM series ORDER BY series_id").to_pylist()
    assert (first["kind"], first["unit"], first["help"]) == ("counter", "s", "text")
    assert (first["first_seen"], first["last_seen"]) == (noon, later)
    assert first["labels"] == [("__name__", "up"), ("job", "node")]
    assert second["series_id"] == 2


def test_first_seen_moves_back_when_older_samples_come(lake, series, noon):
    earlier = noon - timedelta(days=1)
    lake.series.append(series())
    lake.series.append(series(first_seen=earlier, last_seen=earlier, kind="unknown"))
    (row,) = lake.sql("SELECT first_seen, last_seen, kind FROM series").to_pylist()
    assert row == {"first_seen": earlier, "last_seen": noon, "kind": "gauge"}


def test_labels_are_reached_by_name(lake, series):
    lake.series.append(series())
    found = lake.sql("SELECT labels['job'] AS job, labels['none'] AS none FROM series").to_pylist()
    assert found == [{"job": "node", "none": None}]


def test_events_are_deduplicated_by_uid_and_count(lake, event, noon):
    for rows in (event(), event(), event(count=2), event(uid="v"), event(cluster="us")):
        lake.events.append(rows)
    lake.events.append(event(time=noon + timedelta(minutes=1)))
    found = lake.sql("SELECT cluster, uid, count FROM events ORDER BY ALL").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("eu", "u", 1), ("eu", "u", 1), ("eu", "u", 2), ("eu", "v", 1), ("us", "u", 1),
    ]  # fmt: skip


def test_anomalies_show_their_newest_state(lake, anomaly, noon):
    grown = noon + timedelta(minutes=5)
    lake.anomalies.append(anomaly(lake_version=9, end=grown, state="final", score=3.0))
    lake.anomalies.append(anomaly(lake_version=8, score=9.0))
    lake.anomalies.append(anomaly(lake_version=9, score=2.0))
    lake.anomalies.append(anomaly(anomaly_id="b"))
    found = lake.sql('SELECT anomaly_id, score, state, "end" FROM anomalies ORDER BY 1').to_pylist()
    assert found[0] == {"anomaly_id": "a", "score": 3.0, "state": "final", "end": grown}
    assert [row["anomaly_id"] for row in found] == ["a", "b"]


def test_metrics_join_samples_with_their_series_once(lake, series, make_samples, noon):
    for _ in range(2):
        lake.series.append(series(last_seen=noon))
    lake.series.append(series(cluster="us", pod="z-0"))
    lake.samples.append(make_samples([1, 2]))
    found = lake.sql("SELECT value, pod, labels['job'] AS job, kind FROM metrics ORDER BY value")
    assert found.to_pylist() == [
        {"value": 1.0, "pod": "a-0", "job": "node", "kind": "gauge"},
        {"value": 2.0, "pod": "a-0", "job": "node", "kind": "gauge"},
    ]


def test_replaced_files_with_maps_read_as_appended_ones(lake, event):
    lake.events.append(event(attributes=[("host", "n1")]))
    lake.events.append(event(uid="v", cluster="us", attributes=[("host", "n2")]))
    lake.events.replace(event(attributes=[("host", "n3")]), "cluster = 'eu'")
    found = lake.sql("SELECT attributes['host'] AS host FROM events ORDER BY 1").to_pylist()
    assert found == [{"host": "n2"}, {"host": "n3"}]


def test_every_table_has_a_view():
    assert set(TABLES) <= set(VIEWS)


@pytest.mark.parametrize("text", ["it's", "'; DROP TABLE x; --", "", "\\'", "a''b", '"'])
def test_quoted_text_and_names_come_back_whole(lake, text):
    assert lake.sql(f"SELECT {quote(text)} AS t").to_pylist() == [{"t": text}]
    name = text or "x"
    assert lake.sql(f"SELECT 1 AS {identifier(name)}").column_names == [name]


def test_series_of_one_number_in_two_clusters_and_metrics_stay_apart(lake, make_samples, series):
    of_three = [("eu", "up"), ("us", "up"), ("eu", "cpu")]
    for number, (cluster, metric) in enumerate(of_three):
        samples = make_samples([number], cluster=cluster, metric=metric, series_id=7)
        lake.samples.append(samples)
        about = {"cluster": cluster, "metric": metric, "series_id": 7, "pod": f"{cluster}-{metric}"}
        lake.series.append(series(**about))
    found = "SELECT pod, value FROM metrics WHERE {} ORDER BY value"
    expected = [{"pod": f"{c}-{m}", "value": float(n)} for n, (c, m) in enumerate(of_three)]
    assert lake.sql(found.format("true")).to_pylist() == expected
    assert lake.sql(found.format("metric IN ('cpu', 'up')")).to_pylist() == expected
    assert lake.sql(found.format("metric = 'up'")).to_pylist() == expected[:2]
    assert lake.sql(found.format("pod = 'eu-cpu'")).to_pylist() == expected[2:]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("FROM metrics WHERE metric = 'up'", True),
        ("FROM metrics WHERE metric IN ('up', 'cpu') AND pod = 'a'", True),
        ("FROM metrics WHERE metric LIKE 'cpu%'", True),
        (
            "FROM metrics a JOIN metrics b USING (time) WHERE a.metric = 'x' AND b.metric = 'y'",
            True,
        ),
        ("FROM metrics a JOIN metrics b USING (time) WHERE a.metric = 'x'", False),
        ("FROM metrics WHERE metric = 'up' OR pod = 'a'", False),
        ("FROM metrics WHERE metric > 'up'", False),
        ("FROM metrics WHERE pod = 'a'", False),
        ("FROM series WHERE metric = 'up'", False),
    ],
)
def test_a_query_that_names_its_metrics_joins_by_number(lake, sql, named):
    views = prepare(lake.snapshot(), sql).views
    assert (OF_NAMED in views) is named
    assert (queries_of(views).get("metrics") == METRICS_OF_NAMED_VIEW) is named
