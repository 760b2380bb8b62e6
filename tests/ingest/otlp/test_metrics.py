"""Each kind of metric, by the rules of the compatibility specification."""

import math
import struct

import pytest

from ingest.remote_write.decode import STALE_NAN_BITS


def is_stale(value):
    return struct.pack("<d", value) == struct.pack("<Q", STALE_NAN_BITS)


def test_gauge(translate, request_of, gauge, point):
    told = translate(request_of(gauge("g", point(value=1), point(120, value=2.5))))
    assert told.samples == {"g": [1.0, 2.5]}
    assert [sample.timestamp for sample in told.request.timeseries[0].samples] == [
        1_700_000_060_000,
        1_700_000_120_000,
    ]


def test_cumulative_sums(translate, request_of, total, point):
    grows = total("work.done", point(value=1.5), unit="s", description="Work done")
    falls = total("queue.size", point(value=-3), falls=True, unit="{item}")
    told = translate(request_of(grows, falls))
    assert told.samples == {"work_done_seconds_total": [1.5], "queue_size": [-3.0]}
    assert told.kinds == {
        "work_done_seconds_total": (1, "Work done", "seconds"),
        "queue_size": (2, "", ""),
    }


def test_histogram(translate, request_of, histogram, point):
    one = point(count=6, sum=8.5, explicitBounds=[0.1, 1, 10], bucketCounts=[1, 2, 0, 3])
    told = translate(request_of(histogram("latency", one, unit="s")))
    assert told.samples == {
        "latency_seconds_bucket{le=0.1}": [1.0],
        "latency_seconds_bucket{le=1}": [3.0],
        "latency_seconds_bucket{le=10}": [3.0],
        "latency_seconds_bucket{le=+Inf}": [6.0],
        "latency_seconds_sum": [8.5],
        "latency_seconds_count": [6.0],
    }
    assert told.kinds == {"latency_seconds": (3, "", "seconds")}


def test_histogram_without_sum_or_buckets(translate, request_of, histogram, point):
    told = translate(request_of(histogram("h", point(count=6))))
    assert told.samples == {"h_bucket{le=+Inf}": [6.0], "h_count": [6.0]}


def test_exponential_histogram(translate, request_of, histogram, point):
    one = point(
        count=10,
        sum=3.0,
        scale=0,
        zeroCount=2,
        positive={"offset": -1, "bucketCounts": [1, 0, 3]},
        negative={"offset": 1, "bucketCounts": [4]},
    )
    told = translate(request_of(histogram("h", one, kind="exponentialHistogram")))
    # Positive bucket i is (2^i, 2^(i+1)]; the negative one [-4, -2) ends at -2.
    assert told.samples == {
        "h_bucket{le=-2}": [4.0],
        "h_bucket{le=0}": [6.0],
        "h_bucket{le=1}": [7.0],
        "h_bucket{le=4}": [10.0],
        "h_bucket{le=+Inf}": [10.0],
        "h_sum": [3.0],
        "h_count": [10.0],
    }
    assert told.kinds == {"h": (3, "", "")}


def test_summary(translate, request_of, point):
    quantiles = [{"quantile": 0.5, "value": 1.5}, {"quantile": 1, "value": 9}]
    one = point(count=7, sum=12.5, quantileValues=quantiles)
    told = translate(request_of({"name": "rpc", "unit": "ms", "summary": {"dataPoints": [one]}}))
    assert told.samples == {
        "rpc_milliseconds{quantile=0.5}": [1.5],
        "rpc_milliseconds{quantile=1}": [9.0],
        "rpc_milliseconds_sum": [12.5],
        "rpc_milliseconds_count": [7.0],
    }
    assert told.kinds == {"rpc_milliseconds": (5, "", "milliseconds")}


def test_no_recorded_value_ends_the_series(translate, request_of, gauge, histogram, point):
    gone = histogram("h", point(flags=1, explicitBounds=[1], bucketCounts=[0, 0], sum=0))
    told = translate(request_of(gauge("g", point(flags=1)), gone))
    assert set(told.samples) == {
        "g",
        "h_bucket{le=1}",
        "h_bucket{le=+Inf}",
        "h_sum",
        "h_count",
    }
    assert all(is_stale(value) for values in told.samples.values() for value in values)
    assert told.refused == 0


def test_nan_is_a_value(translate, request_of, gauge, point):
    told = translate(request_of(gauge("g", point(value=None, asDouble="NaN"))))
    assert math.isnan(told.samples["g"][0])
    assert not is_stale(told.samples["g"][0])


def test_prometheus_type_is_kept(translate, request_of, gauge, total, point, attributes):
    def was(kind):
        return {"metadata": attributes({"prometheus.type": kind})}

    told = translate(
        request_of(
            gauge("a", point(value=1), **was("unknown")),
            total("b", point(value=1), falls=True, **was("info")),
            total("c", point(value=1), falls=True, **was("stateset")),
        )
    )
    assert {name: kind for name, (kind, _, _) in told.kinds.items()} == {"a": 0, "b": 6, "c": 7}


def test_exemplars_are_dropped_and_counted(translate, request_of, total, point):
    exemplar = {"asInt": 1, "timeUnixNano": "1", "traceId": "AAAA"}
    told = translate(request_of(total("t", point(value=1, exemplars=[exemplar] * 3))))
    assert told.samples == {"t_total": [1.0]}
    assert sum(len(one.exemplars) for one in told.request.timeseries) == 3


@pytest.mark.parametrize(
    ("metric", "rule"),
    [
        ({"name": "m", "gauge": {"dataPoints": [{"asInt": 1}]}}, "it has no time"),
        ({"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": "9000000"}]}}, "it has no value"),
        ({"name": "%", "gauge": {"dataPoints": [{"asInt": 1}]}}, "no letter or digit"),
        (
            {"name": "m", "sum": {"dataPoints": [{"timeUnixNano": "1", "asInt": 1}]}},
            "cumulative or a delta",
        ),
        (
            {
                "name": "m",
                "sum": {
                    "aggregationTemporality": 1,
                    "dataPoints": [{"timeUnixNano": "1", "asInt": 1}],
                },
            },
            "nothing says from where it began",
        ),
    ],
)
def test_a_point_that_is_refused_names_metric_and_rule(
    translate, request_of, gauge, point, metric, rule
):
    told = translate(request_of(metric, gauge("good", point(value=1))))
    assert told.samples == {"good": [1.0]}
    assert (told.refused, told.points) == (1, 2)
    assert told.message.startswith(f"metric '{metric['name']}': ")
    assert rule in told.message


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"explicitBounds": [1, 2], "bucketCounts": [1, 2]}, "2 bucket counts for 2 bounds"),
        ({"explicitBounds": [2, 1], "bucketCounts": [1, 2, 3]}, "do not rise"),
        ({"explicitBounds": [1, 1], "bucketCounts": [1, 2, 3]}, "do not rise"),
        ({"explicitBounds": ["NaN"], "bucketCounts": [1, 2]}, "not finite"),
        (
            {"explicitBounds": [1, 2], "bucketCounts": [1, 2, 4]},
            "hold 7 measurements, but it counts 6",
        ),
        ({"explicitBounds": list(range(3000)), "bucketCounts": [0] * 3001}, "at most 2048"),
    ],
)
def test_buckets_that_do_not_fit(translate, request_of, histogram, point, broken, rule):
    told = translate(request_of(histogram("h", point(count=6, **broken))))
    assert (told.samples, told.refused) == ({}, 1)
    assert rule in told.message


def test_points_that_differ_in_nothing_are_told(translate, request_of, gauge, point):
    twice = gauge("g", point(value=1), point(value=2), point(value=1))
    told = translate(request_of(twice))
    assert told.samples == {"g": [1.0]}
    assert told.refused == 1
    assert "differ in nothing" in told.message


def test_a_request_of_nothing_has_no_body(translate, request_of):
    told = translate(request_of({"name": "no data"}))
    assert (told.samples, told.points, told.refused) == ({}, 0, 0)


def test_target_info_is_at_the_latest_time(translate, request_of, gauge, point):
    resource = {"service.name": "cart", "host.name": "h"}
    told = translate(request_of(gauge("g", point(60, 1), point(120, 2)), resource=resource))
    assert told.samples["target_info{host_name=h,job=cart}"] == [1.0]
    assert told.kinds["target_info"] == (6, "Target metadata", "")


def test_a_target_info_of_the_sender_stays(translate, request_of, gauge, point):
    resource = {"service.name": "cart", "host.name": "h"}
    own = gauge("target.info", point(60, 2, attributes={"host.name": "h"}))
    told = translate(request_of(own, resource=resource))
    assert told.samples == {"target_info{host_name=h,job=cart}": [2.0]}
    assert told.refused == 0


def test_an_unusable_name_of_a_scope_attribute_is_no_reason_to_refuse(
    translate, request_of, gauge, point, attributes
):
    scope = {"name": "m", "attributes": attributes({"ようこそ": "x"})}
    told = translate(request_of(gauge("g", point(value=1)), scope=scope))
    assert told.samples == {"g{otel_scope_____=x,otel_scope_name=m}": [1.0]}
