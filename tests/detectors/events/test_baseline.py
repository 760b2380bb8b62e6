"""What is learned of a history, and what is left out of it."""

import numpy as np

from detectors.events import learn
from tests.detectors.events.conftest import DAY, as_counts


def baseline(values):
    streams = values.shape[0]
    return learn(as_counts(values), np.zeros(streams, int), values.shape[1], 1, DAY)


def test_an_outage_is_left_out_and_a_habit_is_not(rng):
    quiet = rng.poisson(1.0, (1, DAY))
    outage, habit = quiet.copy(), quiet.copy()
    outage[0, 600:660] += 50
    for at in (100, 500, 900, 1300):
        habit[0, at : at + 60] += 50
    assert abs(baseline(outage).mean[0] - 1.0) < 0.2
    assert baseline(outage).spread[0, 2] < 2.0
    assert baseline(habit).mean[0] > 5.0
    assert baseline(habit).most[0, 2] > 500


def test_a_rise_is_left_out_until_it_has_lasted_for_half_of_the_history(rng):
    values = rng.poisson(5.0, (1, DAY))
    for hours, level in ((6, 5.0), (11, 5.0), (14, 8.0)):
        risen = values.copy()
        risen[0, -hours * 60 :] += rng.poisson(5.0, hours * 60)
        mean = baseline(risen).mean[0]
        assert abs(mean - level) < 0.6, (hours, mean)


def test_two_stretches_are_left_out_however_unlike(rng):
    values = rng.poisson(1.0, (1, DAY))
    values[0, 200:230] += 500
    values[0, 800:860] += 20
    assert abs(baseline(values).mean[0] - 1.0) < 0.2


def test_a_stream_is_learned_alike_alone_and_among_others_of_other_kinds(rng):
    values = rng.poisson(2.0, (3, DAY))
    values[1] *= 7
    counts, zeros = as_counts(values), np.zeros(3, int)
    together = learn(counts, zeros, DAY, 1, DAY, np.arange(3))
    alone = learn(counts.take(np.array([1])), zeros[:1], DAY, 1, DAY)
    np.testing.assert_array_equal(together.spread[1], alone.spread[0])
    assert together.mean[1] == alone.mean[0]


def test_an_empty_history_teaches_something():
    base = baseline(np.zeros((1, DAY)))
    assert 0 < base.mean[0] < 1e-3
    assert np.isfinite(base.spread).all()


def test_a_third_occasion_is_a_habit(rng):
    values = rng.poisson(1.0, (1, DAY))
    for at, tall in ((200, 3000), (700, 300), (1200, 30)):
        values[0, at : at + 30] += tall
    base = baseline(values)
    assert 1.4 < base.mean[0] < 2.0
    assert 400 < base.most[0, 2] < 600
