from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.simulation.signals import (
    counter,
    drift,
    nightly,
    noise,
    plateau,
    recurring,
    sawtooth,
    stream,
)
from ingest.simulation.timeline import Timeline


@pytest.fixture
def timeline():
    end = datetime(2026, 11, 23, tzinfo=UTC)
    return Timeline.until(end, timedelta(days=1), timedelta(seconds=30))


def test_streams_are_independent_of_one_another():
    assert stream(7, "a").random() == stream(7, "a").random()
    assert stream(7, "a").random() != stream(7, "b").random()
    assert stream(7, "a").random() != stream(8, "a").random()


def test_noise_has_the_size_and_the_memory_asked_for(timeline):
    made = noise(stream(7), 50, timeline, minutes=10, size=2.0)
    assert made.shape == (50, timeline.n)
    assert made.std() == pytest.approx(2.0, rel=0.1)
    lag = 20  # ten minutes of half-minute steps
    correlation = np.corrcoef(made[:, :-lag].ravel(), made[:, lag:].ravel())[0, 1]
    assert correlation == pytest.approx(np.exp(-1), abs=0.08)


def test_drift_begins_after_two_fifths_and_is_bounded(timeline):
    made = drift(stream(7), 200, timeline, size=0.02)
    assert np.all(made[:, : int(0.4 * timeline.n)] == 1)
    assert np.all(np.abs(made - 1) <= 0.04 + 1e-9)
    assert np.abs(made[:, -1] - 1).mean() > 0.005


def test_nightly_is_on_at_its_local_hour(timeline):
    on = nightly(timeline, 8.0, hour=3.0, minutes=30.0)
    hour = (np.flatnonzero(on == 1) * 30 / 3600 + 8) % 24
    assert hour.min() >= 3.0
    assert hour.max() <= 3.5
    assert on.sum() * 0.5 == pytest.approx(28, abs=1)


def test_recurring_bumps_come_once_a_period(timeline):
    bumps = recurring(stream(7), 5, timeline, hours=3.0, minutes=6.0)
    for period in np.split(bumps, 8, axis=1):
        assert np.all(period.max(axis=1) > 0.7)
        assert np.all((period > 1e-9).sum(axis=1) <= 13)


def test_sawtooth_rises_and_falls_at_once():
    teeth = sawtooth(np.full((1, 100), 0.1), np.array([0.05]))[0]
    assert teeth.min() >= 0
    assert teeth.max() < 1
    assert (np.diff(teeth) < 0).sum() == 10


def test_plateau_has_edges_and_ends():
    shape = plateau(np.array([-1.0, 0, 5, 10, 50, 90, 95, 100, 101]), 100.0, rise=10.0, fall=10.0)
    assert shape.tolist() == [0, 0, 0.5, 1, 1, 1, 0.5, 0, 0]


def test_a_counter_starts_anew_with_its_first_increment():
    resets = np.array([2, 4])
    made = counter(np.array([1.0, 2, 3, 4, 5, 6]), 10.0, resets, digits=0)
    assert made.tolist() == [11, 13, 3, 7, 5, 11]
