"""The arithmetic of settings that deserve a look."""

import numpy as np
import pytest

from detectors.configuration import (
    Backing,
    amplified,
    backed,
    judge_bounds,
    limit_for,
    throttled_though_idle,
    uneven,
)
from detectors.errors import InvalidParameterError

NAN = np.nan


def test_throttled_and_idle():
    told = throttled_though_idle(
        np.array([0.3, 0.3, 0.05, 0.3, NAN]),
        np.array([0.1, 0.19, 0.1, 0.1, 0.1]),
        np.array([0.2, 0.2, 0.2, NAN, 0.2]),
    )
    assert told.tolist() == [True, False, False, False, False]


def test_a_limit_is_in_whole_steps_and_a_good_deal_more():
    assert limit_for(np.array([0.1, 0.5, 1.0]), np.array([0.25, 0.25, 0.25])).tolist() == [
        pytest.approx(0.4),
        pytest.approx(0.5),
        pytest.approx(2.5),
    ]


def test_at_the_maximum_for_long():
    hours = np.tile([2.0, 2.0, 6.0, 6.0], (1, 8))
    told = judge_bounds(hours, np.array([1.0]), np.array([6.0]), np.array([NAN]))
    assert told.at_most.tolist() == [0.5]
    assert (told.too_low.tolist(), told.maximum.tolist()) == ([True], [9.0])
    # As use would have it, where that is more.
    told = judge_bounds(hours, np.array([1.0]), np.array([6.0]), np.array([11.2]))
    assert told.maximum.tolist() == [12.0]
    # Seldom, for less than a day, or where nothing is scaled at all: no.
    seldom = np.where(np.arange(32) < 4, 6.0, 2.0)[None]
    for current, least in ((seldom, 1.0), (hours[:, :12], 1.0), (hours, 6.0)):
        told = judge_bounds(current, np.array([least]), np.array([6.0]), np.array([NAN]))
        assert told.too_low.tolist() == [False]
        assert np.isnan(told.maximum).all()


@pytest.mark.parametrize(
    ("needed", "proposed"), [(2.3, 3.0), (0.4, 2.0), (3.9, NAN), (5.0, NAN), (NAN, NAN)]
)
def test_never_above_the_minimum(needed, proposed):
    current = np.full((1, 24), 4.0)
    told = judge_bounds(current, np.array([4.0]), np.array([9.0]), np.array([needed]))
    assert told.at_least.tolist() == [1.0]
    assert told.minimum.tolist() == [pytest.approx(proposed, nan_ok=True)]


def test_a_minimum_that_was_left_once_is_needed():
    current = np.full((1, 24), 4.0)
    current[0, 3] = 5.0
    told = judge_bounds(current, np.array([4.0]), np.array([9.0]), np.array([1.0]))
    assert told.too_high.tolist() == [False]


def test_one_replica_does_much_more_for_long():
    rng = np.random.default_rng(3)
    even = rng.uniform(0.9, 1.1, (3, 24))
    lopsided = even * np.array([[1.0], [5.0], [1.0]])
    moment = even.copy()
    moment[0, :3] = 9.0
    alone = np.full((1, 24), 7.0)
    group = np.repeat([0, 1, 2, 3], [3, 3, 3, 1])
    told = uneven(np.vstack([even, lopsided, moment, alone]), group)
    assert told.lopsided.tolist() == [False, True, False, False]
    assert told.row[1] == 4
    assert told.row[3] == -1
    assert told.factor[1] == pytest.approx(5.0, rel=0.1)


def test_replicas_that_come_and_go_and_idle_ones():
    values = np.full((2, 24), NAN)
    values[0] = 1.0
    assert uneven(values, np.zeros(2, int)).lopsided.tolist() == [False]
    values[1, :8] = 0.0
    told = uneven(values, np.zeros(2, int))
    assert (told.lopsided.tolist(), told.hours.tolist()) == ([True], [8])
    assert uneven(np.zeros((2, 24)), np.zeros(2, int)).lopsided.tolist() == [False]
    assert uneven(np.zeros((0, 24)), np.zeros(0, int)).row.tolist() == []


def test_load_that_is_multiplied_when_the_callee_fails():
    made = np.full((4, 20), 100.0)
    arrived, failed = made.copy(), np.zeros_like(made)
    failed[:, :5] = 20.0
    arrived[0, :5] = 250.0  # retries
    arrived[2] = 250.0  # two and a half for each, always: not for failures
    failed[3, 1:5] = 0.0  # for too short a time
    arrived[3, :5] = 250.0
    told = amplified(made, arrived, failed)
    assert told.multiplied.tolist() == [True, False, False, False]
    assert (told.calm[0], told.failing[0]) == (1.0, 2.5)
    assert told.errors[0] == pytest.approx(0.08)
    few = amplified(made / 100.0, arrived / 100.0, failed / 100.0)
    assert few.multiplied.tolist() == [False] * 4


def test_other_clusters_agree_or_not_or_say_nothing():
    group = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    setting = np.array([0.2, 0.4, 0.21, 0.2, 0.4, 0.2, NAN, 0.4])
    outcome = np.array([0.3, 0.01, 0.3, 0.3, 0.29, 0.3, 0.3, 0.0])
    told = backed(group, setting, outcome)
    assert [Backing(one) for one in told.verdict] == [
        Backing.AGREES, Backing.NONE, Backing.AGREES, Backing.DISAGREES, Backing.NONE,
        Backing.NONE, Backing.NONE, Backing.NONE,
    ]  # fmt: skip
    assert told.best.tolist() == [1, -1, 1, 4, -1, -1, -1, -1]
    less = backed(group, setting, outcome, more=False)
    assert less.best.tolist() == [-1, 0, -1, -1, 3, -1, -1, -1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: backed(np.zeros(2, int), np.zeros(3), np.zeros(3)),
        lambda: uneven(np.zeros((2, 3)), np.zeros(3, int)),
        lambda: amplified(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 2))),
        lambda: judge_bounds(np.zeros((2, 3)), np.zeros(1), np.zeros(2), np.zeros(2)),
    ],
)
def test_arrays_that_do_not_agree_are_refused(call):
    with pytest.raises(InvalidParameterError):
        call()
