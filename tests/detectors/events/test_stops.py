"""What came all day and comes no more."""

import numpy as np

from detectors.events import learn, may_have_stopped, stops
from tests.detectors.events.conftest import DAY, as_counts


def stopped(values, awake=None):
    counts, streams = as_counts(values), values.shape[0]
    base = learn(counts, np.zeros(streams, int), DAY, 360, DAY)
    return stops(counts, base, DAY, values.shape[1], 1e-6, awake)


def steady(rng, rate=3.0):
    return rng.poisson(rate, (4, DAY + 60))


def test_a_stop_is_told_within_minutes(rng):
    values = steady(rng)
    assert not stopped(values).stream.size
    values[2, DAY + 20 :] = 0
    cells = stopped(values)
    assert set(cells.stream) == {2}
    assert DAY + 22 < cells.column.min() < DAY + 35
    assert np.all(cells.actual == 0)


def test_what_is_silent_at_night_does_not_stop(rng):
    values = steady(rng)
    values[:, 200:500] = 0
    values[:, DAY + 10 :] = 0
    assert not stopped(values).stream.size


def test_what_fades_at_night_is_measured_by_its_night(rng):
    values = steady(rng)
    values[:, 200:500] = rng.poisson(0.05, (4, 300))
    values[:, DAY : DAY + 60] = 0
    values[:, DAY + 30] = 1
    assert not stopped(values).stream.size


def test_where_nobody_listened_nothing_stopped(rng):
    values = steady(rng)
    values[:, DAY + 10 :] = 0
    awake = np.ones(values.shape, bool)
    awake[:, DAY + 10 : DAY + 55] = False
    # Five columns are too few: those before it do not count.
    assert not stopped(values, awake).stream.size
    awake[:, DAY + 10 : DAY + 55] = True
    assert stopped(values, awake).stream.size


def test_a_stop_is_told_until_it_is_how_it_is(rng):
    values = np.pad(steady(rng), ((0, 0), (0, DAY)))
    counts = as_counts(values)
    for hours, told in ((2, True), (5, True), (8, False)):
        first = DAY + 60 + hours * 60
        base = learn(counts, np.full(4, first - DAY), first, 360, DAY)
        assert bool(stops(counts, base, first, first + 60, 1e-6).stream.size) == told, hours


def test_the_cheap_look_leaves_out_nothing_that_stopped(rng):
    values = np.concatenate([steady(rng, rate) for rate in (0.1, 0.3, 1.0, 5.0)])
    values[::2, DAY + 5 :] = 0
    counts, since = as_counts(values), np.zeros(len(values), int)
    may = may_have_stopped(counts, since, DAY, DAY, DAY + 60, 1e-6)
    assert set(stopped(values).stream) <= set(np.flatnonzero(may))
    assert not may[1::2].any()
