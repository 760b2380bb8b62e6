"""A real OpenTelemetry SDK sends to a real server; the rows are what its instruments measured."""

import logging
from contextlib import ExitStack

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource

from api.app import create_app
from api.server import bind, serving
from orchestration.service import Service
from orchestration.settings import Settings

RESOURCE = Resource(
    {
        "service.name": "cart",
        "service.namespace": "shop",
        "service.instance.id": "cart-1",
        "k8s.cluster.name": "real-1",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "cart-7c9d8f6b54-x2v9k",
        "host.name": "node-1",
    }
)
DELTA = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    UpDownCounter: AggregationTemporality.CUMULATIVE,
}
VIEWS = [
    View(instrument_name="latency", aggregation=ExplicitBucketHistogramAggregation([0.1, 1.0])),
    View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation()),
]


class Server:
    """A server, and what its lake holds after a flush."""

    def __init__(self, url, service):
        self.url, self._service = url, service

    def rows(self, query):
        self._service.receiver.flush()
        return [tuple(row.values()) for row in self._service.lake.sql(query).to_pylist()]

    def last(self, metric, label="''"):
        """The newest value of each series of a metric, by one of its labels."""
        query = f"""
            SELECT {label} AS label, arg_max(value, time) AS value
            FROM samples JOIN series USING (cluster, metric, series_id)
            WHERE metric = '{metric}' GROUP BY ALL ORDER BY value
        """
        return self.rows(query)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    service = Service.build(Settings(data_dir=tmp_path, ingest={"max_age": None}))
    with serving(create_app(service, run_worker=False), bind("127.0.0.1", 0)) as url:
        yield Server(url, service)


@pytest.fixture
def meters(server):
    """Providers of meters; each ends with the test."""
    with ExitStack() as ends:

        def build(temporality=None, path="/v1/metrics"):
            exporter = OTLPMetricExporter(
                server.url + path,
                preferred_temporality=temporality,
                compression=Compression.Gzip,
                timeout=60,
            )
            reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
            provider = MeterProvider([reader], RESOURCE, views=VIEWS)
            ends.callback(provider.shutdown)
            return provider

        yield build


@pytest.mark.parametrize("temporality", [None, DELTA], ids=["cumulative", "delta"])
def test_what_instruments_measure_is_in_the_lake(server, meters, temporality, caplog):
    provider = meters(temporality)
    meter = provider.get_meter("shop.cart", "1.2")
    orders = meter.create_counter("orders", "{order}", "Orders placed")
    queue = meter.create_up_down_counter("queue.length")
    load = meter.create_gauge("load", "1")
    latency = meter.create_histogram("latency", "s")
    size = meter.create_histogram("size", "By")
    with caplog.at_level(logging.WARNING):
        for number in (1, 2, 3):
            orders.add(number, {"http.method": "GET"})
            orders.add(1, {"http.method": "POST"})
            queue.add(5 - 2 * number)
            load.set(number / 4)
            for seconds in (0.05, 0.5, 5.0):
                latency.record(seconds)
            size.record(100 * number)
            assert provider.force_flush()
    assert [record.getMessage() for record in caplog.records] == []

    def le(metric):
        return server.last(metric, "labels['le']")

    assert server.last("orders_total", "labels['http_method']") == [("POST", 3.0), ("GET", 6.0)]
    assert server.last("queue_length") == [("", 3.0)]
    assert server.last("load_ratio") == [("", 0.75)]
    assert le("latency_seconds_bucket") == [("0.1", 3.0), ("1", 6.0), ("+Inf", 9.0)]
    assert server.last("latency_seconds_sum") == [("", pytest.approx(16.65))]
    assert server.last("latency_seconds_count") == [("", 9.0)]
    assert server.last("size_bytes_sum") == [("", 600.0)]
    # The scale falls as the range grows, but the bounds stay those of eight buckets a doubling.
    sizes = [(float(bound), count) for bound, count in le("size_bytes_bucket") if bound != "+Inf"]
    for measured, (bound, count) in zip((100, 200, 300), sizes, strict=True):
        assert measured <= bound <= measured * 2 ** (1 / 8)
        assert count == measured / 100
    assert server.rows(
        "SELECT DISTINCT cluster, namespace, pod, workload, job, instance FROM series "
        "WHERE metric = 'orders_total'"
    ) == [("real-1", "shop", "cart-7c9d8f6b54-x2v9k", "cart", "shop/cart", "cart-1")]
    assert server.rows("SELECT DISTINCT kind, help FROM series WHERE metric = 'orders_total'") == [
        ("counter", "Orders placed")
    ]
    scope = "labels['otel_scope_name'] || ' ' || labels['otel_scope_version']"
    assert server.last("load_ratio", scope) == [("shop.cart 1.2", 0.75)]
    assert server.last("target_info", "labels['host_name']") == [("node-1", 1.0)]
    assert server.rows("SELECT count(*) - count(DISTINCT (series_id, time)) FROM samples") == [(0,)]


def test_prometheus_path_is_the_same(server, meters):
    provider = meters(path="/api/v1/otlp/v1/metrics")
    provider.get_meter("m").create_counter("n").add(1)
    assert provider.force_flush()
    assert server.last("n_total") == [("", 1.0)]


def test_logs_are_events(server):
    provider = LoggerProvider(RESOURCE)
    exporter = OTLPLogExporter(server.url + "/v1/logs", compression=Compression.Gzip, timeout=60)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("shop.cart")
    logger.emit(
        timestamp=1_700_000_000_123_456_789,
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body="payment failed",
        attributes={"exception.type": "TimeoutError", "order": 7},
    )
    logger.emit(timestamp=1_700_000_001_000_000_000, body={"a": [1, 2]}, event_name="order.placed")
    provider.shutdown()
    columns = "cluster, source, type, reason, kind, namespace, name, message"
    about = ("Pod", "shop", "cart-7c9d8f6b54-x2v9k")
    assert server.rows(f"SELECT {columns} FROM events ORDER BY time") == [
        ("real-1", "log", "Warning", "TimeoutError", *about, "payment failed"),
        ("real-1", "log", None, "order.placed", *about, '{"a":[1,2]}'),
    ]
    assert server.rows("SELECT epoch_us(time) FROM events ORDER BY time LIMIT 1") == [
        (1_700_000_000_123_456,)
    ]
    assert server.rows("SELECT attributes['order'] FROM events ORDER BY time LIMIT 1") == [("7",)]
