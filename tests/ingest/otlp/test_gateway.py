"""From the body to the lake, failures and repeats included."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ingest.errors import (
    BodyTooLargeError,
    ClusterForbiddenError,
    ClusterMissingError,
    LogError,
    MalformedBodyError,
    TooManyEntriesError,
)
from ingest.otlp.gateway import Gateway
from ingest.otlp.wire import PROTOBUF
from ingest.outcome import Refusal, Written, settled
from ingest.sender import ANYONE, Sender

EU = Sender("eu")


@pytest.fixture
def receiver(open_receiver):
    return open_receiver(max_age=None)


@pytest.fixture
def gateway(receiver, noon):
    return Gateway(receiver, lambda: noon)


@pytest.fixture
def send(gateway):
    """Hands in metrics; gives what was refused and why."""

    def of(request, sender=EU):
        reply = gateway.write_metrics(request.SerializeToString(), PROTOBUF, sender).result()
        return reply.partial_success.rejected_data_points, reply.partial_success.error_message

    return of


@pytest.fixture
def deltas(request_of, total, point):
    return lambda at, start, value: request_of(
        total("t", point(at, value, start=start), delta=True)
    )


class Fails:
    """`os.fsync` that fails while it is told to."""

    def __init__(self):
        self.failing, self._fsync = False, os.fsync

    def __call__(self, descriptor):
        if self.failing:
            raise OSError(28, "No space left on device")
        return self._fsync(descriptor)


@pytest.fixture
def disk(monkeypatch):
    fails = Fails()
    monkeypatch.setattr(os, "fsync", fails)
    return fails


def test_metrics_reach_the_lake(send, receiver, lake, request_of, gauge, point):
    resource = {"k8s.cluster.name": "us", "k8s.pod.name": "cart-0", "service.name": "cart"}
    metric = gauge("load", point(value=1.5), unit="1", description="Load")
    assert send(request_of(metric, resource=resource), ANYONE) == (0, "")
    receiver.flush()
    rows = lake.sql(
        "SELECT cluster, metric, pod, workload, job, kind, value FROM metrics"
    ).to_pylist()
    assert lake.sql("SELECT help FROM series").to_pylist() == [{"help": "Load"}]
    assert rows == [
        {
            "cluster": "us",
            "metric": "load_ratio",
            "pod": "cart-0",
            "workload": "cart",
            "job": "cart",
            "kind": "gauge",
            "value": 1.5,
        }
    ]


def test_the_sender_names_the_cluster_of_what_names_none(
    send, receiver, lake, request_of, gauge, point
):
    send(request_of(gauge("g", point(value=1))))
    receiver.flush()
    assert lake.sql("SELECT cluster FROM samples").to_pylist() == [{"cluster": "eu"}]


def test_nobody_names_the_cluster(send, request_of, gauge, point):
    with pytest.raises(ClusterMissingError):
        send(request_of(gauge("g", point(value=1))), ANYONE)


def test_garbage(gateway):
    with pytest.raises(MalformedBodyError):
        gateway.write_metrics(b"\xff", PROTOBUF, EU)
    with pytest.raises(MalformedBodyError):
        gateway.write_logs(b"\xff", PROTOBUF, EU)


def test_a_part_that_is_refused_is_told(send, receiver, stored, request_of, gauge, point):
    refused, rule = send(request_of(gauge("g", point(value=1), point(90))))
    assert (refused, rule) == (1, "metric 'g': it has no value")
    assert receiver.statistics.refused == {("eu", "otlp"): 1}
    receiver.flush()
    assert stored() == [1.0]


def test_what_the_receiver_refuses_is_added(
    gateway, receiver, monkeypatch, request_of, histogram, point, gauge, logs_of
):
    written = settled(Written(refusal=Refusal(7, 429, "too many series")))
    monkeypatch.setattr(receiver, "write_samples", lambda *_, **__: written)
    monkeypatch.setattr(receiver, "write_events", lambda *_, **__: written)
    request = request_of(histogram("h", point(count=1)), gauge("g", point()))
    reply = gateway.write_metrics(request.SerializeToString(), PROTOBUF, EU).result()
    assert reply.partial_success.rejected_data_points == 2
    assert reply.partial_success.error_message == "metric 'g': it has no value; too many series"
    request = logs_of({"timeUnixNano": "1"}, {})
    reply = gateway.write_logs(request.SerializeToString(), PROTOBUF, EU).result()
    assert reply.partial_success.rejected_log_records == 8


def test_a_request_of_nothing(send, gateway, receiver, request_of):
    assert send(request_of()) == (0, "")
    assert gateway.write_logs(b"", PROTOBUF, EU).result().ByteSize() == 0
    assert receiver.log_bytes() == 0


def test_deltas_that_could_not_be_written_are_added_once(send, receiver, stored, disk, deltas):
    assert send(deltas(60, 0, 5)) == (0, "")
    disk.failing = True
    for _ in range(2):
        with pytest.raises(LogError):
            send(deltas(120, 60, 7))
    disk.failing = False
    assert send(deltas(120, 60, 7)) == (0, "")
    assert send(deltas(180, 120, 1)) == (0, "")
    receiver.flush()
    assert stored() == [0.0, 5.0, 12.0, 13.0]


def test_deltas_that_are_sent_again_get_the_same_answer(send, receiver, stored, deltas):
    assert [send(deltas(60, 0, 5)) for _ in range(3)] == [(0, "")] * 3
    receiver.flush()
    assert stored() == [0.0, 5.0]


def test_deltas_that_come_twice_at_a_time_are_added_once(send, receiver, stored, deltas):
    with ThreadPoolExecutor(8) as threads:
        for step in range(10):
            request = deltas(60 * step + 60, 60 * step, 1)
            answers = list(threads.map(send, [request] * 8))
            assert answers == [(0, "")] * 8
    receiver.flush()
    assert stored() == [float(n) for n in range(11)]


def test_logs_reach_the_lake_and_repeats_do_not(gateway, receiver, lake, logs_of):
    record = {"timeUnixNano": "1700000000000000000", "body": {"stringValue": "it broke"}}
    body = logs_of(record, record).SerializeToString()
    for _ in range(2):
        assert gateway.write_logs(body, PROTOBUF, EU).result().ByteSize() == 0
    receiver.flush()
    rows = lake.sql("SELECT cluster, source, message, uid FROM events").to_pylist()
    assert len({row.pop("uid") for row in rows}) == 2
    assert rows == [{"cluster": "eu", "source": "log", "message": "it broke"}] * 2


def test_one_wrong_clock_takes_no_other_log_with_it(open_receiver, lake, noon, logs_of):
    receiver = open_receiver(max_age=timedelta(days=31))
    gateway = Gateway(receiver, lambda: noon)
    days = [noon + timedelta(days=n) for n in (0, -31, -32, 1)]
    times = [*(str(int(day.timestamp()) * 10**9) for day in days), str(2**64 - 1)]
    records = [{"timeUnixNano": at, "body": {"stringValue": at}} for at in times]
    done = gateway.write_logs(logs_of(*records).SerializeToString(), PROTOBUF, EU).result()
    assert done.partial_success.rejected_log_records == 3
    assert "2554-07-21" in done.partial_success.error_message
    assert receiver.statistics.refused == {("eu", "future"): 2, ("eu", "past"): 1}
    receiver.flush()
    assert {row["message"] for row in lake.sql("SELECT message FROM events").to_pylist()} == {
        *times[:2]
    }


def test_each_log_record_is_judged_for_itself(gateway, receiver, lake, logs_of):
    def send(*clusters, sender):
        request = logs_of()
        for cluster in clusters:
            about = {"k8s.cluster.name": cluster} if cluster else {}
            record = {"timeUnixNano": "1700000000000000000", "body": {"stringValue": cluster}}
            request.MergeFrom(logs_of(record, resource=about))
        return gateway.write_logs(request.SerializeToString(), PROTOBUF, sender).result()

    ours = Sender(None, frozenset({"eu", "us"}))
    told = send("eu", "", "cn", "us", sender=ours).partial_success
    assert told.rejected_log_records == 2
    assert "OTEL_RESOURCE_ATTRIBUTES=k8s.cluster.name=" in told.error_message
    assert "cluster 'cn' is not one" in told.error_message
    assert receiver.statistics.refused == {
        ("", "cluster missing"): 1,
        ("cn", "cluster not allowed"): 1,
    }
    receiver.flush()
    assert {row["cluster"] for row in lake.sql("SELECT cluster FROM events").to_pylist()} == {
        "eu",
        "us",
    }
    with pytest.raises(ClusterForbiddenError):
        send("cn", sender=ours)
    with pytest.raises(ClusterMissingError):
        send("", sender=ANYONE)


def test_the_cluster_by_default(open_receiver, lake, noon, request_of, total, point, logs_of):
    receiver = open_receiver(max_age=None, default_cluster="home")
    gateway = Gateway(receiver, lambda: noon)
    request = request_of(total("t", point(60, 5, start=0), delta=True))
    gateway.write_metrics(request.SerializeToString(), PROTOBUF, ANYONE).result()
    request = logs_of({"timeUnixNano": "1700000000000000000"})
    gateway.write_logs(request.SerializeToString(), PROTOBUF, ANYONE).result()
    receiver.flush()
    for table in ("samples", "events"):
        found = lake.sql(f"SELECT DISTINCT cluster FROM {table}").to_pylist()
        assert found == [{"cluster": "home"}]


def test_a_refusal_of_long_names_of_clusters_keeps_little(send, receiver, request_of, gauge, point):
    request = request_of(gauge("g", point()), resource={"k8s.cluster.name": "x" * 100_000})
    assert send(request)[0] == 1
    assert max(len(cluster) for cluster, _ in receiver.statistics.refused) <= 256


def test_a_request_of_too_many_parts(open_receiver, request_of, gauge, point, logs_of):
    gateway = Gateway(open_receiver(max_series_per_request=5))
    request = request_of(gauge("g", point(60, 1), point(61, 1)), gauge("h"))
    with pytest.raises(TooManyEntriesError, match="6 resources, scopes, metrics, data points"):
        gateway.write_metrics(request.SerializeToString(), PROTOBUF, EU)
    with pytest.raises(TooManyEntriesError, match="6 resources, scopes, metrics, data points"):
        gateway.write_logs(logs_of(*[{}] * 4).SerializeToString(), PROTOBUF, EU)


def test_what_becomes_too_large(open_receiver, request_of, gauge, point, logs_of):
    gateway = Gateway(open_receiver(max_body_bytes=10_000, max_age=None))
    resource = {"service.name": "x" * 4_000}
    request = request_of(*(gauge(f"g{n}", point(value=1)) for n in range(4)), resource=resource)
    with pytest.raises(BodyTooLargeError, match="translated body"):
        gateway.write_metrics(request.SerializeToString(), PROTOBUF, EU)
    request = logs_of(*[{"timeUnixNano": "1"}] * 4, resource=resource)
    with pytest.raises(BodyTooLargeError, match="translated body"):
        gateway.write_logs(request.SerializeToString(), PROTOBUF, EU)
