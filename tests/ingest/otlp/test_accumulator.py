"""Totals are bounded, and the silent ones are forgotten."""

from datetime import timedelta

import pytest

from ingest.errors import UnsupportedSampleError
from ingest.otlp.accumulator import Accumulator
from ingest.otlp.distribution import Distribution


class Hands:
    """A clock that is set by hand."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def hands(noon):
    return Hands(noon)


def test_the_silent_are_forgotten(hands):
    totals = Accumulator(idle=timedelta(hours=1), clock=hands)
    totals.add(b"a", 0, 10, 1.0)
    hands.now += timedelta(minutes=40)
    totals.add(b"b", 0, 10, 1.0)
    assert totals.add(b"a", 10, 20, 1.0) == 2.0
    hands.now += timedelta(minutes=59)
    totals.add(b"a", 20, 30, 1.0)
    assert len(totals) == 2
    hands.now += timedelta(minutes=2)
    assert totals.add(b"a", 30, 40, 1.0) == 4.0
    assert len(totals) == 1
    assert totals.add(b"b", 10, 20, 1.0) == 1.0


def test_where_there_is_no_room_the_known_go_on(hands):
    totals = Accumulator(max_numbers=8, clock=hands)
    totals.add(b"a", 0, 10, 1.0)
    totals.add(b"b", 0, 10, 1.0)
    with pytest.raises(UnsupportedSampleError, match="at most 8 may be"):
        totals.add(b"c", 0, 10, 1.0)
    assert totals.add(b"a", 10, 20, 1.0) == 2.0
    hands.now += timedelta(hours=2)
    assert totals.add(b"c", 0, 10, 1.0) == 1.0


def test_a_histogram_takes_room_by_its_buckets(hands):
    totals = Accumulator(max_numbers=6, clock=hands)
    few = Distribution(2, 1.0, {1.0: 1, 2.0: 1})
    more = Distribution(2, 1.0, {3.0: 1, 4.0: 1})
    totals.add(b"h", 0, 10, few)
    with pytest.raises(UnsupportedSampleError, match="are held"):
        totals.add(b"h", 10, 20, more)
    assert totals.add(b"h", 10, 20, few) == Distribution(4, 2.0, {1.0: 2, 2.0: 2})


def test_another_kind_begins_anew(hands):
    totals = Accumulator(clock=hands)
    totals.add(b"a", 0, 10, 1.0)
    assert totals.add(b"a", 10, 20, Distribution(1, None, {})) == Distribution(1, None, {})
    assert totals.add(b"a", 20, 30, 3.0) == 3.0
