"""One bad series keeps out no other: what is stored, logged, counted and told, rule by rule."""

import struct
from datetime import timedelta

import numpy as np
import pytest

from ingest.errors import (
    ClusterForbiddenError,
    ClusterMissingError,
    InvalidLabelsError,
    SeriesLimitError,
    TimestampError,
    TooManySeriesError,
)
from ingest.outcome import Written
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema
from ingest.sender import Sender

UP = [("__name__", "up"), ("cluster", "eu")]
NAMELESS = [("cluster", "eu")]
SECOND = 1000
WRONG_CLOCK = 200_000_000 * SECOND


def limited(labels, at=0):
    """A bad series: its labels, and how far from now its samples are."""
    return labels, at


REASONS = {
    "no name": (NAMELESS, 0, "labels", "__name__ is missing", InvalidLabelsError),
    "label name": ([*UP, ("d-e", "x")], 0, "labels", "'d-e' is not", InvalidLabelsError),
    "not UTF-8": ([*UP, ("a", b"\xff")], 0, "labels", "is not UTF-8", InvalidLabelsError),
    "twice": ([*UP, ("cluster", "us")], 0, "labels", "stands twice", InvalidLabelsError),
    "no cluster": ([("__name__", "x")], 0, "cluster missing", "no cluster", ClusterMissingError),
    "labels": ([*UP, *((f"l{i}", "x") for i in range(9))], 0, "labels", "11 labels, at most 10",
               InvalidLabelsError),
    "name length": ([*UP, ("n" * 33, "x")], 0, "labels", "33 bytes, at most 32",
                    InvalidLabelsError),
    "value length": ([*UP, ("x", "v" * 41)], 0, "labels", "41 bytes, at most 40",
                     InvalidLabelsError),
    "future": (UP, 601 * SECOND, "future", "is the sender's clock right", TimestampError),
    "wrong clock": (UP, WRONG_CLOCK, "future", "is the sender's clock right", TimestampError),
    "wrong clock, slow": (UP, -WRONG_CLOCK, "past", "import older data", TimestampError),
    "past": (UP, -32 * 86_400 * SECOND, "past", "import older data", TimestampError),
    "before 1970": (UP, -2_000_000_000 * SECOND, "past", "is before 1970", TimestampError),
}  # fmt: skip


@pytest.fixture
def receiver(open_receiver):
    return open_receiver(max_labels=10, max_label_name_bytes=32, max_label_value_bytes=40)


def logged(receiver):
    """Every sample in the log as (labels, ms, value)."""
    found = []
    for record in receiver._log.replay():
        assert record.kind == 1
        raw = message.unpack(record.payload, 1 << 30).tobytes()
        for one in schema.WriteRequest.FromString(raw).timeseries:
            pairs = [schema.Label.FromString(label) for label in one.labels]
            labels = {pair.name.decode(): pair.value.decode() for pair in pairs}
            found += [(labels, sample.timestamp, sample.value) for sample in one.samples]
    return found


@pytest.mark.parametrize(
    ("labels", "off", "reason", "rule", "error"), REASONS.values(), ids=REASONS
)
def test_the_good_part_is_stored_logged_and_told(
    receiver, body, now_ms, stored, abandon, open_receiver, labels, off, reason, rule, error
):
    good = [([*UP, ("x", str(i))], [(now_ms + i, float(i))]) for i in range(3)]
    bad = (labels, [(now_ms + off, 98.0), (now_ms + off + 1, 99.0)])
    done = receiver.write_samples(body(good[0], bad, *good[1:])).result(10)
    assert (done.samples, done.refusal.count, done.refusal.status) == (3, 2, 400)
    assert rule in done.refusal.message
    assert "2 of 5 samples refused, the rest is stored" in done.refusal.message
    of = "eu" if error is TimestampError else ""
    assert receiver.statistics.refused == {(of, reason): 2}
    assert receiver.statistics.samples == {"eu": 3}
    assert logged(receiver) == [(dict(own), *points[0]) for own, points in good]

    abandon(receiver)
    again = open_receiver()
    assert again.waiting_samples() == 3
    again.flush()
    assert stored() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("labels", "off", "reason", "rule", "error"), REASONS.values(), ids=REASONS
)
def test_nothing_but_bad_is_an_error_and_counted(
    receiver, body, now_ms, labels, off, reason, rule, error
):
    with pytest.raises(error, match=rule):
        receiver.write_samples(body((labels, [(now_ms + off, 1.0)])))
    assert sum(receiver.statistics.refused.values()) == 1
    assert {name for _, name in receiver.statistics.refused} == {reason}
    assert (receiver.waiting_samples(), receiver.log_bytes()) == (0, 0)


def test_the_first_rule_broken_is_told_and_each_is_counted(receiver, body, now_ms):
    def at(labels, off=0, n=1):
        return (labels, [(now_ms + off + i, 1.0) for i in range(n)])

    done = receiver.write_samples(
        body(at(NAMELESS), at(UP, 601_000, 4), at([("__name__", "x")], 0, 2), at(UP)),
    ).result(10)
    assert (done.samples, done.refusal.count) == (1, 7)
    assert "__name__ is missing" in done.refusal.message
    assert receiver.statistics.refused == {
        ("", "labels"): 1, ("eu", "future"): 4, ("", "cluster missing"): 2,
    }  # fmt: skip


def test_one_bad_time_among_the_samples_of_a_series(receiver, body, now_ms, stored):
    points = [(now_ms, 1.0), (now_ms + WRONG_CLOCK, 2.0), (now_ms + 1, 3.0)]
    done = receiver.write_samples(body((UP, points))).result(10)
    assert (done.samples, done.refusal.count) == (2, 1)
    assert [sample[1:] for sample in logged(receiver)] == [points[0], points[2]]
    receiver.flush()
    assert stored() == [1.0, 3.0]


def test_a_cluster_that_the_token_does_not_allow(receiver, body, now_ms):
    us = [("__name__", "up"), ("cluster", "us")]
    sender = Sender("eu", frozenset({"eu"}))
    nameless = ([("__name__", "up")], [(now_ms, 1.0)])
    done = receiver.write_samples(body((us, [(now_ms, 2.0)]), nameless), sender).result(10)
    assert (done.samples, done.refusal.count, done.refusal.status) == (1, 1, 400)
    assert receiver.statistics.refused == {("eu", "cluster not allowed"): 1}
    with pytest.raises(ClusterForbiddenError, match="'us' is not one"):
        receiver.write_samples(body((us, [(now_ms, 2.0)])), sender)
    anyone = receiver.write_samples(body((us, [(now_ms, 3.0)]))).result(10)
    assert anyone.refusal is None
    with pytest.raises(ClusterForbiddenError):
        receiver.write_samples(body((us, [(now_ms, 4.0)])), sender)
    assert receiver.statistics.samples == {"eu": 1, "us": 1}


def test_beyond_its_limit_a_clusters_new_series_are_refused(open_receiver, body, now_ms):
    receiver = open_receiver(max_series_per_cluster=2)

    def send(*xs, cluster="eu", value=1.0):
        labels = [[("__name__", "up"), ("cluster", cluster), ("x", x)] for x in xs]
        return receiver.write_samples(body(*((one, [(now_ms, value)]) for one in labels)))

    assert send("a").result(10) == Written(1)
    done = send("a", "b", "c", "d").result(10)
    assert (done.samples, done.refusal.count, done.refusal.status) == (2, 2, 429)
    assert "ingest.max_series_per_cluster" in done.refusal.message
    with pytest.raises(SeriesLimitError, match="'eu' has 2 active series"):
        send("e")
    assert send("a", value=2.0).result(10) == Written(1)
    assert send("a", cluster="us").result(10) == Written(1)
    assert receiver.statistics.refused == {("eu", "too many series"): 3}


def test_a_full_catalogue_refuses_the_whole_request(open_receiver, body, now_ms):
    receiver = open_receiver(max_series=1)
    with pytest.raises(TooManySeriesError):
        receiver.write_samples(body((UP, [(now_ms, 1.0)]), ([*UP, ("x", "y")], [(now_ms, 1.0)])))
    assert (receiver.waiting_samples(), receiver.log_bytes()) == (0, 0)
    assert receiver.statistics.refused == {}
    assert receiver.statistics.refused_requests == {("", "overloaded"): 1}


def test_the_same_partial_request_again_is_answered_the_same(receiver, body, now_ms, stored):
    raw = body((NAMELESS, [(now_ms, 1.0)]), (UP, [(now_ms, 2.0)]))
    first, second = (receiver.write_samples(raw).result(10) for _ in range(2))
    assert (second.samples, second.refusal.count, second.refusal.status) == (1, 1, 400)
    assert first.samples == second.samples
    receiver.flush()
    receiver.write_samples(raw).result(10)
    receiver.flush()
    assert stored() == [2.0]
    assert receiver.statistics.refused == {("", "labels"): 1}


def test_values_of_a_partial_request_survive_a_crash_to_the_bit(
    receiver, body, now_ms, abandon, open_receiver, lake
):
    """A stale marker that became another NaN would be stored as a value."""
    bits = [0x7FF0000000000002, 0x7FF8000000000001, 0x8000000000000000, 0x7FF0000000000001, 1]
    values = [struct.unpack("<d", struct.pack("<Q", one))[0] for one in bits]
    points = [(now_ms + i, value) for i, value in enumerate(values)]
    done = receiver.write_samples(body((NAMELESS, [(now_ms, 1.0)]), (UP, points))).result(10)
    assert done.samples == 5
    abandon(receiver)
    again = open_receiver()
    assert again.statistics.stale_markers == 1
    again.flush()
    found = lake.sql("SELECT value FROM samples ORDER BY time").column("value").to_numpy()
    assert found.view(np.uint64).tolist() == bits[1:]


def test_settings_decide_how_old_a_sample_may_be(open_receiver, body, now_ms):
    receiver = open_receiver(max_age=timedelta(seconds=10), max_future=timedelta(seconds=5))
    times = [-10_001, -10_000, 5_000, 5_001]
    points = [(now_ms + off, float(off)) for off in times]
    assert receiver.write_samples(body((UP, points))).result(10).samples == 2
    assert receiver.statistics.refused == {("eu", "past"): 1, ("eu", "future"): 1}


def test_what_is_refused_for_its_time_takes_no_room(open_receiver, body, now_ms):
    receiver = open_receiver(max_series=3)
    late = [([*UP, ("x", str(i))], [(now_ms + WRONG_CLOCK, 1.0)]) for i in range(9)]
    with pytest.raises(TimestampError):
        receiver.write_samples(body(*late))
    assert receiver.write_samples(body((UP, [(now_ms, 1.0)]))).result(10).samples == 1
    assert len(receiver.catalogue) == 1
