"""Rhythms and silences against the same said slowly; what each law of the rhythm is for."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.absence import (
    WORD,
    Groups,
    elapsed,
    holds,
    last_heard,
    patience,
    rhythms,
    silences,
)

DAY = 1440


def pack(present):
    """Columns as words; the number of columns is a multiple of a word's."""
    bits = np.asarray(present, np.int64).reshape(*np.shape(present)[:-1], -1, WORD)
    return (bits << np.arange(WORD)).sum(axis=-1)


columns = st.builds(
    lambda words, often, seed: (np.random.default_rng(seed).random(words * WORD) < often).tolist(),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.02, 0.2, 0.9, 1.0]),
    st.integers(0, 10_000),
)


@given(present=columns)
def test_words_hold_what_was_packed(present):
    assert holds(pack(present)).tolist() == present


@given(
    present=columns,
    seed=st.integers(0, 10_000),
    allowed=st.integers(0, 40),
    end=st.integers(1, 240),
)
def test_silences_are_those_of_a_slow_search(present, seed, allowed, end):
    end = min(end, len(present))
    alive = np.array(present) | (np.random.default_rng(seed).random(len(present)) < 0.8)
    before = elapsed(alive)
    found = silences(
        pack(present)[None], 0, end, np.array([-1]), before, np.array([float(allowed)]),
        np.array([True]),
    )  # fmt: skip
    heard = [at for at in range(end) if present[at]]
    slow = []
    for at, after in itertools.pairwise([*heard, end]):
        quiet = int(alive[at + 1 : after].sum())
        if quiet > allowed:
            slow.append((at + 1, after, quiet))
    own = zip(found.start.tolist(), found.end.tolist(), found.quiet.tolist(), strict=True)
    assert list(own) == slow
    assert last_heard(pack(present)[None], 0, end, np.array([-5])).tolist() == [
        heard[-1] if heard else -5
    ]


@given(present=columns)
def test_gaps_are_those_of_a_slow_search(present):
    n = len(present)
    learned = rhythms(pack(present)[None], np.arange(n + 1), n)
    heard = np.flatnonzero(present)
    gaps = np.sort(np.diff(heard))[::-1]
    assert learned.last[0] == (heard[-1] if heard.size else -1)
    assert learned.gaps[0] == gaps.size
    assert learned.span[0] == gaps.sum()
    kept = learned.top[0]
    assert kept[kept > 0].tolist() == gaps[: kept.size].tolist()


@given(seed=st.integers(0, 99))
def test_a_group_is_heard_when_any_member_is(seed):
    rng = np.random.default_rng(seed)
    present = rng.random((12, WORD)) < 0.2
    code = rng.integers(-1, 4, 12).astype(np.int32)
    groups = Groups.of(code, 4)
    slow = [present[code == one].any(axis=0) for one in range(4)]
    assert (holds(groups.any(pack(present))) == slow).all()
    values = rng.integers(0, 100, 12)
    totals = [values[code == one].sum() for one in range(4)]
    assert groups.total(values).tolist() == totals


def judged(present, false_a_day=1.0, things=1):
    words = np.repeat(pack(present)[None], things, axis=0)
    learned = rhythms(words, np.arange(len(present) + 1), DAY)
    return patience(
        learned, least=10, least_history=360, columns_a_day=DAY, false_a_day=false_a_day
    )


def every(step, first=0):
    present = np.zeros(DAY, bool)
    present[first::step] = True
    return present


@pytest.mark.parametrize(("step", "allowed"), [(1, 10), (5, 15), (10, 30), (60, 180)])
def test_three_reports_may_be_missing(step, allowed):
    found = judged(every(step))
    assert (found.allowed[0], found.known[0]) == (allowed, True)


def test_one_outage_teaches_nothing_two_do():
    once, twice = every(1), every(1)
    once[300:400] = twice[300:400] = twice[800:900] = False
    assert judged(once).allowed[0] == 10
    assert judged(twice).allowed[0] > 300


def test_many_things_are_granted_more_so_that_the_budget_holds():
    rng = np.random.default_rng(1)
    present = rng.random(DAY) < 1 / 20
    few, many = judged(present), judged(present, things=20_000)
    assert many.allowed[0] > few.allowed[0]
    # Of arrivals at random the next gaps are as long as promised: rarely too long.
    gaps = rng.geometric(1 / 20, 2_000_000)
    assert (gaps > many.allowed[0]).mean() < 1e-5


def test_what_comes_and_goes_has_no_rhythm():
    nightly = np.zeros(DAY, bool)
    nightly[:12] = nightly[-12:] = True
    assert not judged(nightly).known[0]
    young = np.zeros(DAY, bool)
    young[-300:] = True
    assert not judged(young).known[0]


def test_a_longer_silence_is_less_likely():
    found = judged(every(10))
    p_values = found.p_value(np.zeros(4, np.int64), np.array([10.0, 20.0, 30.0, 90.0]))
    assert (np.diff(p_values) <= 0).all()
    assert 0 < p_values[-1] < p_values[0] <= 1
