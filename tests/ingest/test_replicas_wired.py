"""Two replicas of a cluster send the same: one is stored, also over failovers and crashes."""

import logging
from datetime import timedelta

import pytest

from ingest import receiver_state
from ingest.errors import TimestampError
from ingest.receiver import Receiver
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema
from ingest.settings import IngestSettings
from tests.remote_write_2 import Series


@pytest.fixture
def clock(noon):
    return [noon]


@pytest.fixture
def start(lake, tmp_path, clock, abandon):
    opened = []

    def open_one(**ha):
        if opened:
            abandon(opened.pop())
        settings = IngestSettings(ha=ha)
        opened.append(Receiver(lake, tmp_path / "receiver", settings, lambda: clock[0]))
        return opened[-1]

    yield open_one
    for one in opened:
        abandon(one)


def labels(replica=None, cluster="eu", **more):
    named = {"__name__": "up", "cluster": cluster, **more}
    return sorted((named | ({"__replica__": replica} if replica else {})).items())


@pytest.fixture
def send(body, now_ms):
    def write(receiver, *parts, value=1.0):
        series = [
            (labels(*part) if isinstance(part, tuple) else labels(part), [(now_ms, value + i)])
            for i, part in enumerate(parts)
        ]
        return receiver.write_samples(body(*series)).result(10)

    return write


def held(receiver, lake):
    receiver.flush()
    rows = lake.sql("SELECT value, labels FROM samples JOIN series USING (series_id)").to_pylist()
    assert all("__replica__" not in dict(row["labels"]) for row in rows)
    return sorted(row["value"] for row in rows)


def test_only_the_elected_replica_is_stored(start, send, lake):
    receiver = start()
    for value, replica in enumerate(["a", "b", "a", "b"]):
        done = send(receiver, replica, value=float(value))
        assert (done.samples, done.refusal) == (1, None), "a copy is taken with thanks"
    assert receiver.statistics.deduplicated == {"eu": 2}
    assert receiver.statistics.samples == {"eu": 2}
    assert held(receiver, lake) == [0.0, 2.0]
    assert len(receiver.catalogue) == 1, "one series, whoever sends it"


def test_a_replica_with_a_wrong_clock_does_not_keep_out_its_partner(
    start, body, send, lake, now_ms
):
    receiver = start()
    for value in range(3):
        with pytest.raises(TimestampError):
            receiver.write_samples(body((labels("a"), [(now_ms + 10**9 + value, 0.0)])))
        send(receiver, "b", value=float(value))
    assert held(receiver, lake) == [0.0, 1.0, 2.0]


def test_after_the_timeout_the_other_takes_over_and_stays(start, send, lake, clock):
    receiver = start()
    send(receiver, "a", value=1.0)
    clock[0] += timedelta(seconds=29)
    send(receiver, "b", value=2.0)
    clock[0] += timedelta(seconds=1)
    send(receiver, "b", value=3.0)
    send(receiver, "a", value=4.0)
    assert held(receiver, lake) == [1.0, 3.0]
    assert receiver.replicas.statistics()["eu"].replica == "b"


def test_clusters_elect_each_for_itself_and_others_are_not_touched(start, send, lake):
    receiver = start()
    send(receiver, "a", value=1.0)
    done = send(receiver, ("b", "us"), ("b", "eu"), (None, "eu"), (None, "ap"), value=10.0)
    assert done.samples == 4
    assert receiver.statistics.deduplicated == {"eu": 1}
    assert held(receiver, lake) == [1.0, 10.0, 12.0, 13.0]


def test_replay_stores_no_other(start, send, lake):
    """Nor asks again: what was left out is not in the log, also of a mixed request."""
    receiver = start()
    send(receiver, "a", value=1.0)
    send(receiver, "b", value=2.0)
    send(receiver, ("b", "eu"), ("b", "us"), value=3.0)
    payloads = [message.unpack(r.payload, 1 << 20).tobytes() for r in receiver._log.replay()]
    assert [len(schema.WriteRequest.FromString(one).timeseries) for one in payloads] == [1, 1]
    receiver = start()
    assert receiver.statistics.replayed_records == 2
    assert held(receiver, lake) == [1.0, 4.0]


def test_a_restart_after_a_flush_remembers_who_is_elected(start, send, lake):
    receiver = start()
    send(receiver, "a", value=1.0)
    receiver.flush()
    receiver = start()
    send(receiver, "b", value=2.0)
    assert held(receiver, lake) == [1.0]


def test_a_restart_before_any_flush_remembers_who_is_elected(start, send, lake):
    receiver = start()
    send(receiver, "a", value=1.0)
    receiver = start()
    send(receiver, "b", value=2.0)
    assert held(receiver, lake) == [1.0]


def test_a_failover_before_any_flush_is_remembered_too(start, send, lake, clock):
    receiver = start()
    send(receiver, "a", value=1.0)
    receiver.flush()
    clock[0] += timedelta(minutes=1)
    send(receiver, "b", value=2.0)
    receiver = start()
    send(receiver, "a", value=3.0)
    assert held(receiver, lake) == [1.0, 2.0]


class TestKilled:
    """When files and log do not tell of the same moment: whoever was elected last stays so."""

    def before_the_log_is_cut(self, receiver, act):
        """All is in the lake; `act` happens before this is noted in the files beside the log."""
        release = receiver._flusher._committed

        def released(position):
            act()
            release(position)

        receiver._flusher._committed = released
        receiver.flush()

    def test_elected_between_the_two_files(self, start, send, lake, clock, monkeypatch):
        """The request that elected is in the lake, and in no file: the log tells of it."""
        receiver, replace_file = start(), receiver_state.replace_file

        def slow(path, data):
            replace_file(path, data)
            if path.name == "replicas.json":
                clock[0] += timedelta(minutes=1)
                send(receiver, "b", value=2.0)

        send(receiver, "a", value=1.0)
        with monkeypatch.context() as patch:
            patch.setattr(receiver_state, "replace_file", slow)
            receiver.flush()
        receiver._flusher._committed = lambda position: None
        receiver.flush()
        receiver = start()
        send(receiver, "a", value=3.0)
        send(receiver, "b", value=4.0)
        assert held(receiver, lake) == [1.0, 2.0, 4.0]

    def test_a_log_that_reaches_back_before_the_election(self, start, send, lake, clock):
        """Beyond what is remembered of requests: its records are read again, and are old."""
        receiver = start()
        send(receiver, "a", value=1.0)
        clock[0] += timedelta(minutes=6)
        send(receiver, "b", value=2.0)
        self.before_the_log_is_cut(receiver, lambda: send(receiver, (None, "us"), value=3.0))
        receiver = start()
        assert receiver.replicas.statistics()["eu"].changes == 1
        send(receiver, "a", value=4.0)
        send(receiver, "b", value=5.0)
        assert held(receiver, lake) == [1.0, 2.0, 3.0, 5.0]

    def test_elected_by_a_request_that_was_never_logged(
        self, start, body, send, lake, clock, now_ms
    ):
        """The file is newer than the log: it is sent again, and stored."""
        receiver, raw = start(), body((labels("b"), [(now_ms, 3.0)]))

        def act():
            send(receiver, "a", value=2.0)
            clock[0] += timedelta(minutes=1)
            receiver._log._write = lambda group: None
            assert not receiver.write_samples(raw).done()

        send(receiver, "a", value=1.0)
        self.before_the_log_is_cut(receiver, act)
        receiver = start()
        assert receiver.statistics.replayed_records == 1
        receiver.write_samples(raw).result(10)
        send(receiver, "a", value=4.0)
        assert held(receiver, lake) == [1.0, 2.0, 3.0]

    def test_a_file_that_cannot_be_read_is_told(self, start, send, lake, tmp_path, caplog):
        receiver = start()
        send(receiver, "a", value=1.0)
        receiver.flush()
        (tmp_path / "receiver" / "replicas.json").write_text("{")
        with caplog.at_level(logging.WARNING):
            receiver = start()
        assert "elected replicas not read" in caplog.messages
        send(receiver, "b", value=2.0)
        assert held(receiver, lake) == [1.0, 2.0], "whoever sends first is elected"


def test_a_refused_part_and_the_others_part_in_one_request(start, body, now_ms, lake):
    receiver = start()
    receiver.write_samples(body((labels("a"), [(now_ms, 1.0)]))).result(10)
    done = receiver.write_samples(
        body(
            (labels("b"), [(now_ms, 2.0)]),
            (labels("a", x="y"), [(now_ms, 3.0)]),
            (labels("a"), [(now_ms + 10**12, 4.0)]),
        )
    ).result(10)
    assert (done.samples, done.refusal.count) == (2, 1)
    assert held(receiver, lake) == [1.0, 3.0]


def test_version_2_is_deduplicated_too(start, body, body_2, now_ms, lake):
    receiver = start()
    receiver.write_samples(body((labels("a"), [(now_ms, 1.0)]))).result(10)
    for replica, value in (("b", 2.0), ("a", 3.0)):
        one = Series(labels(replica), [(now_ms, value)])
        receiver.write_samples(body_2(one), version=2).result(10)
    assert held(receiver, lake) == [1.0, 3.0]


def test_native_histograms_are_deduplicated_and_counted(start, body_2, now_ms, lake):
    receiver = start()
    histogram = b"\x08\x00\x78" + _varint(now_ms)
    for replica in ("a", "b"):
        one = Series(labels(replica), histograms=[histogram])
        assert receiver.write_samples(body_2(one), version=2).result(10).histograms == 1
    assert len(held(receiver, lake)) == 4
    assert receiver.statistics.deduplicated == {"eu": 4}, "as the samples that they are stored as"


def test_another_label_and_none_at_all(start, send, body, now_ms, lake):
    receiver = start(replica_label="prometheus_replica")
    for replica in ("a", "b"):
        named = labels(None, prometheus_replica=replica)
        receiver.write_samples(body((named, [(now_ms, ord(replica))]))).result(10)
    assert held(receiver, lake) == [float(ord("a"))]


def test_switched_off_the_label_is_one_like_any_other(start, body, now_ms):
    receiver = start(enabled=False)
    for replica in ("a", "b"):
        receiver.write_samples(body((labels(replica), [(now_ms, 1.0)]))).result(10)
    assert (len(receiver.catalogue), receiver.waiting_samples()) == (2, 2)


def _varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
