"""What remote write 2.0 has beyond 1.0, descriptions and starts, and what both have."""

import struct

import pytest

from ingest.errors import ClusterMissingError, LogError
from ingest.remote_write import message
from ingest.sender import Sender
from tests.ingest.logs import fail_once
from tests.remote_write_2 import Series

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
TOTAL = [("__name__", "x_total"), ("cluster", "eu")]
HOUR = 3_600_000


@pytest.fixture
def receiver(open_receiver):
    return open_receiver()


@pytest.fixture
def send(receiver, body_2):
    return lambda *series: receiver.write_samples(body_2(*series), version=2).result(10)


@pytest.fixture
def points(lake, now_ms):
    """Everything stored as (ms from now, value), by time."""

    def read(receiver):
        receiver.flush()
        rows = lake.sql("SELECT epoch_ms(time) AS ms, value FROM samples ORDER BY ms, value")
        return [(row["ms"] - now_ms, row["value"]) for row in rows.to_pylist()]

    return read


def test_a_series_is_the_same_in_both_versions(receiver, send, body, now_ms, lake):
    receiver.write_samples(body((TOTAL, [(now_ms, 1.0)]))).result(10)
    assert send(Series(TOTAL, [(now_ms + 1, 2.0)])).samples == 1
    assert (len(receiver.catalogue), len(receiver.catalogue.keys)) == (1, 1)


def test_descriptions_reach_the_series(receiver, send, now_ms, lake):
    send(
        Series(TOTAL, [(now_ms, 1.0)], (1, "Counts x.", "bytes")),
        Series([("__name__", "y"), ("cluster", "eu")], [(now_ms, 1.0)], (2, "", "")),
        Series([("__name__", "z"), ("cluster", "eu")], [(now_ms, 1.0)]),
    )
    receiver.flush()
    rows = lake.sql("SELECT kind, unit, help FROM series ORDER BY metric").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("counter", "bytes", "Counts x."), ("gauge", None, None), ("gauge", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("ref", [7, 1 << 31, (1 << 64) - 1, (1 << 64) - 1000])
def test_a_description_that_refers_to_nothing_says_nothing(receiver, now_ms, ref):
    """And is no error of ours, whatever number it is."""
    # By hand: protobuf's encoder keeps references to 32 bits.
    symbols = b"".join(b"\x22" + bytes([len(t)]) + t for t in (b"", b"__name__", b"up"))
    sample = b"\x12\x10\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(now_ms)
    about = b"\x08\x02\x18" + varint(ref) + b"\x20" + varint(ref)
    inner = b"\x0a\x02\x01\x02" + sample + b"\x2a" + varint(len(about)) + about
    raw = symbols + b"\x2a" + varint(len(inner)) + inner
    done = receiver.write_samples(message.pack(raw), Sender("eu"), version=2).result(10)
    assert done.samples == 1
    assert receiver.flush().series == 1


def test_a_start_becomes_a_zero_once(receiver, send, points, now_ms):
    for i in range(3):
        done = send(Series(TOTAL, [(now_ms + i, float(i + 5), now_ms - 1000)]))
        assert done.samples == 1, "the zero is ours, not the sender's"
    send(Series(TOTAL, [(now_ms + 3, 1.0, now_ms + 2)]))
    assert points(receiver) == [(-1000, 0.0), (0, 5.0), (1, 6.0), (2, 0.0), (2, 7.0), (3, 1.0)]


@pytest.mark.parametrize(
    ("start", "zeros"),
    [(-HOUR, 1), (-HOUR - 1, 0), (0, 0), (1, 0), (-1, 1)],
    ids=["an hour", "longer ago", "at the sample", "after it", "just before"],
)
def test_only_starts_within_the_hour_before_count(receiver, send, points, now_ms, start, zeros):
    send(Series(TOTAL, [(now_ms, 5.0, now_ms + start)]))
    assert points(receiver) == [(start, 0.0)] * zeros + [(0, 5.0)]


def test_a_start_of_the_whole_series_counts_for_its_samples(receiver, send, points, now_ms):
    send(Series(TOTAL, [(now_ms, 5.0), (now_ms + 1, 6.0)], created=now_ms - 7))
    assert points(receiver) == [(-7, 0.0), (0, 5.0), (1, 6.0)]


def test_a_start_of_a_refused_sample_does_not_count(receiver, send, points, now_ms):
    future = now_ms + 10**9
    done = send(Series(TOTAL, [(now_ms, 5.0), (future, 6.0, future - 5)]))
    assert (done.samples, done.refusal.count) == (1, 1)
    assert points(receiver) == [(0, 5.0)]


def test_a_start_that_could_not_be_logged_is_told_when_it_is_sent_again(
    receiver, send, points, now_ms, monkeypatch
):
    """The request got 503; what its sender repeats says nothing that is known already."""
    series = Series(TOTAL, [(now_ms, 5.0, now_ms - 9)])
    fail_once(monkeypatch, "fsync")
    with pytest.raises(LogError):
        send(series)
    send(series)
    send(Series(TOTAL, [(now_ms + 1, 6.0, now_ms - 9)]))
    assert points(receiver) == [(-9, 0.0), (0, 5.0), (1, 6.0)]


def test_starts_come_back_after_a_crash(receiver, send, abandon, open_receiver, points, now_ms):
    send(Series(TOTAL, [(now_ms, 5.0, now_ms - 9)]))
    abandon(receiver)
    assert points(open_receiver()) == [(-9, 0.0), (0, 5.0)]


@pytest.mark.parametrize("flushed", [False, True], ids=["logged", "flushed"])
def test_starts_are_not_told_again_by_the_next_process(
    receiver, send, body_2, abandon, open_receiver, points, now_ms, flushed
):
    send(Series(TOTAL, [(now_ms, 5.0, now_ms - 9)]))
    if flushed:
        receiver.flush()
    abandon(receiver)
    again = open_receiver()
    raw = body_2(Series(TOTAL, [(now_ms + 1, 6.0, now_ms - 9)]))
    again.write_samples(raw, version=2).result(10)
    assert points(again) == [(-9, 0.0), (0, 5.0), (1, 6.0)]


def test_starts_of_a_partly_refused_request_come_back_after_a_crash(
    receiver, send, abandon, open_receiver, points, now_ms
):
    nameless = Series([("cluster", "eu")], [(now_ms, 9.0)])
    send(nameless, Series(TOTAL, [(now_ms, 5.0, now_ms - 9)]))
    abandon(receiver)
    assert points(open_receiver()) == [(-9, 0.0), (0, 5.0)]


def test_no_zero_stands_where_a_sample_is_stored(receiver, send, points, now_ms):
    send(Series(TOTAL, [(now_ms, 5.0)]))
    receiver.flush()
    send(Series(TOTAL, [(now_ms + 15, 7.0, now_ms)]))
    assert points(receiver) == [(0, 5.0), (15, 7.0)]


def test_stale_markers_and_exemplars(receiver, send, points, now_ms):
    done = send(Series(TOTAL, [(now_ms, 1.0), (now_ms + 1, STALE)], exemplars=3))
    assert (done.samples, done.refusal) == (2, None)
    assert (receiver.statistics.stale_markers, receiver.statistics.exemplars_dropped) == (1, 3)
    assert points(receiver) == [(0, 1.0)]


def test_a_part_is_refused_as_in_version_1(receiver, send, points, abandon, open_receiver, now_ms):
    nameless = Series([("cluster", "eu")], [(now_ms, 9.0)])
    done = send(nameless, Series(TOTAL, [(now_ms, 1.0)]))
    assert (done.samples, done.refusal.count, done.refusal.status) == (1, 1, 400)
    abandon(receiver)
    again = open_receiver()
    assert again.statistics.replayed_records == 1
    assert points(again) == [(0, 1.0)]


def test_the_senders_cluster_stands_in(receiver, body_2, now_ms, lake):
    raw = body_2(Series([("__name__", "up")], [(now_ms, 1.0)]))
    with pytest.raises(ClusterMissingError):
        receiver.write_samples(raw, version=2)
    receiver.write_samples(raw, Sender("us"), version=2).result(10)
    receiver.flush()
    assert lake.sql("SELECT cluster FROM samples").to_pylist() == [{"cluster": "us"}]


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
