"""Listings: filters, and pages that neither repeat nor skip while rows arrive."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from ingest import events as event_wire
from lake import TimeRange
from orchestration.errors import FilterError, NotFoundError
from orchestration.steps import anomaly_rows, browse, paging
from orchestration.steps.browse import Filter

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = TimeRange(START - timedelta(hours=12), START + timedelta(hours=12))


def anomaly(name, start=0, end=None, **changes):
    plain = {
        "cluster": "c1",
        "anomaly_id": name,
        "series_id": 1,
        "metric": "up",
        "namespace": "shop",
        "start": START + start * MINUTE,
        "end": START + (start + 5 if end is None else end) * MINUTE,
        "peak_time": START + start * MINUTE,
        "score": 2.0,
        "detector": "window_memory",
        "model_version": "m1",
        "lake_version": 1,
        "state": "final",
    }
    return plain | changes


def event(name, start=0, **changes):
    plain = {"source": "change", "reason": "Deploy", "uid": name, "namespace": "shop"}
    moment = (START + start * MINUTE).isoformat()
    return plain | {"time": moment, "cluster": "c1"} | changes


@pytest.fixture
def put(lake):
    def append(*rows):
        if "anomaly_id" in rows[0]:
            lake.anomalies.append(anomaly_rows.table(list(rows)))
        else:
            body = json.dumps(rows).encode()
            lake.events.append(event_wire.parse(body, None, latest=DAY.end))

    return append


ANOMALIES = [
    anomaly("a", 0),
    anomaly("b", 10, cluster="c2"),
    anomaly("c", 20, namespace="other", score=1.2),
    anomaly("d", 30, metric="node_load1", namespace=None),
    anomaly("e", 30, 90, score=9.0),
]

ANOMALY_FILTERS = {
    "everything, latest first, ids break ties": ({}, "edcba"),
    "a cluster": ({"clusters": ["c2"]}, "b"),
    "two clusters": ({"clusters": ["c2", "c1"]}, "edcba"),
    "a cluster that is not": ({"clusters": ["c3"]}, ""),
    "a namespace": ({"namespace": "shop"}, "eba"),
    "a metric": ({"metric": "node_load1"}, "d"),
    "a score": ({"min_score": 2.0}, "edba"),
    "what overlaps the range": (
        {"between": TimeRange(START + 24 * MINUTE, START + 31 * MINUTE)},
        "edc",
    ),
    "the range's end is not in it": ({"between": TimeRange(START - MINUTE, START)}, ""),
    "nor an interval's": (
        {"between": TimeRange(START + 90 * MINUTE, START + 99 * MINUTE)},
        "",
    ),
    "all at once": ({"clusters": ["c1"], "namespace": "other", "min_score": 1.0}, "c"),
    "quotes are text": ({"namespace": "' OR 1=1 --"}, ""),
}


@pytest.mark.parametrize(("filters", "expected"), ANOMALY_FILTERS.values(), ids=ANOMALY_FILTERS)
def test_anomalies(lake, put, filters, expected):
    put(*ANOMALIES)
    page = browse.anomalies(lake, Filter(**({"between": DAY} | filters)))
    assert "".join(row["anomaly_id"] for row in page.rows) == expected
    assert page.next_cursor is None
    assert page.versions["anomalies"] == lake.anomalies.version()


EVENTS = [
    event("a", 0),
    event("b", 10, cluster="c2"),
    event("c", 20, namespace="other", source="opa", reason="Denied"),
    event("d", 30, attributes={"who": "me"}),
]

EVENT_FILTERS = {
    "everything, latest first": ({}, "dcba"),
    "a cluster": ({"clusters": ["c2"]}, "b"),
    "a namespace": ({"namespace": "shop"}, "dba"),
    "a source": ({"source": "opa"}, "c"),
    "a reason": ({"reason": "Deploy"}, "dba"),
    "the range": ({"between": TimeRange(START, START + 20 * MINUTE)}, "ba"),
}


@pytest.mark.parametrize(("filters", "expected"), EVENT_FILTERS.values(), ids=EVENT_FILTERS)
def test_events(lake, put, filters, expected):
    put(*EVENTS)
    page = browse.events(lake, Filter(**({"between": DAY} | filters)))
    assert "".join(row["uid"] for row in page.rows) == expected
    for row in page.rows:
        assert row["attributes"] == ({"who": "me"} if row["uid"] == "d" else {})


def walk(read, between_pages, limit):
    names, cursor = [], None
    for number in range(100):
        page = read(limit, cursor)
        names += [row.get("anomaly_id") or row["uid"] for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return names
        assert len(page.rows) == limit
        between_pages(number)
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 3, 7, 12, 13])
@pytest.mark.parametrize(("make", "listing"), [(anomaly, browse.anomalies), (event, browse.events)])
def test_pages_repeat_and_skip_nothing_while_rows_arrive(lake, put, make, listing, limit):
    # Three at each time, so that pages end between rows of one time.
    rows = [make(f"{start:02}{name}", start) for start in range(0, 40, 10) for name in "xyz"]
    put(*rows)

    def newer_and_older(number):
        put(make(f"n{number}", 100 + number))

    names = walk(
        lambda size, cursor: listing(lake, Filter(DAY), size, cursor), newer_and_older, limit
    )
    assert names == sorted((f"{s:02}{n}" for s in range(0, 40, 10) for n in "xyz"), reverse=True)


def test_a_growing_interval_is_on_one_page(lake, put):
    put(*[anomaly(name, 10 * number, 90) for number, name in enumerate("abcd")])

    def grow(number):
        put(anomaly("b", 10, 95 + number, score=9.0, lake_version=2 + number))

    names = walk(lambda size, cursor: browse.anomalies(lake, Filter(DAY), size, cursor), grow, 1)
    assert names == ["d", "c", "b", "a"]


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD_CURSORS = [
    "",
    "x",
    "%%%",
    "ünïcode",
    "A" * 10_000,
    encoded([]),
    encoded([1]),
    encoded([1, "a", 2]),
    encoded({"a": 1}),
    encoded(None),
    encoded(["soon", "a"]),
    encoded([10**30, "a"]),
    encoded([-(10**30), "a"]),
    encoded([None, "a"]),
    encoded([1, "\ud800"]),
    encoded([float("inf"), "a"]),
    encoded([float("nan"), "a"]),
    base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
]


@pytest.mark.parametrize("cursor", BAD_CURSORS, ids=range(len(BAD_CURSORS)))
@pytest.mark.parametrize("listing", [browse.anomalies, browse.events])
def test_a_cursor_that_no_listing_gave_is_refused(lake, listing, cursor):
    with pytest.raises(FilterError, match="cursor") as refused:
        listing(lake, Filter(DAY), 10, cursor)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("limit", [0, -1, paging.MAX_PAGE + 1])
@pytest.mark.parametrize("listing", [browse.anomalies, browse.events])
def test_a_limit_out_of_range_is_refused(lake, listing, limit):
    with pytest.raises(FilterError, match=str(limit)):
        listing(lake, Filter(DAY), limit)


def test_one_anomaly(lake, put):
    put(*ANOMALIES)
    row = browse.anomaly(lake, "c")
    assert (row["anomaly_id"], row["start"]) == ("c", START + 20 * MINUTE)
    assert row["start"].tzinfo is UTC
    assert "date" not in row
    with pytest.raises(NotFoundError, match="'z'"):
        browse.anomaly(lake, "z")


def test_clusters(lake, fill, put):
    labels = [
        {"__name__": "up", "cluster": "a", "node": "n1", "namespace": "x", "pod": "web-0"},
        {"__name__": "up", "cluster": "a", "node": "n2", "namespace": "y", "pod": "web-0"},
        {"__name__": "up", "cluster": "b"},
    ]
    now = round(START.timestamp() * 1000)
    old = now - 3 * 86_400_000
    fill(lake, labels, [[now - 60_000, now - 30_000], [now - 90_000], [old]], [[1, 1], [1], [1]])
    put(anomaly("x", cluster="a", state="interim"), anomaly("y", -60, cluster="a"))
    a, b = browse.clusters(lake, START)
    assert a["cluster"] == "a"
    assert (a["series"], a["nodes"], a["namespaces"], a["workloads"]) == (2, 2, 2, 2)
    assert (a["samples"], a["anomalies"], a["open_anomalies"]) == (3, 2, 1)
    assert a["last_sample"] == START - timedelta(seconds=30)
    assert a["freshness_seconds"] == 30.0
    assert (b["cluster"], b["series"], b["nodes"], b["samples"]) == ("b", 1, 0, 0)
    assert (b["anomalies"], b["open_anomalies"]) == (0, 0)
    assert b["freshness_seconds"] == pytest.approx(3 * 86_400)


def test_a_clock_that_is_behind_gives_no_negative_age(lake, fill):
    fill(lake, [{"__name__": "up"}], [[round(START.timestamp() * 1000)]], [[1.0]])
    (row,) = browse.clusters(lake, START - MINUTE)
    assert row["freshness_seconds"] == 0.0


def test_an_empty_lake_lists_nothing(lake):
    assert browse.clusters(lake, START) == []
    assert browse.density(lake, DAY, timedelta(hours=1)) == []
    assert browse.anomalies(lake, Filter(DAY)).rows == []
    assert browse.events(lake, Filter(DAY)).rows == []


def test_density(lake, put):
    put(
        anomaly("a", 0, 30, score=2.0),
        anomaly("b", 10, 130, score=5.0),
        anomaly("c", 10, 20, cluster="c2"),
        anomaly("d", -2000, -1900),
    )
    rows = browse.density(lake, TimeRange(START, START + timedelta(hours=3)), timedelta(hours=1))
    found = [
        (r["cluster"], (r["at"] - START) // timedelta(hours=1), r["anomalies"], r["score"])
        for r in rows
    ]
    assert found == [
        ("c1", 0, 2, 5.0),
        ("c1", 1, 1, 5.0),
        ("c1", 2, 1, 5.0),
        ("c2", 0, 1, 2.0),
    ]
