"""What is in the totals is what was stored, whoever sends, and whatever fails."""

import pytest

from ingest.errors import ClusterForbiddenError, ClusterMissingError, OverloadedError
from ingest.otlp.gateway import Gateway
from ingest.otlp.wire import PROTOBUF
from ingest.sender import ANYONE, Sender

EU = Sender("eu")
OURS, THEIRS = Sender(None, frozenset({"a", "b"})), Sender(None, frozenset({"c", "d"}))


@pytest.fixture
def receiver(open_receiver):
    return open_receiver(max_age=None)


@pytest.fixture
def open_gateway(receiver, noon):
    """Opens gateways to one receiver, as restarts do; each sends and gives what was refused."""

    def open_one(to=None):
        gateway = Gateway(to or receiver, lambda: noon)

        def send(request, sender=EU):
            reply = gateway.write_metrics(request.SerializeToString(), PROTOBUF, sender).result()
            return reply.partial_success.rejected_data_points

        return send

    return open_one


@pytest.fixture
def delta(request_of, total, point):
    def build(at, start, value, cluster=None, **attributes):
        one = point(at, value, start=start, attributes=attributes)
        resource = {"k8s.cluster.name": cluster} if cluster else {}
        return request_of(total("t", one, delta=True), resource=resource)

    return build


@pytest.fixture
def in_order(receiver, lake):
    def of(cluster="eu"):
        receiver.flush()
        query = f"SELECT value FROM samples WHERE cluster = '{cluster}' ORDER BY time"
        return lake.sql(query).column("value").to_pylist()

    return of


def test_another_sender_cannot_touch_the_totals(open_gateway, delta, in_order):
    send = open_gateway()
    send(delta(10, 0, 1, "a"), OURS)
    with pytest.raises(ClusterForbiddenError):
        send(delta(20, 10, 10**9, "a"), THEIRS)
    assert send(delta(30, 20, 1, "a"), OURS) == 0
    assert in_order("a") == [0.0, 1.0, 2.0]


def test_a_cluster_has_one_total_however_it_is_named(open_gateway, delta, in_order):
    send = open_gateway()
    send(delta(10, 0, 1, "eu"), ANYONE)
    send(delta(20, 10, 2), EU)
    assert in_order() == [0.0, 1.0, 3.0]


def test_points_without_a_cluster_are_refused_one_by_one(open_gateway, delta, in_order):
    send = open_gateway()
    both = delta(10, 0, 1)
    both.MergeFrom(delta(10, 0, 1, "eu"))
    assert send(both, ANYONE) == 1
    assert in_order() == [0.0, 1.0]
    with pytest.raises(ClusterMissingError, match="OTEL_RESOURCE_ATTRIBUTES=k8s"):
        send(delta(10, 0, 1), ANYONE)


def test_after_a_restart_a_total_begins_at_0(open_gateway, delta, in_order):
    open_gateway()(delta(60, 0, 5))
    open_gateway()(delta(120, 60, 10))
    assert in_order() == [0.0, 5.0, 0.0, 10.0]


def test_a_repeat_after_a_restart_is_not_added_again(open_gateway, delta, in_order):
    before, last = open_gateway(), delta(120, 60, 100)
    before(delta(60, 0, 1))
    before(last)
    after = open_gateway()
    assert after(last) == 0
    after(delta(180, 120, 1))
    assert in_order() == [0.0, 1.0, 101.0, 0.0, 1.0]


def test_a_repeat_of_a_first_delta_after_a_restart_goes_on(open_gateway, delta, in_order):
    first = delta(60, 0, 5)
    open_gateway()(first)
    after = open_gateway()
    after(first)
    after(delta(120, 60, 1))
    assert in_order() == [0.0, 5.0, 6.0]


def test_one_clock_far_ahead_does_not_silence_its_series(open_gateway, delta, in_order):
    send = open_gateway()
    send(delta(60, 0, 5))
    assert send(delta(10**9, 60, 1)) == 1
    assert send(delta(120, 60, 1)) == 0
    assert in_order() == [0.0, 5.0, 6.0]


def test_a_new_series_that_is_refused_is_not_in_the_totals(
    receiver, open_gateway, delta, in_order, monkeypatch
):
    send = open_gateway()
    send(delta(60, 0, 5, k="a"))
    monkeypatch.setattr(receiver.catalogue, "max_of_cluster", 1)
    both = delta(120, 60, 1, k="a")
    both.MergeFrom(delta(120, 60, 7, k="b"))
    assert send(both) >= 1
    monkeypatch.setattr(receiver.catalogue, "max_of_cluster", 9)
    send(delta(180, 120, 2, k="b"))
    send(delta(180, 120, 2, k="a"))
    assert sorted(in_order()) == [0.0, 0.0, 2.0, 5.0, 6.0, 8.0]


def test_a_request_that_the_receiver_refuses_is_taken_back(
    receiver, open_gateway, delta, in_order, monkeypatch
):
    send = open_gateway()
    send(delta(60, 0, 5))

    def full(*_):
        raise OverloadedError(2, 1, 5)

    with monkeypatch.context() as patch:
        patch.setattr(receiver, "check_load", full)
        with pytest.raises(OverloadedError):
            send(delta(120, 60, 7))
    assert send(delta(90, 60, 1)) == 0
    assert in_order() == [0.0, 5.0, 6.0]
