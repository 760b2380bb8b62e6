"""A request that is sent again is stored once, also over a crash; a failed one is tried again."""

from concurrent.futures import Future

import numpy as np
import pytest

from ingest.outcome import settled
from ingest.receiver import Receiver
from ingest.recent import RecentRequests, key_of
from ingest.remote_write import message
from ingest.settings import IngestSettings
from lake import Lake

NOW_MS = 1_750_000_000_000


def body(value: float) -> bytes:
    labels = [message.encode_labels([("__name__", "m"), ("cluster", "c")])]
    payload = message.build(
        labels, np.ones(1, np.int64), np.array([NOW_MS]), np.array([value], np.float64)
    )
    return message.pack(payload)


def stored(lake: Lake) -> list[float]:
    return [row["value"] for row in lake.sql("SELECT value FROM samples").to_pylist()]


@pytest.fixture
def lake(tmp_path):
    return Lake.open(tmp_path / "lake")


def test_the_same_bytes_are_stored_once(lake, tmp_path):
    receiver = Receiver(lake, tmp_path / "receiver", IngestSettings())
    outcomes = [receiver.write_samples(body(1.0)) for _ in range(3)]
    assert [outcome.result(10) for outcome in outcomes] == [1, 1, 1]
    assert receiver.write_samples(body(2.0)).result(10) == 1
    receiver.close()
    assert sorted(stored(lake)) == [1.0, 2.0]
    assert receiver.statistics.repeated_requests == 2


def test_sent_again_to_a_restarted_receiver(lake, tmp_path):
    crashed = Receiver(lake, tmp_path / "receiver", IngestSettings())
    crashed.write_samples(body(1.0)).result(10)
    crashed._log.close()
    receiver = Receiver(lake, tmp_path / "receiver", IngestSettings())
    assert receiver.write_samples(body(1.0)).result(10) == 1
    receiver.close()
    assert stored(lake) == [1.0]


def test_another_cluster_or_kind_is_another_request():
    keys = {key_of(kind, cluster, b"x") for kind in (1, 2) for cluster in ("", "a", "b")}
    assert len(keys) == 6


def test_a_failed_request_is_forgotten():
    recent = RecentRequests()
    outcome: Future[int] = Future()
    recent.remember(b"k", outcome)
    assert recent.find(b"k") is outcome
    outcome.set_exception(OSError("disk"))
    assert recent.find(b"k") is None


def test_memory_is_bounded():
    recent = RecentRequests(capacity=2)
    for key in (b"a", b"b", b"c"):
        recent.remember(key, settled(1))
    assert recent.find(b"a") is None
    assert recent.find(b"c") is not None
