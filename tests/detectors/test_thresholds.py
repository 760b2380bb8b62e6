import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.thresholds import calibrate


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
