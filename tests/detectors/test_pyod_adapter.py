import numpy as np
import pytest
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD

from detectors import Panel, build
from detectors.errors import InvalidParameterError, LawBrokenError, UnknownDetectorError
from detectors.pyod_adapter import PyODDetector
from detectors.pyod_frozen import FROZEN

MINUTE = 60_000_000


@pytest.mark.parametrize("model", [ECOD, COPOD])
def test_frozen_is_what_pyod_says_to_a_batch_of_one(model):
    rng = np.random.default_rng(0)
    # Plainly skewed columns: one more row cannot turn the sign of the skewness.
    train = np.stack([rng.exponential(size=300), -rng.exponential(size=300)], axis=1).round(2)
    points = np.concatenate([train[:20], rng.normal(size=(30, 2)) * 2])
    fitted = model().fit(train)
    wanted = [fitted.decision_function(point[None])[0] for point in points]
    found = FROZEN[model.__name__](train, points)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_singular_row_is_reported_and_the_rest_goes_on():
    rng = np.random.default_rng(0)
    values = rng.normal(10.0, 1.0, size=(3, 300))
    values[1] = 5.0
    values[2, 10:] = np.nan
    panel = Panel(values, 0, MINUTE, [10, 11, 12])
    detector = build("pyod.IForest", n_estimators=20).fit(panel)
    score = detector.score(panel).score
    assert np.isfinite(score[0, 7:]).all()
    assert np.isnan(score[1:]).all()
    assert sorted(detector.failures_) == [11, 12]
    assert "constant" in detector.failures_[11]
    back = PyODDetector.from_arrays(detector.to_arrays())
    assert back.failures_ == detector.failures_


def test_a_batch_dependent_model_is_refused():
    panel = Panel(np.random.default_rng(0).normal(size=(1, 120)), 0, MINUTE, [1])
    with pytest.raises(LawBrokenError, match="no_batch_neighbours"):
        build("pyod.SOS").fit(panel)


def test_unknown_names_list_close_ones():
    with pytest.raises(UnknownDetectorError) as caught:
        build("pyod.iforst")
    assert "pyod.IForest" in caught.value.matches
    with pytest.raises(UnknownDetectorError):
        build("pyod.TimeSeriesOD")


@pytest.mark.parametrize(
    "bad",
    [
        {"scope": "cluster"},
        {"window": 0},
        {"train_size": 3},
        {"no_such_parameter": 1},
    ],
)
def test_refuses(bad):
    with pytest.raises(InvalidParameterError):
        build("pyod.KNN", **bad)


def test_numpys_global_generator_is_left_alone():
    panel = Panel(np.random.default_rng(0).normal(size=(1, 120)), 0, MINUTE, [1])
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    build("pyod.LODA").fit(panel).score(panel)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
