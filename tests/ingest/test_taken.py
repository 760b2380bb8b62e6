"""What is right goes in: under one number a series, within the bounds of time, without markers."""

import math
import struct
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.catalogue import Catalogue
from ingest.errors import TimestampError
from ingest.remote_write import judgement
from ingest.remote_write.decode import decode
from ingest.rules import EVERYTHING, Rules
from ingest.sender import Sender

NOON_MS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
UP = [("__name__", "up"), ("cluster", "eu")]
GOOD = (UP, [(NOON_MS, 1.0)])
TEN_MINUTES = 600_000
MONTH = 31 * 86_400_000


def one(labels, at=NOON_MS):
    return (labels, [(at, 1.0)])


def of(cluster):
    return Rules(sender=Sender(cluster))


def decoded(payload, catalogue, rules=EVERYTHING):
    return decode(np.frombuffer(payload, np.uint8), catalogue, rules)


@pytest.fixture
def receiver(open_receiver):
    return open_receiver()


@pytest.mark.parametrize(
    "at", [NOON_MS - MONTH, NOON_MS, NOON_MS + TEN_MINUTES], ids=["earliest", "now", "latest"]
)
def test_the_bounds_of_time_are_accepted(receiver, body, stored, at):
    assert receiver.write_samples(body(one(UP, at))).result().samples == 1
    receiver.flush()
    assert stored() == [1.0]


def test_stale_markers_are_dropped_and_counted(receiver, body, stored):
    points = [(NOON_MS, 1.0), (NOON_MS + 1, STALE), (NOON_MS + 2, math.nan), (NOON_MS + 3, STALE)]
    assert receiver.write_samples(body((UP, points))).result().samples == 4
    receiver.flush()
    values = stored()
    assert len(values) == 2
    assert sum(map(math.isnan, values)) == 1
    assert receiver.statistics.stale_markers == 2
    assert receiver.statistics.samples == {"eu": 2}


def test_nothing_but_stale_markers(receiver, body, stored):
    receiver.write_samples(body((UP, [(NOON_MS, STALE)]))).result()
    assert receiver.flush().samples == 0
    assert stored() == []
    assert receiver.log_bytes() == 0


def test_exemplars_are_counted(receiver, body):
    receiver.write_samples(body(GOOD, GOOD, exemplars=3)).result()
    assert receiver.statistics.exemplars_dropped == 6


def test_a_default_cluster_stands_in_and_is_part_of_the_key(payload):
    catalogue = Catalogue()
    request = payload(one([("__name__", "up")]), one([("__name__", "up"), ("cluster", "own")]))
    names = [
        catalogue.name(number)
        for cluster in "abab"
        for number in decoded(request, catalogue, of(cluster)).batch.series.tolist()
    ]
    expected = [
        'up{cluster="a"}', 'up{cluster="own"}', 'up{cluster="b"}', 'up{cluster="own"}',
    ]  # fmt: skip
    assert names == expected * 2
    assert len(catalogue) == 3


def test_a_series_twice_in_a_request_is_one_series(payload):
    catalogue = Catalogue()
    request = payload(GOOD, (UP[::-1], [(NOON_MS + 1, 2.0)]), GOOD)
    for _ in range(2):
        assert decoded(request, catalogue).batch.series.tolist() == [0, 0, 0]
    assert len(catalogue) == 1


def test_settings_move_the_latest_time(open_receiver, body):
    receiver = open_receiver(max_future=timedelta(0))
    receiver.write_samples(body(GOOD)).result()
    with pytest.raises(TimestampError):
        receiver.write_samples(body(one(UP, NOON_MS + 1)))


def test_any_age_is_taken_by_default(open_receiver, body, stored):
    receiver = open_receiver(max_age=None)
    receiver.write_samples(body(one(UP, NOON_MS - 19_000 * 86_400_000))).result()
    receiver.flush()
    assert stored() == [1.0]


def test_a_known_series_is_not_looked_at_again(payload, monkeypatch):
    """Neither the regular one nor the one that had to be taken apart."""
    catalogue = Catalogue()
    request = payload(GOOD, ([*UP, ("city", "Zürich")], [(NOON_MS, 2.0)]))
    first = decoded(request, catalogue)
    monkeypatch.setattr(judgement, "admit", None)
    assert decoded(request, catalogue).batch.series.tolist() == first.batch.series.tolist()


def test_descriptions_are_of_the_stated_cluster_or_of_the_series_in_the_request(payload):
    def described(stated, cluster, *series):
        seen = []
        catalogue = Catalogue()
        catalogue.describe = lambda metadata, clusters: seen.extend(clusters)
        request = payload(*series, metadata=[("up", 2, "Text.", "")])
        decoded(request, catalogue, Rules(sender=Sender(cluster), stated=stated))
        return seen

    assert described(True, "a", GOOD) == ["a"]
    assert described(False, "a", GOOD) == ["eu"]
    assert described(False, "a") == [None]
    many = [one([("__name__", "up"), ("cluster", str(i))]) for i in range(20)]
    assert described(False, None, *many) == [None]
