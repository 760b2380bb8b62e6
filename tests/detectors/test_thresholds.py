import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.thresholds import (
    BODY_POINTS,
    TAIL_FRACTION,
    TAIL_SHAPE,
    Calibration,
    calibrate,
)


def test_the_rate_holds_on_fresh_scores_of_the_same_law():
    rng = np.random.default_rng(0)
    for draw in (rng.exponential, lambda size: np.abs(rng.normal(size=size))):
        fit = calibrate(draw(size=(40, 1440)).astype("f4"), 1e-3)
        passed = (draw(size=(40, 20_000)).astype("f4") >= fit.threshold[:, None]).mean()
        assert passed <= 1e-3


def test_p_values_fall_with_the_score_and_are_uniform_in_the_body():
    rng = np.random.default_rng(1)
    fit = calibrate(rng.exponential(size=(1, 5000)).astype("f4"), 1e-4)
    grid = np.linspace(0.0, 50.0, 500, dtype="f4")[None]
    p = fit.p_values(grid)[0]
    assert (np.diff(p) <= 0).all()
    assert p[0] <= 1.0
    assert p[-1] > 0.0
    fresh = fit.p_values(rng.exponential(size=(1, 5000)).astype("f4"))[0]
    assert abs(np.mean(fresh < 0.3) - 0.3) < 0.03
    assert fit.p_values(fit.threshold[:, None])[0, 0] == pytest.approx(1e-4, rel=0.01)


def test_equal_scores_get_the_floor():
    fit = calibrate(np.zeros((2, 100), dtype="f4"), 1e-4, floor=[1.0, 2.0])
    assert fit.threshold.tolist() == [1.0, 2.0]
    assert fit.p_values(np.array([[0.0], [5.0]], dtype="f4")).ravel().tolist() == [
        pytest.approx(1.0),
        pytest.approx(0.0, abs=1e-6),
    ]


def test_too_few_scores_have_no_threshold():
    scores = np.full((2, 100), np.nan, dtype="f4")
    scores[1, :30] = np.arange(30)
    fit = calibrate(scores, 1e-3)
    assert np.isnan(fit.threshold).tolist() == [True, False]
    assert np.isnan(fit.p_values(scores)[0]).all()


def test_gaps_do_not_count():
    rng = np.random.default_rng(2)
    full = rng.exponential(size=(1, 500)).astype("f4")
    gappy = np.full((1, 1000), np.nan, dtype="f4")
    gappy[0, ::2] = full[0]
    assert calibrate(gappy, 1e-3).threshold == calibrate(full, 1e-3).threshold


@pytest.mark.parametrize("bad", [{"false_alarm_rate": 0.0}, {"false_alarm_rate": 0.1}])
def test_refuses_rates(bad):
    with pytest.raises(InvalidParameterError, match="false_alarm_rate"):
        calibrate(np.zeros((1, 50), dtype="f4"), **bad)


def test_refuses_margin():
    with pytest.raises(InvalidParameterError, match="margin"):
        calibrate(np.zeros((1, 50), dtype="f4"), 1e-3, margin=0.0)


def one_by_one(fit, scores):
    """P-values as their definition reads, a row at a time."""
    out = np.full(scores.shape, np.nan, np.float32)
    survival = np.linspace(1.0, TAIL_FRACTION, BODY_POINTS)
    for row, values in enumerate(scores.astype(np.float64)):
        body = fit.body[row]
        if np.isnan(body[0]):
            continue
        first = np.flatnonzero(np.diff(body, prepend=-np.inf) > 0.0)
        inside = np.interp(values, body[first], survival[first])
        excess = np.maximum(values - body[-1], 0.0) / max(fit.spread[row], 1e-12)
        tail = TAIL_FRACTION * (1.0 + TAIL_SHAPE * excess) ** (-1.0 / TAIL_SHAPE)
        out[row] = np.where(values > body[-1], tail, inside)
        out[row, np.isnan(values)] = np.nan
    return out


def test_p_values_of_many_rows_are_those_of_each_alone():
    rng = np.random.default_rng(4)
    scores = rng.exponential(size=(1500, 120)).astype("f4")
    scores[::3] = np.round(scores[::3])  # ties in the body
    scores[1::50] = 0.5
    scores[2::50] = np.nan
    scores[rng.random(scores.shape) < 0.1] = np.nan
    fit = calibrate(scores, 1e-3)
    for factor in (1.0, 0.9, 5.0, -1.0):
        fresh = np.float32(factor) * np.roll(scores, 7, axis=0)
        expected = one_by_one(fit, fresh)
        assert np.isnan(expected).any()
        np.testing.assert_array_equal(fit.p_values(fresh), expected)
    np.testing.assert_array_equal(fit.p_values(fit.body.astype("f4"))[2::50], np.nan)


def test_p_values_of_no_rows():
    nothing = np.empty(0, "f4")
    none = Calibration(np.empty((0, BODY_POINTS)), np.empty(0), nothing, nothing, 1e-4)
    assert none.p_values(np.empty((0, 5), "f4")).shape == (0, 5)


def test_a_margin_counts_in_p_values_too():
    scores = np.random.default_rng(5).exponential(size=(3, 2000)).astype("f4")
    plain, wide = calibrate(scores, 1e-4), calibrate(scores, 1e-4, margin=2.0)
    np.testing.assert_allclose(wide.threshold, 2.0 * plain.threshold, rtol=1e-6)
    np.testing.assert_allclose(wide.p_values(wide.threshold[:, None]), 1e-4, rtol=1e-4)


def test_limits_at_other_rates():
    scores = np.random.default_rng(6).exponential(size=(3, 2000)).astype("f4")
    scores[2] = 0.0
    fit = calibrate(scores, 1e-5, floor=1.0, margin=1.5)
    times = np.array([1.0, 10.0, 1000.0, 1e9])
    limits = np.stack([fit.limits(np.full(4, row), times) for row in range(3)])
    assert limits[:, 0].tobytes() == fit.threshold.tobytes()
    assert (np.diff(limits[:2], axis=1) < 0).all()
    np.testing.assert_allclose(fit.p_values(limits)[:2, :3], [[1e-5, 1e-4, 1e-2]] * 2, rtol=1e-3)
    assert (limits[2] == 1.0).all(), "no rate lets the least move that may count pass"
    assert (limits >= 1.0).all()
