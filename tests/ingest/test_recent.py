"""A request that is sent again is stored once, also over a crash; a failed one is tried again."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.errors import MalformedBodyError
from ingest.outcome import Written
from ingest.receiver import Receiver
from ingest.recent import RecentRequests, key_of
from ingest.remote_write import message
from ingest.settings import IngestSettings
from lake import Lake

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_MS = int(NOON.timestamp() * 1000)
SECOND = 1_000_000


def body(value: float) -> bytes:
    labels = [message.encode_labels([("__name__", "m"), ("cluster", "c")])]
    payload = message.build(
        labels, np.ones(1, np.int64), np.array([NOW_MS]), np.array([value], np.float64)
    )
    return message.pack(payload)


def stored(lake: Lake) -> list[float]:
    return [row["value"] for row in lake.sql("SELECT value FROM samples").to_pylist()]


@pytest.fixture
def now():
    return [NOON]


@pytest.fixture
def start(lake, tmp_path, now):
    folder = tmp_path / "receiver"
    return lambda **limits: Receiver(lake, folder, IngestSettings(**limits), lambda: now[0])


def test_the_same_bytes_are_stored_once(lake, start):
    receiver = start()
    outcomes = [receiver.write_samples(body(1.0)) for _ in range(3)]
    assert [outcome.result(10).samples for outcome in outcomes] == [1, 1, 1]
    assert receiver.write_samples(body(2.0)).result(10).samples == 1
    receiver.close()
    assert sorted(stored(lake)) == [1.0, 2.0]
    assert receiver.statistics.repeated_requests == 2


def test_the_same_bytes_at_the_same_time_are_stored_once(lake, start):
    """Decoded by several threads, as the server does."""
    receiver, raw = start(), body(1.0)
    with ThreadPoolExecutor(8) as senders:
        outcomes = list(senders.map(lambda _: receiver.write_samples(raw), range(64)))
    assert [outcome.result(10).samples for outcome in outcomes] == [1] * 64
    receiver.close()
    assert stored(lake) == [1.0]


@pytest.mark.parametrize("flushed", [False, True], ids=["in the log", "in the lake"])
def test_sent_again_to_a_restarted_receiver(lake, start, flushed, abandon):
    crashed = start()
    crashed.write_samples(body(1.0)).result(10)
    if flushed:
        crashed.flush()
        assert crashed.log_bytes() == 0
    abandon(crashed)
    receiver = start()
    assert receiver.write_samples(body(1.0)).result(10).samples == 1
    receiver.close()
    assert stored(lake) == [1.0]


def test_committed_and_still_in_the_log_is_answered_with_its_number(
    lake, start, abandon, monkeypatch
):
    """The process died between the commit and the cut of the log."""
    crashed = start()
    crashed.write_samples(body(1.0)).result(10)
    monkeypatch.setattr(crashed._state, "release", lambda position: None)
    monkeypatch.setattr(crashed._flusher, "_committed", lambda position: None)
    crashed.flush()
    abandon(crashed)
    receiver = start()
    assert receiver.statistics.replayed_records == 0
    assert receiver.write_samples(body(1.0)).result(10).samples == 1
    receiver.close()
    assert stored(lake) == [1.0]


def test_after_five_minutes_it_is_another_request(lake, start, now):
    receiver = start()
    receiver.write_samples(body(1.0)).result(10)
    receiver.flush()
    now[0] += timedelta(minutes=5)
    receiver.write_samples(body(1.0)).result(10)
    assert receiver.statistics.repeated_requests == 1
    now[0] += timedelta(minutes=5, seconds=1)
    receiver.write_samples(body(1.0)).result(10)
    receiver.close()
    assert stored(lake) == [1.0, 1.0]


def test_one_that_is_repeated_for_ever_is_stored_once(lake, start, now):
    """As a sender does that is told 429: it comes again and again with the same bytes."""
    receiver = start()
    for _ in range(10):
        receiver.write_samples(body(1.0)).result(10)
        receiver.flush()
        now[0] += timedelta(minutes=4)
    receiver.close()
    assert stored(lake) == [1.0]
    assert receiver.statistics.repeated_requests == 9


def test_what_was_stored_of_a_429_is_stored_once_however_long_it_is_repeated(lake, start, now):
    two = [message.encode_labels([("__name__", name), ("cluster", "c")]) for name in "mn"]
    ones = np.ones(2, np.int64)
    raw = message.pack(message.build(two, ones, ones * NOW_MS, np.ones(2)))
    receiver = start(max_series_per_cluster=1)
    for _ in range(5):
        assert receiver.write_samples(raw).result(10).refusal.status == 429
        now[0] += timedelta(minutes=4, seconds=59)
        receiver.flush()
    receiver.close()
    assert stored(lake) == [1.0]


@pytest.mark.parametrize("flushed", [False, True], ids=["in the log", "in the lake"])
@pytest.mark.parametrize("minutes", [-9, 6, 60 * 24 * 30])
def test_five_minutes_run_from_the_restart(lake, start, now, abandon, flushed, minutes):
    """Its sender has waited all the while, and so have those of the newer ones."""
    crashed = start()
    crashed.write_samples(body(1.0)).result(10)
    now[0] += timedelta(minutes=4)
    crashed.write_samples(body(2.0)).result(10)
    if flushed:
        crashed.flush()
    abandon(crashed)
    now[0] += timedelta(minutes=minutes)
    # A process that starts and dies before it has flushed, and one that is sent something else.
    abandon(start())
    brief = start()
    brief.write_samples(body(3.0)).result(10)
    abandon(brief)
    now[0] += timedelta(seconds=20)
    receiver = start()
    for value in (1.0, 2.0, 3.0):
        assert receiver.write_samples(body(value)).result(10).samples == 1
    now[0] += timedelta(minutes=5, seconds=1)
    receiver.write_samples(body(3.0)).result(10)
    receiver.close()
    assert sorted(stored(lake)) == [1.0, 2.0, 3.0, 3.0]


def test_another_cluster_or_kind_is_another_request():
    keys = {key_of(kind, cluster, b"x") for kind in (1, 2) for cluster in ("", "a", "b")}
    assert len(keys) == 6


def test_a_failed_request_is_forgotten():
    recent = RecentRequests()
    outcome: Future[Written] = Future()
    assert recent.find_or_begin(b"k", outcome, 0) is None
    assert recent.find_or_begin(b"k", Future(), 0) is outcome
    outcome.set_exception(OSError("disk"))
    assert not recent.knows(b"k")


def test_a_refused_body_is_refused_again(start):
    receiver = start()
    for _ in range(2):
        with pytest.raises(MalformedBodyError):
            receiver.write_samples(b"\x05hello")
    receiver.close()
    assert receiver.statistics.repeated_requests == 0


def test_memory_is_bounded():
    recent = RecentRequests(capacity=2)
    for key in (b"a", b"b", b"c"):
        recent.settle(key, Written(1), 0)
    assert [recent.knows(key) for key in (b"a", b"b", b"c")] == [False, True, True]
    recent.settle(b"d", Written(1), 301 * SECOND)
    assert [recent.knows(key) for key in (b"b", b"c", b"d")] == [False, False, True]


KEYS = [bytes([i]) * 16 for i in range(3)]


@pytest.fixture
def saved(tmp_path):
    recent = RecentRequests()
    recent.settle(KEYS[0], Written(7), 0)
    recent.settle(KEYS[1], Written(8), 200 * SECOND)
    recent.find_or_begin(KEYS[2], Future(), 200 * SECOND)
    (tmp_path / "recent").write_bytes(recent.packed())
    return tmp_path / "recent"


def loaded(path, now_us):
    recent = RecentRequests()
    recent.load(path)
    recent.resume(now_us)
    return recent


def test_what_is_durable_and_recent_comes_back(saved):
    later = loaded(saved, 9000 * SECOND)
    assert [later.knows(key) for key in KEYS] == [True, True, False]
    assert later.newest_us == 200 * SECOND
    assert later.find_or_begin(KEYS[0], Future(), 9101 * SECOND) is None, "200 s older"
    assert later.find_or_begin(KEYS[1], Future(), 9300 * SECOND).result(0).samples == 8
    assert not loaded(saved.with_name("none"), 0).knows(KEYS[0])


def test_a_file_that_cannot_be_read_is_as_none(saved, caplog):
    data = saved.read_bytes()
    damaged = [data[:n] for n in range(len(data))]
    damaged += [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(len(data))]
    for bad in damaged:
        saved.write_bytes(bad)
        assert not loaded(saved, 0).knows(KEYS[0])
    assert len(caplog.records) == len(damaged)
