"""Forecasts of when: shapes that are known, causality, and what cannot be told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import InvalidPanelError, InvalidParameterError
from detectors.forecasting import METHODS, Reason, forecast

HOUR = 12
STEP = 1 / HOUR
COLUMNS = 576
HOURS = np.arange(-COLUMNS + 1, 1) / HOUR


def noise(scale, seed=1, width=COLUMNS):
    return scale * np.random.default_rng(seed).standard_normal(width)


def told(*series, threshold=80.0, horizon=4.0):
    return forecast(np.stack(series), threshold, step_hours=STEP, horizon_hours=horizon)


def sawtooth(hours, height, period, drift):
    return height * ((hours % period) / period) + drift * hours


@pytest.mark.parametrize("slope", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("away", [0.5, 2.0, 3.5])
def test_a_line_passes_when_it_must(slope, away):
    found = told(80.0 - slope * away + slope * HOURS + noise(0.02 * slope))
    assert found.eta[0] == pytest.approx(away, abs=0.25)
    assert found.eta_lower[0] <= found.eta[0] <= found.eta_upper[0]
    assert found.reason[0] == Reason.NONE
    assert not found.abstained[0]


def test_beyond_the_horizon_there_is_no_time():
    found = told(80.0 - 9.0 + HOURS + noise(0.05))
    assert np.isnan([found.eta[0], found.eta_lower[0], found.eta_upper[0]]).all()
    assert found.reason[0] == Reason.NOT_WITHIN
    assert not found.abstained[0]


def test_a_new_ramp_is_seen_before_the_long_windows_see_it():
    since = 1.25
    ramp = 60.0 + 6.0 * np.maximum(0.0, HOURS + since)
    found = told(ramp + noise(0.1))
    assert found.eta[0] == pytest.approx((80.0 - ramp[-1]) / 6.0, abs=0.5)


@pytest.mark.parametrize("since", [0.6, 1.0, 2.0])
def test_a_rise_without_example_goes_on_whatever_calm_times_say(since):
    """Dips before it are falls and rises of one column each: no example of it."""
    rise = 60.0 + 5.0 * np.maximum(0.0, HOURS + since) + noise(0.1)
    for at in (100, 230, 400):
        rise[at : at + 6] -= 12.0
    found = told(rise)
    assert found.eta[0] == pytest.approx((80.0 - 60.0) / 5.0 - since, abs=0.6)


def test_a_single_step_is_no_rise():
    """The newest piece begins before the step, where it is among the last few columns."""
    steps = [
        66.0 + 6.0 * np.heaviside(HOURS * HOUR + columns + 0.1, 0.0) + noise(0.4, seed)
        for columns in range(4)
        for seed in range(30)
    ]
    assert np.isnan(told(*steps).eta).all()


@pytest.mark.parametrize("period", [4.0, 8.0, 12.0])
@pytest.mark.parametrize("since", [0.4, 0.9])
def test_a_rise_that_often_came_and_ended_is_told_by_what_came_of_the_others(period, since):
    """An hour up, an hour down again: it has always ended at 70."""
    phase = (HOURS + since) % period
    bumps = 60.0 + 10.0 * np.clip(np.minimum(phase, 2.0 - phase), 0.0, None) + noise(0.05)
    assert np.isnan(told(bumps, threshold=75.0).eta[0])


def test_teeth_that_stay_below_do_not_pass_and_teeth_that_rise_do():
    hours = HOURS + 2.0
    below = 55.0 + sawtooth(hours, 20.0, 6.0, 0.0) + noise(0.1)
    above = 70.0 + sawtooth(hours, 20.0, 6.0, 0.0) + noise(0.1, 2)
    found = told(below, above)
    assert np.isnan(found.eta[0])
    # The tooth is at 70 + 20 * 2/6 now, and at 80 after an hour.
    assert found.eta[1] == pytest.approx(1.0, abs=0.35)


def test_a_day_that_comes_again_is_foretold_from_its_foot():
    day = 70.0 + 12.0 * np.sin(2 * np.pi * (HOURS + 1.0) / 24.0 - np.pi / 6)
    future = 70.0 + 12.0 * np.sin(2 * np.pi * (np.arange(1, 97) / HOUR + 1.0) / 24.0 - np.pi / 6)
    true = (np.argmax(future >= 80.0) + 1) / HOUR
    found = told(day + noise(0.2), horizon=8.0)
    assert found.eta[0] == pytest.approx(true, abs=0.5)


def test_steps_and_dips_do_not_move_a_trend():
    line = 76.0 + 1.5 * HOURS
    dipped = line.copy()
    dipped[-30:-24] -= 15.0
    found = told(dipped + noise(0.05))
    assert found.eta[0] == pytest.approx(4.0 / 1.5, abs=0.6)


def test_gaps_are_bridged():
    line = 76.0 + 2.0 * HOURS + noise(0.05)
    line[np.random.default_rng(3).random(COLUMNS) < 0.4] = np.nan
    line[-1] = np.nan
    assert told(line).eta[0] == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (np.full(COLUMNS, np.nan), Reason.NO_VALUE),
        (np.where(HOURS < -3.0, 60.0, np.nan), Reason.NO_VALUE),
        (90.0 + HOURS, Reason.ALREADY_PASSED),
        (-5.0 + noise(0.1), Reason.NEGATIVE),
        (np.where(HOURS > -1.5, 70.0 + HOURS, np.nan), Reason.SHORT_HISTORY),
        (np.where(np.arange(COLUMNS) % 120 == 95, 70.0, np.nan), Reason.FEW_VALUES),
        (85.0 - 3.0 * HOURS, Reason.ALREADY_PASSED),
        (10.0 - HOURS, Reason.SHRINKING),
    ],
)
def test_what_cannot_be_told_says_why(series, reason):
    found = told(series)
    assert Reason(found.reason[0]) is reason
    assert np.isnan(found.eta[0])
    assert found.abstained[0] == (reason is not Reason.SHRINKING)
    assert reason.text


def test_flat_series_never_pass():
    found = told(np.full(COLUMNS, 79.9), np.zeros(COLUMNS))
    assert np.isnan(found.eta).all()
    assert not found.abstained.any()


def test_stated_intervals_hold():
    random = np.random.default_rng(8)
    slopes, away = random.uniform(0.5, 5.0, 600), random.uniform(0.5, 3.5, 600)
    hours = np.arange(-COLUMNS + 1, 121) / HOUR
    series = 80.0 + slopes[:, None] * (hours - away[:, None])
    # A random walk: errors grow with the lead, as those of disks do.
    series += np.cumsum(0.15 * random.standard_normal(series.shape), axis=1)
    series += (80.0 - slopes * away - series[:, COLUMNS - 1])[:, None]
    found = forecast(series[:, :COLUMNS], 80.0, step_hours=STEP, horizon_hours=4.0)
    future = series[:, COLUMNS:] >= 80.0
    true = (future.argmax(axis=1) + 1) / HOUR
    asked = ~np.isnan(found.eta) & future.any(axis=1)
    inside = (found.eta_lower <= true + 1e-9) & (true <= found.eta_upper + 1e-9)
    assert asked.sum() > 400
    assert 0.7 <= inside[asked].mean() <= 0.92


def test_each_series_is_foretold_as_if_alone_and_from_the_past_alone():
    random = np.random.default_rng(4)
    panel = 60.0 + np.cumsum(random.standard_normal((70, COLUMNS)), axis=1)
    together = told(*panel)
    for row in (0, 33, 69):
        alone = told(panel[row])
        for name in ("eta", "eta_lower", "eta_upper", "chance", "expected"):
            assert np.array_equal(
                getattr(alone, name), getattr(together, name)[[row]], equal_nan=True
            )
    assert together.weights.shape == (70, len(METHODS))


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.001, 1000.0),
    st.floats(-1e6, 1e6),
    st.integers(0, 10),
)
def test_units_do_not_matter(factor, shift, seed):
    series = 60.0 + np.cumsum(noise(0.5, seed))
    plain = told(series, threshold=75.0)
    # Negative values are refused against a positive threshold: both are moved.
    moved = series * factor + shift
    other = told(moved, threshold=75.0 * factor + shift)
    if Reason(other.reason[0]) is not Reason.NEGATIVE:
        assert np.isnan(plain.eta[0]) == np.isnan(other.eta[0])
        if not np.isnan(plain.eta[0]):
            assert other.eta[0] == pytest.approx(plain.eta[0], abs=2 * STEP)


def test_what_is_no_panel_is_refused():
    with pytest.raises(InvalidPanelError):
        forecast(np.zeros(5), 1.0, step_hours=1.0, horizon_hours=4.0)
    with pytest.raises(InvalidPanelError):
        forecast(np.full((1, 5), np.inf), 1.0, step_hours=1.0, horizon_hours=4.0)
    for step, horizon in ((0.0, 1.0), (1.0, 0.0), (1.0, 0.2), (float("nan"), 1.0)):
        with pytest.raises(InvalidParameterError):
            forecast(np.zeros((1, 5)), 1.0, step_hours=step, horizon_hours=horizon)
    assert len(forecast(np.zeros((0, 5)), 1.0, step_hours=1.0, horizon_hours=4.0).eta) == 0
