"""One model for a family of series: new ones, restless ones, and what decides nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Panel, build
from detectors.borrowed import pool
from detectors.borrowed.features import window_features
from detectors.borrowed.smoothing import trailing_mean
from detectors.errors import InvalidParameterError, NotFittedError, PanelMismatchError

MINUTE = 60_000_000
DAY = 1440


def family(rows=20, columns=2 * DAY, seed=0):
    """Daily waves with noise, each series in its own unit."""
    rng = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * (np.arange(columns) / DAY + rng.uniform(size=(rows, 1))))
    unit = 10.0 ** rng.uniform(-3, 9, size=(rows, 1))
    values = unit * (10.0 + wave + 0.3 * rng.normal(size=(rows, columns)))
    return Panel(values, 0, MINUTE, 100 + np.arange(rows))


def day_one(panel):
    return panel.window(0, DAY * MINUTE)


@pytest.fixture(scope="module")
def fitted():
    return build("pooled.KNN").fit(day_one(family()))


def test_a_fault_of_any_series_is_found_and_a_normal_day_is_quiet(fitted):
    panel = family()
    assert np.nanmax(fitted.score(panel).score[:, DAY:]) < 1.0
    values = panel.values.copy()
    fault = slice(2000, 2040)
    values[:, fault] *= 1.5
    score = fitted.score(panel.with_values(values)).score
    assert (score[:, fault].max(axis=1) > 1.0).all()


def test_a_new_series_is_scored_after_an_hour_and_not_before(fitted):
    grown = family(rows=3, seed=5)
    values = grown.values.copy()
    values[:, : DAY - 60] = np.nan
    values[1, : DAY - 40] = np.nan
    young = Panel(values, 0, MINUTE, [7, 8, 9])
    adopted = fitted.adopt(day_one(young))
    scores = adopted.score(young).score
    assert np.isnan(scores[1]).all()
    later = scores[[0, 2], DAY : DAY + 100]
    assert np.isfinite(later).all()
    assert later.max() < 1.0
    values[:, DAY + 60 : DAY + 100] *= 1.6
    loud = adopted.score(Panel(values, 0, MINUTE, [7, 8, 9])).score
    assert (loud[[0, 2], DAY + 60 : DAY + 100].max(axis=1) > 1.0).all()
    assert (adopted.threshold_[[0, 2]] >= fitted.threshold_.min()).all()


def test_a_young_series_alone_teaches_nothing():
    panel = Panel(family(rows=2).values[:, :100], 0, MINUTE, [1, 2])
    detector = build("pooled.KNN").fit(panel)
    assert not detector.has_learned
    assert np.isnan(detector.score(panel).score).all()
    assert np.isnan(detector.adopt(panel).score(panel).score).all()


def test_a_restless_series_has_its_limit_raised_and_lowers_nobodys():
    panel = day_one(family())
    values = panel.values.copy()
    rng = np.random.default_rng(1)
    bursts = np.repeat(rng.uniform(size=(1, DAY // 40)) < 0.2, 40, axis=1)
    values[3] = 10.0 + 8.0 * bursts + 0.01 * rng.normal(size=(1, DAY))
    detector = build("pooled.KNN").fit(panel.with_values(values))
    threshold = detector.threshold_
    assert threshold[3] > 1.5 * np.median(threshold)
    assert threshold.min() == detector._pool.usual.threshold[0]


def test_the_order_of_the_family_decides_nothing():
    panel = day_one(family(rows=8))
    order = np.random.default_rng(2).permutation(8)
    mixed = Panel(panel.values[order], 0, MINUTE, panel.series_id[order])
    one, two = (build("pooled.KNN", train_size=500).fit(each) for each in (panel, mixed))
    np.testing.assert_allclose(one.score(panel).score, two.score(panel).score, rtol=1e-6)


def test_adopting_the_family_itself_is_the_same_model(fitted):
    panel = family()
    again = fitted.adopt(day_one(panel))
    assert again.score(panel).score.tobytes() == fitted.score(panel).score.tobytes()


@pytest.mark.parametrize("cells", [1, 5000])
def test_how_many_rows_are_in_work_at_once_decides_nothing(monkeypatch, cells):
    panel = day_one(family(rows=5))
    whole = build("pooled.ECOD").fit(panel).score(panel).score
    monkeypatch.setattr(pool, "CELLS", cells)
    assert build("pooled.ECOD").fit(panel).score(panel).score.tobytes() == whole.tobytes()


def test_a_model_that_cannot_be_fitted_is_told_for_every_series():
    constant = Panel(np.ones((3, DAY)), 0, MINUTE, [1, 2, 3])
    detector = build("pooled.IForest", n_estimators=10).fit(constant)
    assert detector.failures_.keys() == {1, 2, 3}
    assert "constant" in detector.failures_[1]
    assert np.isnan(detector.score(constant).score).all()


def test_a_row_that_the_model_raises_on_costs_no_other_its_score(fitted, monkeypatch):
    panel = family(rows=20)
    values = panel.values.copy()
    values[4, 2000] *= 1e6
    model = fitted._pool.models[0]
    answer = type(model).ask

    def ask(self, points):
        if np.abs(points).max() > 1e4:
            raise pool_failure
        return answer(self, points)

    from detectors.errors import ModelFailedError  # noqa: PLC0415

    pool_failure = ModelFailedError("pyod.KNN", "singular")
    monkeypatch.setattr(type(model), "ask", ask)
    scores = fitted.score(panel.with_values(values))
    assert scores.failures == {104: "pyod.KNN: singular"}
    assert np.isnan(scores.score[4]).all()
    assert np.isfinite(scores.score[[3, 5], 100:]).all()


def test_adopt_wants_a_fit_and_the_same_step(fitted):
    panel = day_one(family(rows=2))
    with pytest.raises(NotFittedError):
        build("pooled.KNN").adopt(panel)
    with pytest.raises(PanelMismatchError):
        fitted.adopt(Panel(panel.values, 0, 2 * MINUTE, panel.series_id))


@pytest.mark.parametrize(
    "bad",
    [
        {"window": 12},
        {"window": 0},
        {"smooth": 0},
        {"train_size": 5},
        {"held_out": 5},
        {"young": 5},
        {"young": 100, "grown": 50},
        {"no_such_parameter": 1},
    ],
)
def test_refuses(bad):
    with pytest.raises(InvalidParameterError):
        build("pooled.KNN", **bad)


@given(seed=st.integers(0, 999), gaps=st.floats(0.0, 0.6), late=st.integers(1, 20))
def test_features_are_those_of_the_window_wherever_the_array_begins(seed, gaps, late):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(2, 60))
    z[rng.uniform(size=z.shape) < gaps] = np.nan
    whole = window_features(z, 16)
    part = window_features(z[:, late:], 16)
    # Where the whole window is there, bit for bit.
    assert whole[:, late + 15 :].tobytes() == part[:, 15:].tobytes()
    known = ~np.isnan(whole[..., 0])
    for row, t in zip(*np.nonzero(known), strict=True):
        window = z[row, max(t - 15, 0) : t + 1]
        np.testing.assert_allclose(whole[row, t, 8], np.nanstd(window), atol=1e-9)
        assert whole[row, t, 10] == z[row, t]
        np.testing.assert_allclose(whole[row, t, 0], np.nanmean(z[row, t - 1 : t + 1]))


@given(seed=st.integers(0, 999), columns=st.integers(1, 12))
def test_trailing_means_are_over_what_is_there(seed, columns):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=30)
    values[rng.uniform(size=30) < 0.3] = np.nan
    found = trailing_mean(values, columns)
    for t in range(30):
        window = values[max(t - columns + 1, 0) : t + 1]
        if np.isnan(values[t]):
            assert np.isnan(found[t])
        else:
            np.testing.assert_allclose(found[t], np.nanmean(window))
