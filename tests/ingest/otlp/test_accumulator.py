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


def add(totals, key, *delta, cluster="eu"):
    return totals.draft().add(key, cluster, *delta)[0]


@pytest.fixture
def hands(noon):
    return Hands(noon)


def test_the_silent_are_forgotten(hands):
    totals = Accumulator(idle=timedelta(hours=1), clock=hands)
    add(totals, b"a", 0, 10, 1.0)
    hands.now += timedelta(minutes=40)
    add(totals, b"b", 0, 10, 1.0)
    assert add(totals, b"a", 10, 20, 1.0) == 2.0
    hands.now += timedelta(minutes=59)
    add(totals, b"a", 20, 30, 1.0)
    assert len(totals) == 2
    hands.now += timedelta(minutes=2)
    assert add(totals, b"a", 30, 40, 1.0) == 4.0
    assert len(totals) == 1
    assert add(totals, b"b", 10, 20, 1.0) == 1.0


def test_where_there_is_no_room_the_known_go_on(hands):
    totals = Accumulator(max_numbers=8, clock=hands, max_of_cluster=8)
    add(totals, b"a", 0, 10, 1.0)
    add(totals, b"b", 0, 10, 1.0)
    with pytest.raises(UnsupportedSampleError, match="at most 8 may be"):
        add(totals, b"c", 0, 10, 1.0)
    assert add(totals, b"a", 10, 20, 1.0) == 2.0
    hands.now += timedelta(hours=2)
    assert add(totals, b"c", 0, 10, 1.0) == 1.0


def test_a_histogram_takes_room_by_its_buckets(hands):
    totals = Accumulator(max_numbers=6, clock=hands, max_of_cluster=6)
    few = Distribution(2, 1.0, {1.0: 1, 2.0: 1})
    more = Distribution(2, 1.0, {3.0: 1, 4.0: 1})
    add(totals, b"h", 0, 10, few)
    with pytest.raises(UnsupportedSampleError, match="are held"):
        add(totals, b"h", 10, 20, more)
    assert add(totals, b"h", 10, 20, few) == Distribution(4, 2.0, {1.0: 2, 2.0: 2})


def test_another_kind_begins_anew(hands):
    totals = Accumulator(clock=hands)
    add(totals, b"a", 0, 10, 1.0)
    assert add(totals, b"a", 10, 20, Distribution(1, None, {})) == Distribution(1, None, {})
    assert add(totals, b"a", 20, 30, 3.0) == 3.0


def test_one_cluster_leaves_room_for_others(hands):
    totals = Accumulator(max_numbers=16, clock=hands)
    add(totals, b"a", 0, 10, 1.0)
    add(totals, b"b", 0, 10, 1.0)
    with pytest.raises(UnsupportedSampleError, match="8 numbers of cluster 'eu'"):
        add(totals, b"c", 0, 10, 1.0)
    assert add(totals, b"d", 0, 10, 1.0, cluster="us") == 1.0


def test_what_is_taken_back_never_came(hands):
    totals = Accumulator(clock=hands)
    add(totals, b"a", 0, 10, 1.0)
    draft = totals.draft()
    assert draft.add(b"a", "eu", 10, 20, 2.0) == (3.0, False)
    assert draft.add(b"b", "eu", 10, 20, 2.0) == (2.0, True)
    draft.undo()
    assert len(totals) == 1
    assert add(totals, b"a", 10, 20, 5.0) == 6.0


def test_two_on_top_of_each_other_are_taken_back_in_either_order(hands):
    for backwards in (False, True):
        totals = Accumulator(clock=hands)
        add(totals, b"a", 0, 10, 1.0)
        drafts = [totals.draft(), totals.draft()]
        drafts[0].add(b"a", "eu", 10, 20, 2.0)
        drafts[1].add(b"a", "eu", 20, 30, 4.0)
        for draft in reversed(drafts) if backwards else drafts:
            draft.undo()
        assert add(totals, b"a", 10, 20, 8.0) == 9.0


def test_what_another_was_added_to_stays_in_it(hands):
    totals = Accumulator(clock=hands)
    first, second = totals.draft(), totals.draft()
    first.add(b"a", "eu", 0, 10, 1.0)
    second.add(b"a", "eu", 10, 20, 2.0)
    first.undo()
    second.keep()
    assert add(totals, b"a", 20, 30, 4.0) == 7.0


def test_totals_that_began_are_given_up(hands):
    totals = Accumulator(clock=hands)
    add(totals, b"a", 0, 10, 1.0)
    draft = totals.draft()
    draft.add(b"a", "eu", 10, 20, 2.0)
    draft.add(b"b", "eu", 0, 10, 2.0)
    draft.add(b"b", "eu", 10, 20, 2.0)
    draft.keep(begun=False)
    assert not draft
    assert add(totals, b"a", 20, 30, 4.0) == 7.0
    assert add(totals, b"b", 20, 30, 4.0) == 4.0
