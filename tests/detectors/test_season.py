"""Hours of the week: what is learned of them, and what follows for alarms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Panel, Scores
from detectors.season import HOUR, Hours, Usual, damp, fit_season, raised
from detectors.season.hours import WEEK, hour_of_week, in_periods

MINUTE = 60_000_000
START = 2910 * WEEK * HOUR  # 2025-10-09, a Thursday
RATE = 1e-3


def hours_of(mean, spread=1.0, start=START, ids=None):
    mean = np.atleast_2d(np.asarray(mean, "f4"))
    ids = np.arange(len(mean)) if ids is None else ids
    return Hours(mean, mean - np.float32(spread), mean + np.float32(spread), start, np.array(ids))


def weekly(weeks, seed=0):
    """A week's own rhythm: low at weekends; and noise of a tenth of what it moves."""
    rng = np.random.default_rng(seed)
    hour = np.arange(weeks * WEEK)
    quiet = (hour // 24 % 7) >= 5
    rhythm = 100 + 30 * np.sin(2 * np.pi * hour / 24)
    return np.where(quiet, 0.4, 1.0) * rhythm + rng.normal(0, 2, hour.size)


def clean(hours):
    return np.zeros(hours.mean.shape, bool)


def fitted(mean, **more):
    hours = hours_of(mean, **more)
    return fit_season(hours, clean(hours), RATE)


def test_a_week_is_told_from_a_day():
    season = fitted([weekly(4), 50 + 10 * np.sin(2 * np.pi * np.arange(4 * WEEK) / 24)])
    assert season.series_id.tolist() == [0, 1]
    middle = season.of_week()[:, 0]
    assert middle[0, 5 * 24 + 6] == pytest.approx(0.4 * 130, rel=0.05)
    assert middle[0, 6] == pytest.approx(130, rel=0.05)
    assert middle[1, :24] == pytest.approx(middle[1, 24:48], abs=0.1)


def test_what_resembles_nothing_has_no_season():
    rng = np.random.default_rng(1)
    season = fitted([rng.normal(0, 1, 4 * WEEK), np.full(4 * WEEK, 3.0), np.full(4 * WEEK, np.nan)])
    assert season.series_id.size == 0
    assert season.rows_of(np.array([0, 1])).tolist() == [-1, -1]


def test_hours_that_are_whole_numbers_and_bytes_keep_their_place():
    season = fitted([1e10 + 1e7 * weekly(3)])
    middle = season.of_week()[0, 0]
    assert middle[6] == pytest.approx(1e10 + 1e7 * 130, rel=0.01)


def test_days_are_learned_in_three_and_alarm_after_two_weeks():
    day = 50 + 10 * np.sin(2 * np.pi * np.arange(WEEK * 4) / 24)
    assert fitted([day[: 2 * 24]]).series_id.size == 0
    few = fitted([day[: 4 * 24]])
    assert few.series_id.size == 1
    assert not few.alarms[0]
    assert fitted([day[: 2 * WEEK]]).alarms[0]


def test_one_incident_is_no_habit_but_two_weeks_are():
    mean = np.stack([weekly(4), weekly(4)])
    mean[0, WEEK + 30] = 900.0
    mean[1, [WEEK + 30, 2 * WEEK + 30]] = 900.0
    high = fitted(mean).of_week()[:, 2, 30]
    assert high[0] < 200.0
    assert high[1] > 800.0


def test_flagged_hours_are_not_learned():
    hours = hours_of(weekly(3))
    broken = hours_of(weekly(3))
    broken.mean[0, WEEK : WEEK + 3] = 500.0
    broken.high[0, WEEK : WEEK + 3] = 500.0
    flagged = clean(broken)
    flagged[0, WEEK : WEEK + 3] = True
    one, other = (fit_season(each, flagged, RATE).of_week() for each in (hours, broken))
    np.testing.assert_array_equal(one, other)


def test_the_order_of_series_does_not_matter_and_a_series_takes_a_kilobyte():
    mean = [weekly(2, seed) for seed in range(5)]
    one = fitted(mean, ids=[5, 3, 9, 1, 7])
    other = fitted(mean[::-1], ids=[7, 1, 9, 3, 5])
    np.testing.assert_array_equal(one.profile, other.profile)
    assert one.series_id.tolist() == [1, 3, 5, 7, 9]
    assert one.profile.nbytes / 5 <= 1024


@given(st.integers(0, 400), st.integers(1, 500))
@settings(max_examples=50)
def test_hours_stand_where_their_time_says(phase, n):
    """No hour moves by a day's or week's beginning, whatever the first hour is: UTC has no DST."""
    values = np.arange(n, dtype="f4")[None]
    out = in_periods(values, phase, WEEK)
    assert out.shape[2] == WEEK
    for at in {0, n // 2, n - 1}:
        assert (out[0, :, (phase + at) % WEEK] == at).any()
    assert hour_of_week(START + at * HOUR) == at % WEEK


# --- minutes against the profile


def minutes(season_mean, first_hour, n_hours, seed=0):
    """Minutes of hours that are as the given week's, with noise."""
    rng = np.random.default_rng(seed)
    at = first_hour + np.arange(n_hours * 60) // 60
    values = season_mean[at % WEEK] + rng.normal(0, 0.5, at.size)
    return Panel(values[None], START + first_hour * HOUR, MINUTE, [0])


def flat_scores(panel, score, low, high):
    full = np.full(panel.values.shape, 1.0, "f4")
    return Scores(score * full, 1e-6 * full, (low + high) / 2 * full, low * full, high * full)


P = np.array([0.05], "f4")


def damped(panel, scores, season, context=31):
    return damp(scores, panel.values, Usual.of(panel, season), context, 0.75, P)


def raised_of(panel, scores, season):
    return raised(scores, panel, season, Usual.of(panel, season))


def test_an_alarm_over_what_is_usual_here_is_taken_back():
    mean = weekly(4)
    season = fitted([mean], spread=6.0)
    busy = minutes(mean, 3 * WEEK + 4, 3)
    found = damped(busy, flat_scores(busy, 2.0, 30.0, 60.0), season)
    assert (found.score[0, 5:] == 0.75).all()
    assert (found.p_value[0, 5:] == np.float32(0.05)).all()


def test_the_same_value_at_another_hour_is_not():
    mean = weekly(4)
    season = fitted([mean], spread=6.0)
    night = minutes(np.full(WEEK, 130.0), 3 * WEEK + 17, 3)
    found = damped(night, flat_scores(night, 2.0, 30.0, 80.0), season)
    assert (found.score[0] == 2.0).all()


def test_an_alarm_over_a_shape_stays():
    """Frozen at a usual value, within the detector's band: only the detector knows."""
    mean = weekly(4)
    season = fitted([mean], spread=6.0)
    panel = minutes(mean, 3 * WEEK + 4, 3)
    scores = flat_scores(panel, 2.0, 0.0, 500.0)
    np.testing.assert_array_equal(damped(panel, scores, season).score, scores.score)


def test_without_a_season_or_a_band_all_stays():
    mean = weekly(4)
    panel = minutes(mean, 3 * WEEK + 4, 3)
    scores = flat_scores(panel, 2.0, 30.0, 60.0)
    none = fitted([np.full(4 * WEEK, 1.0)])
    np.testing.assert_array_equal(damped(panel, scores, none).score, scores.score)
    bare = replace(scores, expected=None, lower=None, upper=None)
    assert damped(panel, bare, fitted([mean])) is bare
    assert raised_of(panel, bare, fitted([mean])) is bare


def test_noon_at_night_is_an_alarm_that_says_what_is_usual():
    mean = weekly(4)
    season = fitted([mean], spread=6.0)
    values = np.full(WEEK, 0.0)
    values[:] = mean[3 * WEEK :]
    night = minutes(values, 3 * WEEK + 14, 6)
    changed = night.values.copy()
    changed[0, 180:300] = 130.0  # the day's greatest, five hours after it
    panel = night.with_values(changed)
    quiet = flat_scores(panel, 0.2, 0.0, 200.0)
    found = raised_of(panel, quiet, season)
    assert (found.score[0, :180] < 1.0).all()
    assert (found.score[0, 210:300] > 1.0).all()
    assert (found.p_value[0, 210:300] < 0.01).all()
    assert found.upper[0, 250] < 130.0
    assert found.expected[0, 250] == pytest.approx(values[18], abs=8)
    # Clean, the same hours are none.
    assert (raised_of(night, quiet, season).score < 1.0).all()


def test_a_level_that_has_moved_for_good_is_no_alarm_of_each_hour():
    mean = weekly(4)
    mean[-24:] *= 2.0
    season = fitted([mean], spread=6.0)
    assert season.factor[0] == pytest.approx(2.0, rel=0.1)
    panel = minutes(2.0 * weekly(4), 3 * WEEK + 6 * 24, 20)
    found = raised_of(panel, flat_scores(panel, 0.2, 0.0, 500.0), season)
    assert (found.score < 1.0).all()


def test_a_column_depends_on_no_later_one_and_not_on_where_the_panel_begins():
    mean = weekly(4)
    season = fitted([mean], spread=6.0)
    whole = minutes(np.full(WEEK, 110.0), 3 * WEEK + 14, 10)
    part = whole.window(whole.start + 120 * MINUTE, whole.start + 400 * MINUTE)

    def both(panel):
        scores = flat_scores(panel, 1.5, 30.0, 80.0)
        return raised_of(panel, damped(panel, scores, season), season).score

    context = 31 + 60
    np.testing.assert_array_equal(both(whole)[:, 120 + context : 400], both(part)[:, context:])
