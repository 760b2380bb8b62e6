"""Deltas become totals, through translations that follow each other."""

import pytest

from ingest.otlp.limits import Limits


def test_deltas_of_a_sum_are_added(translate, request_of, total, point):
    def send(*points):
        return translate(request_of(total("work", *points, delta=True)))

    assert send(point(60, 5, start=0)).samples == {"work_total": [0.0, 5.0]}
    assert send(point(120, 7, start=60), point(180, 1.5, start=120)).samples == {
        "work_total": [12.0, 13.5]
    }
    assert send(point(300, 1, start=240)).samples == {"work_total": [14.5]}
    assert send(point(360, 1, start=None)).samples == {"work_total": [15.5]}


def test_each_series_has_its_own_total(translate, request_of, total, point):
    def send(at, start, **values):
        points = [point(at, n, start=start, attributes={"k": k}) for k, n in values.items()]
        return translate(request_of(total("t", *points, delta=True))).samples

    assert send(60, 0, a=1, b=10) == {"t_total{k=a}": [0.0, 1.0], "t_total{k=b}": [0.0, 10.0]}
    assert send(120, 60, a=2, b=20) == {"t_total{k=a}": [3.0], "t_total{k=b}": [30.0]}


def test_each_cluster_has_its_own_total(translate, request_of, total, point):
    request = request_of(total("t", point(60, 5, start=0), delta=True))
    assert translate(request, "eu").samples == {"t_total": [0.0, 5.0]}
    assert translate(request, "us").samples == {"t_total": [0.0, 5.0]}


@pytest.mark.parametrize(
    ("start", "end", "rule"),
    [(0, 60, "late or twice"), (0, 30, "late or twice"), (30, 90, "two senders")],
)
def test_what_is_added_already_is_refused(translate, request_of, total, point, start, end, rule):
    translate(request_of(total("t", point(60, 5, start=0), delta=True)))
    told = translate(request_of(total("t", point(end, 1, start=start), delta=True)))
    assert (told.samples, told.refused) == ({}, 1)
    assert rule in told.message
    after = translate(request_of(total("t", point(120, 1, start=60), delta=True)))
    assert after.samples == {"t_total": [6.0]}


@pytest.mark.parametrize(
    ("value", "rule"), [(-1, "only grows"), ("NaN", "nan"), ("Infinity", "inf")]
)
def test_what_cannot_be_added_is_refused(translate, request_of, total, point, value, rule):
    told = translate(request_of(total("t", point(60, asDouble=value), delta=True)))
    assert (told.samples, told.refused) == ({}, 1)
    assert rule in told.message


def test_deltas_of_a_histogram(translate, request_of, histogram, point):
    def send(at, start, counts, bounds=(1, 2)):
        one = point(at, start=start, count=sum(counts), sum=float(sum(counts)))
        one |= {"explicitBounds": list(bounds), "bucketCounts": counts}
        return translate(request_of(histogram("h", one, delta=True))).samples

    send(60, 0, [1, 1, 1])
    assert send(120, 60, [0, 2, 0]) == {
        "h_bucket{le=1}": [1.0],
        "h_bucket{le=2}": [4.0],
        "h_bucket{le=+Inf}": [5.0],
        "h_sum": [5.0],
        "h_count": [5.0],
    }
    # Other bounds: what was counted before cannot be told apart by them, so it begins anew.
    assert send(180, 120, [1, 0], bounds=(5,))["h_bucket{le=+Inf}"] == [0.0, 1.0]


def test_deltas_of_an_exponential_histogram_at_falling_scales(
    translate, request_of, histogram, point
):
    def send(at, start, scale, offset, counts):
        one = point(at, start=start, count=sum(counts), scale=scale)
        one |= {"positive": {"offset": offset, "bucketCounts": counts}}
        metric = histogram("h", one, delta=True, kind="exponentialHistogram")
        return translate(request_of(metric)).samples

    assert send(60, 0, 1, 1, [3])["h_bucket{le=2}"] == [0.0, 3.0]
    assert send(120, 60, 0, 0, [1, 4]) == {
        "h_bucket{le=2}": [4.0],
        "h_bucket{le=4}": [8.0],
        "h_bucket{le=+Inf}": [8.0],
        "h_count": [8.0],
    }


def test_no_recorded_value_leaves_the_total_alone(translate, request_of, total, point):
    translate(request_of(total("t", point(60, 5, start=0), delta=True)))
    translate(request_of(total("t", point(90, start=60, flags=1), delta=True)))
    after = translate(request_of(total("t", point(120, 1, start=60), delta=True)))
    assert after.samples == {"t_total": [6.0]}


def test_a_total_begins_with_a_0_just_after_its_start(translate, request_of, total, point):
    told = translate(request_of(total("t", point(60, 5, start=0), delta=True)))
    samples = sorted((s.timestamp, s.value) for s in told.request.timeseries[0].samples)
    start_ms = 1_700_000_000_000
    assert samples == [(start_ms + 1, 0.0), (start_ms + 60_000, 5.0)]


@pytest.mark.parametrize("start", [None, 0, 3_599 + 60, 60 + 3_659])
def test_no_0_where_a_start_is_unknown_long_ago_or_not_before(
    translate, request_of, total, point, start
):
    at = 3_600 + 60
    expected = [0.0, 5.0] if start == 3_659 else [5.0]
    one = request_of(total("t", point(at, 5, start=start), delta=True))
    assert translate(one).samples == {"t_total": expected}


def test_what_the_body_refuses_is_not_added(translate, request_of, total, point):
    limits = Limits(labels=3)
    translate(request_of(total("t", point(60, 5, start=0), delta=True)))
    two = request_of(total("t", point(120, 7, start=60), point(120, 9, start=60), delta=True))
    assert translate(two).refused == 1
    many = point(60, 1, start=0, attributes={"a": 1, "b": 2, "c": 3})
    told = translate(request_of(total("t", many, delta=True)), limits=limits)
    assert (told.refused, "4 attributes or labels" in told.message) == (1, True)
    told = translate(request_of(total("t", many, delta=True)))
    assert told.samples == {"t_total{a=1,b=2,c=3}": [0.0, 1.0]}


def test_a_time_that_the_receiver_refuses_is_not_added(translate, request_of, total, point):
    limits = Limits(latest_ms=1_700_000_100_000)
    translate(request_of(total("t", point(60, 5, start=0), delta=True)), limits=limits)
    told = translate(request_of(total("t", point(10**6, 9, start=60), delta=True)), limits=limits)
    assert (told.refused, "clock" in told.message) == (1, True)
    told = translate(request_of(total("t", point(90, 1, start=60), delta=True)), limits=limits)
    assert told.samples == {"t_total": [6.0]}
