"""Second opinions: who is asked, of what, and when the answer counts."""

import numpy as np
import pytest

from detectors.errors import ModelFailedError
from detectors.forecasting import METHODS, Reason, forecast
from detectors.forecasting.forecast import FAR
from detectors.forecasting.heavier import ORIGINS, questions, second_opinion, short_list

HOUR, HORIZON = 12, 48
COLUMNS = 576
HOURS = np.arange(1 - COLUMNS, 1 + FAR * HORIZON) / HOUR
TIMES = {"step_hours": 1 / HOUR, "horizon_hours": 4.0}


def waves(hours):
    """Of five hours: no day, so that no light method knows them."""
    return 60.0 + 15.0 * np.sin(2.0 * np.pi * (hours - 1.0) / 5.0)


def noise(seed=1):
    return 0.1 * np.random.default_rng(seed).standard_normal(COLUMNS)


def known(shape, values, off=0.0):
    """The paths of somebody who knows the shape, or is that much off at the horizon."""
    asked = questions(values, HORIZON)
    ends = COLUMNS - HORIZON // 4 * np.arange(len(asked))
    ahead = np.arange(FAR * HORIZON)
    return np.stack([shape(HOURS[end + ahead]) for end in ends]) + off * (ahead + 1) / HORIZON


def test_what_was_better_in_the_past_is_taken():
    values = waves(HOURS[:COLUMNS]) + noise()
    light = forecast(values[None], 72.0, **TIMES)
    told = second_opinion(values, 72.0, known(waves, values), **TIMES)
    first = HOURS[COLUMNS:][waves(HOURS[COLUMNS:]) >= 72.0][0]
    assert told.reason[0] == Reason.NONE
    assert told.eta[0] == pytest.approx(first, abs=0.1)
    assert told.eta_lower[0] <= told.eta[0] <= told.eta_upper[0] < first + 0.3
    light.replace(0, told, "oracle")
    assert light.eta[0] == told.eta[0]
    assert light.method.tolist() == ["oracle"]


def test_a_passage_that_does_not_come_is_told_too():
    values = waves(HOURS[:COLUMNS]) + noise()
    told = second_opinion(values, 78.0, known(waves, values), **TIMES)
    assert np.isnan(told.eta[0])
    assert told.reason[0] in {Reason.NOT_WITHIN, Reason.SHRINKING}


def test_what_is_as_good_as_the_light_ones_changes_nothing():
    values = 60.0 + HOURS[:COLUMNS] + noise()
    paths = known(lambda hours: 60.0 + hours, values)
    assert second_opinion(values, 62.0, paths, **TIMES) is None


def test_what_is_right_by_luck_now_and_was_wrong_before_changes_nothing():
    values = waves(HOURS[:COLUMNS]) + noise()
    paths = known(waves, values, off=40.0)
    paths[0] = known(waves, values)[0]
    assert second_opinion(values, 72.0, paths, **TIMES) is None


def test_errors_of_the_past_widen_the_interval():
    values = waves(HOURS[:COLUMNS]) + noise()
    sure = second_opinion(values, 72.0, known(waves, values), **TIMES)
    random = np.random.default_rng(3).standard_normal((1 + ORIGINS, 1))
    paths = known(waves, values) + 2.0 * random
    unsure = second_opinion(values, 72.0, paths, **TIMES)
    width = unsure.eta_upper - unsure.eta_lower
    assert width[0] > (sure.eta_upper - sure.eta_lower)[0] + 0.2


@pytest.mark.parametrize("below", [0.0, -200.0])
def test_negative_values_of_what_falls_are_compared_alike(below):
    """A resource with `below` is foretold with its sign changed."""
    values = waves(HOURS[:COLUMNS]) + noise()
    paths = known(waves, values)
    told = second_opinion(values + below, 72.0 + below, paths + below, **TIMES)
    same = second_opinion(values, 72.0, paths, **TIMES)
    assert told.eta[0] == same.eta[0]


def test_no_question_holds_anything_of_later():
    values = noise()
    asked = questions(values, HORIZON)
    assert asked.shape == (1 + ORIGINS, COLUMNS)
    other = values.copy()
    other[-HORIZON:] += 100.0
    later = questions(other, HORIZON)
    np.testing.assert_array_equal(asked[4:], later[4:])
    assert (asked[3, -12:] != later[3, -12:]).all()
    np.testing.assert_array_equal(asked[4, -100:], values[-148:-48])


@pytest.mark.parametrize(("length", "origins"), [(0, 0), (47, 0), (60, 1), (96, 4), (576, 24)])
def test_each_question_has_a_horizon_of_history(length, origins):
    values = np.full(COLUMNS, np.nan)
    values[COLUMNS - length :] = 1.0
    asked = questions(values, HORIZON)
    assert len(asked) == 1 + origins
    assert all((~np.isnan(row)).sum() >= HORIZON for row in asked[1:])


def test_of_a_short_history_it_cannot_be_told_which_is_better():
    values = waves(HOURS[:COLUMNS]) + noise()
    values[: COLUMNS - 96] = np.nan
    paths = known(waves, values)
    assert second_opinion(values, 72.0, paths, **TIMES) is None


def test_a_forecaster_that_cannot_tell_now_is_not_heard():
    values = waves(HOURS[:COLUMNS]) + noise()
    paths = known(waves, values)
    paths[0, 3] = np.nan
    assert second_opinion(values, 72.0, paths, **TIMES) is None


def test_paths_of_another_shape_are_refused():
    with pytest.raises(ModelFailedError, match=r"answers \(25, 48\) where \(25, 144\)"):
        second_opinion(noise(), 72.0, np.zeros((25, 48)), **TIMES)


def test_the_short_list_has_the_soonest_and_then_the_likeliest():
    lines = [70.0 + slope * HOURS[:COLUMNS] + noise() for slope in (4.0, 9.0, 0.0)]
    doubtful = 79.0 + 10.0 * noise(5)
    told = forecast(np.stack([*lines, doubtful - 3.0]), 80.0, **TIMES)
    assert short_list(told, 10)[:2].tolist() == [1, 0]
    assert 2 not in short_list(told, 10)
    assert short_list(told, 1).tolist() == [1]


def test_what_nothing_is_known_of_is_not_asked():
    told = forecast(np.full((1, COLUMNS), np.nan), 80.0, **TIMES)
    assert not len(short_list(told, 10))
    assert told.method.tolist() == [None]


def test_a_light_forecast_names_its_method():
    told = forecast((60.0 + HOURS[:COLUMNS] + noise())[None], 62.0, **TIMES)
    assert told.method[0] == METHODS[int(told.weights[0].argmax())]
