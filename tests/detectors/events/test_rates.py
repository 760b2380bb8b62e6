"""Bursts and rises: found soon, and no more often in noise than was said."""

import numpy as np
import pytest
from scipy import stats

from detectors.events import Cells, exceedances, learn
from tests.detectors.events.conftest import DAY, KINDS, as_counts, found, score


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.003, 0.05, 1.0, 10.0])
def test_noise_alarms_no_more_often_than_allowed(rng, kind, rate):
    streams, allowed = 60, 1e-4
    values = KINDS[kind](rng, rate, (streams, 2 * DAY))
    cells = score(values, allowed)
    # Columns of one burst are no accidents of their own: ten to a burst, hence the tenth.
    most = stats.poisson.isf(1e-3, allowed * streams * DAY / 10) * 10
    assert cells.stream.size <= most
    # And at the rate of a fleet, nothing.
    assert not found(cells.take(cells.p_value <= 1e-6), values.shape[1])


BURSTS = [
    # (usual rate, further events a column, columns, found within)
    (10.0, 40.0, 5, 3),  # five times as many, for as long as an interval needs
    (1.0, 4.0, 30, 15),
    (10.0, 10.0, 120, 15),  # twice as many, lasting
    (0.003, 5.0, 30, 20),  # hardly ever, and now all the time
]


@pytest.mark.parametrize(("rate", "further", "length", "within"), BURSTS)
def test_what_is_too_much_is_found_soon_and_ends_with_its_cause(rng, rate, further, length, within):
    streams, at = 20, DAY + 30
    values = rng.poisson(rate, (streams, DAY + 240))
    values[:, at : at + length] += rng.poisson(further, (streams, length))
    spans = found(score(values, 1e-6), values.shape[1])
    assert {stream for stream, _, _ in spans} == set(range(streams))
    delays = [start - at for _, start, _ in spans]
    assert min(delays) >= 0
    assert np.quantile(delays, 0.9) <= within
    assert np.quantile([end - at - length for _, _, end in spans], 0.9) <= 30


def test_more_by_a_fifth_is_nobodys_alert(rng):
    values = rng.poisson(1000.0, (5, DAY + 240))
    values[:, DAY:] = rng.poisson(1200.0, (5, 240))
    assert not score(values, 1e-6).stream.size


def test_single_events_of_what_hardly_ever_comes_are_none(rng):
    values = np.zeros((200, DAY + 240), int)
    values[np.arange(200), rng.integers(0, DAY, 200)] = 1
    values[:, DAY + 100] = 1
    values[:, DAY + 103] = 3
    assert not score(values, 1e-5).stream.size


def test_the_future_changes_nothing(rng):
    values = rng.poisson(2.0, (10, DAY + 240))
    values[:, DAY + 50 : DAY + 80] *= 5
    whole = score(values, 1e-6)
    later = values.copy()
    later[:, DAY + 60 :] = 0
    cut = score(later, 1e-6)
    before = whole.take(whole.column < DAY + 60)
    assert before.stream.size
    np.testing.assert_array_equal(before.p_value, cut.take(cut.column < DAY + 60).p_value)


def test_hours_of_the_day_are_told_apart_where_there_are_days_of_history(rng):
    day = np.sin(2 * np.pi * np.arange(4 * DAY + 120) / DAY)
    values = rng.poisson(10 * (1 + 0.9 * day), (10, day.size))
    at = 3 * DAY + 3 * DAY // 4  # the quiet hour
    values[:, at : at + 30] += rng.poisson(12.0, (10, 30))
    assert found(score(values, 1e-6, 3 * DAY), day.size)
    # Of one day nobody knows that it is a day: twelve are fewer than at noon.
    assert not found(score(values, 1e-6, DAY, 3 * DAY), day.size)


def test_a_kind_that_comes_in_bursts_lends_that_to_a_stream_without_history(rng):
    values = np.zeros((41, DAY + 60), int)
    for stream in range(40):
        for at in rng.integers(0, DAY - 10, 3):
            values[stream, at : at + 10] += rng.poisson(12, 10)
    values[40, DAY + 20 : DAY + 30] = 12
    since, kinds = np.zeros(41, int), np.zeros(41, int)

    def cells(of_a_kind):
        counts = as_counts(values)
        base = learn(counts, since, DAY, 360, DAY, of_a_kind)
        return exceedances(counts, base, DAY, DAY + 60, 1e-6, DAY)

    assert not cells(kinds).stream.size
    assert set(cells(np.arange(41)).stream) == {40}


def test_values_of_a_cell_are_per_column_and_outside_the_range(rng):
    values = rng.poisson(10.0, (3, DAY + 60))
    values[1, DAY + 30 : DAY + 45] += 40
    cells = score(values, 1e-6)
    assert set(cells.stream) == {1}
    assert np.all(cells.actual > cells.upper)
    assert np.all((cells.lower < cells.expected) & (cells.expected < cells.upper))
    assert np.all(np.abs(cells.expected - 10) < 1)
    assert np.all((cells.score >= 1.0) == (cells.p_value <= 1e-6))
    assert cells.actual.max() == pytest.approx(50, rel=0.2)


def test_young_streams_are_not_scored(rng):
    values = rng.poisson(1.0, (1, DAY + 60))
    values[0, DAY + 10 : DAY + 40] = 50
    counts = as_counts(values)
    young = learn(counts, np.array([DAY - 300]), DAY, 360, DAY)
    assert not exceedances(counts, young, DAY, DAY + 60, 1e-6, DAY).stream.size
    old = learn(counts, np.array([DAY - 400]), DAY, 360, DAY)
    assert exceedances(counts, old, DAY, DAY + 60, 1e-6, DAY).stream.size


def test_no_cell_makes_no_interval():
    assert found(Cells.none(), 100) == []
