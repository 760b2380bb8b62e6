"""Heavier models at work: statsforecast itself, and those of another distribution."""

import sys
import time
from datetime import timedelta

import numpy as np
import pytest

from detectors.errors import ForecasterError
from detectors.forecasting import forecast
from orchestration.steps.forecast.heavier import HeavierModel, opinions_of

COLUMNS = 576
HOURS = np.arange(1 - COLUMNS, 1) / 12.0
TIMES = {"step_hours": 1 / 12, "horizon_hours": 4.0}

PLUGIN = '''
"""Knows the waves of the test; the times that it is asked of begin where their data do."""
import os, sys, time
import numpy as np

def wave(hours):
    return 60.0 + 15.0 * np.sin(2.0 * np.pi * (hours - 1.0) / 5.0)

class Knowing:
    def paths(self, values, horizon):
        print("a model that prints")
        gone = np.isnan(values).sum(axis=1)
        ahead = np.arange(1, horizon + 1)
        return wave((ahead[None] - gone[:, None]) / 12.0)

class Failing(Knowing):
    def paths(self, values, horizon):
        raise ValueError("no such series")

class Odd(Knowing):
    def paths(self, values, horizon):
        return super().paths(values, horizon)[:, :-1]

class Hanging(Knowing):
    def paths(self, values, horizon):
        time.sleep(600.0)

class Dying(Knowing):
    def paths(self, values, horizon):
        os._exit(3)

class Unmade:
    def __init__(self):
        raise RuntimeError("no weights here")

class Needing:
    def __init__(self):
        import nothing_of_this_name

class NoForecaster:
    pass
'''
NAMES = ("Knowing", "Failing", "Odd", "Hanging", "Dying", "Unmade", "Needing", "NoForecaster")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A distribution of somebody else's, as it lies in an environment."""
    (tmp_path / "their_models.py").write_text(PLUGIN)
    info = tmp_path / "their_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-models\nVersion: 1.0\n")
    points = "".join(f"{name.lower()} = their_models:{name}\n" for name in NAMES)
    (info / "entry_points.txt").write_text(f"[fleetlake.forecasters]\n{points}")
    monkeypatch.syspath_prepend(tmp_path)


def wave():
    noise = 0.1 * np.random.default_rng(1).standard_normal(COLUMNS)
    return 60.0 + 15.0 * np.sin(2.0 * np.pi * (HOURS - 1.0) / 5.0) + noise


def doubling():
    """Every six hours; it passes 26.7 in 2.5 hours."""
    return 20.0 * 2.0 ** (HOURS / 6) + 0.2 * np.random.default_rng(1).standard_normal(COLUMNS)


def revised(name, series, thresholds, seconds=60.0, most=10):
    """The light forecasts after second opinions, and how many were replaced."""
    values, limits = np.stack(series), np.array(thresholds)
    told = forecast(values, limits, **TIMES)
    # So that all are on the short list, whatever the light methods say of them.
    told.chance[:] = np.maximum(told.chance, 0.2)
    with opinions_of(HeavierModel(name, most, seconds)) as opinions:
        opinions.consider(told, values, limits)
        return told, opinions.give(**TIMES)


def test_statsforecast_tells_better_of_what_grows_ever_faster():
    pytest.importorskip("statsforecast")
    straight = 70.0 + HOURS + 0.02 * np.sin(np.arange(COLUMNS))
    light = forecast(doubling()[None], 20.0 * 2.0 ** (2.5 / 6), **TIMES)
    told, replaced = revised(
        "statsforecast", [doubling(), straight], [20.0 * 2.0 ** (2.5 / 6), 72.0]
    )
    assert replaced == 1
    assert told.method[0] == "statsforecast"
    assert told.method[1] != "statsforecast"
    assert abs(told.eta[0] - 2.5) < abs(light.eta[0] - 2.5)
    assert told.eta_lower[0] < told.eta[0] < told.eta_upper[0]


def test_a_forecaster_of_another_distribution(plugin):
    told, replaced = revised("knowing", [wave()], [72.0])
    assert (replaced, told.method[0]) == (1, "knowing")
    assert told.eta[0] == pytest.approx(1.75, abs=0.1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("failing", "ValueError('no such series')"),
        ("odd", "answers (25, 143) where (25, 144) was asked for"),
        ("hanging", "took more than 0.5 s"),
        ("dying", "its process died"),
    ],
)
def test_what_fails_leaves_the_light_forecasts_and_is_told_once(
    plugin, monkeypatch, caplog, name, why
):
    monkeypatch.setattr("orchestration.steps.forecast.heavier.SERIES_SECONDS", 0.5)
    light = forecast(np.stack([wave(), doubling()]), np.array([72.0, 26.7]), **TIMES)
    told, replaced = revised(name, [wave(), doubling()], [72.0, 26.7])
    assert replaced == 0
    np.testing.assert_array_equal(told.eta, light.eta)
    np.testing.assert_array_equal(told.reason, light.reason)
    (record,) = caplog.records
    assert "of 2 series 2 failed and 0 were not asked" in record.getMessage()
    assert record.getMessage().endswith(why)


def test_a_round_has_its_budget_and_the_soonest_are_asked_first(plugin, caplog):
    began = time.monotonic()
    told, replaced = revised("hanging", [wave(), doubling(), doubling()], [72.0, 26.7, 30.0], 3.0)
    assert time.monotonic() - began < 8.0
    assert (replaced, told.method.tolist().count("hanging")) == (0, 0)
    assert "of 3 series 1 failed and 2 were not asked for want of time" in caplog.text


def test_of_several_blocks_no_more_are_asked_than_wanted(plugin):
    """The soonest of all, whichever block they are of."""
    values, limits = np.stack([wave()]), np.array([72.0])
    blocks = [forecast(values, limits, **TIMES) for _ in range(3)]
    for told, hours in zip(blocks, (2.0, 1.0, 3.0), strict=True):
        told.chance[:], told.eta[:] = 0.5, hours
    with opinions_of(HeavierModel("knowing", 1, 60.0)) as opinions:
        for told in blocks:
            opinions.consider(told, values, limits)
        assert opinions.give(**TIMES) == 1
    assert [told.method[0] == "knowing" for told in blocks] == [False, True, False]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nobodys", "which are: .*knowing.*statsforecast"),
        ("unmade", r"cannot be made: RuntimeError\('no weights here'\)"),
        ("needing", "needs what is not installed, No module named 'nothing_of_this_name'$"),
        ("noforecaster", "NoForecaster has no `paths`"),
    ],
)
def test_a_forecaster_that_is_not_there_or_cannot_be_loaded(plugin, name, why):
    with pytest.raises(ForecasterError, match=why) as caught:
        revised(name, [wave()], [72.0])
    assert "forecasts.heavier" in str(caught.value)
    assert caught.value.name == name


def test_of_a_missing_extra_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    """Another module of the name, that cannot be imported, hides what is installed."""
    (tmp_path / "statsforecast.py").write_text("raise ModuleNotFoundError('statsforecast')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ForecasterError, match=r"pip install 'fleetlake\[forecasts\]'$"):
        revised("statsforecast", [wave()], [72.0])


def test_nobody_is_asked_where_none_is_chosen():
    with opinions_of(None) as opinions:
        assert opinions is None


def test_of_the_lake(resources, plugin, now):
    resources.put(wave(), metric="queue_length")
    queue = {"name": "queue", "metric": "queue_length", "threshold": 72.0}
    row = resources.told(resources=[queue], heavier="knowing")
    assert (row["method"], row["coverage"], row["abstained"]) == ("knowing", None, False)
    assert row["eta_lower"] < row["eta"] <= row["eta_upper"]
    assert abs(row["eta"] - now - timedelta(hours=1.75)) <= timedelta(minutes=10)


def test_a_round_with_a_forecaster_that_is_not_there_says_so(resources):
    with pytest.raises(ForecasterError, match="'nobodys'"):
        resources.make(heavier="nobodys")


def test_a_round_is_made_though_the_model_fails(resources, line, plugin):
    resources.disk(line(1.0, 78.0))
    row = resources.told(heavier="failing")
    assert row["eta"] is not None
    assert row["method"] != "failing"
