import numpy as np
import pytest
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD

from detectors import Panel, build
from detectors.borrowed import PyODDetector, own_model
from detectors.borrowed.frozen import FROZEN
from detectors.errors import InvalidParameterError, LawBrokenError, UnknownDetectorError

MINUTE = 60_000_000


def panel_of(rows=3, columns=300, seed=0):
    values = np.random.default_rng(seed).normal(10.0, 1.0, size=(rows, columns))
    return Panel(values, 0, MINUTE, 10 + np.arange(rows))


class Farness:
    """Distance from the mean; refuses and misbehaves on demand."""

    def __init__(self, forbidden=np.inf, shape=None):
        self.forbidden, self.shape = forbidden, shape

    def fit(self, points, y=None):
        if (points > self.forbidden).any():
            raise KeyError("forbidden")
        self.mean = points.mean(axis=0)

    def decision_function(self, points):
        if (points > 10 * self.forbidden).any():
            raise KeyError("forbidden, too")
        found = np.linalg.norm(points - self.mean, axis=1)
        return found if self.shape is None else found.reshape(self.shape)


def farness(**params):
    return own_model("tests:Farness", Farness)("tests:Farness", **params)


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
    values = panel_of().values.copy()
    values[1] = 5.0
    values[2, 10:] = np.nan
    panel = Panel(values, 0, MINUTE, [10, 11, 12])
    detector = build("pyod.IForest", n_estimators=20).fit(panel)
    score = detector.score(panel).score
    assert np.isfinite(score[0, 7:]).all()
    assert np.isnan(score[1:]).all()
    # Too little data is no failure: as with every detector, it has no threshold.
    assert list(detector.failures_) == [11]
    assert "constant" in detector.failures_[11]
    back = PyODDetector.from_arrays(detector.to_arrays())
    assert back.failures_ == detector.failures_


def test_a_row_that_the_model_raises_on_is_reported_and_the_rest_goes_on():
    values = panel_of().values.copy()
    values[1, 5] = 1e6
    detector = farness(window=1, forbidden=5.0).fit(Panel(values, 0, MINUTE, [10, 11, 12]))
    assert detector.failures_ == {11: "tests:Farness: KeyError: 'forbidden'"}
    values[1, 5], values[2, 200] = 10.0, 1e6
    scores = detector.score(Panel(values, 0, MINUTE, [10, 11, 12]))
    assert scores.failures == {12: "tests:Farness: KeyError: 'forbidden, too'"}
    assert np.isfinite(scores.score[0]).all()
    assert np.isnan(scores.score[1:]).all()
    assert detector.failures_.keys() == {11}


def test_an_answer_that_is_no_score_a_point_is_a_failure():
    detector = farness(window=1, shape=(-1, 1)).fit(panel_of(1))
    assert "answers shape (" in detector.failures_[10]


def test_scores_are_the_mean_over_the_last_points():
    panel = panel_of(1)
    raw = farness(window=1, smooth=1).fit(panel)
    smooth = farness(window=1, smooth=4).fit(panel)
    single = raw.decision_function(panel)[0] + raw._zero
    wanted = [single[t - 3 : t + 1].mean() for t in range(3, 300)]
    found = smooth.decision_function(panel)[0] + smooth._zero
    np.testing.assert_allclose(found[3:], wanted, rtol=1e-5)
    assert (raw.context, smooth.context) == (0, 3)
    assert build("pyod.KNN", window=5).context == 8


def test_a_bounded_score_reaches_a_threshold_far_out():
    """A forest's score ends near .3: without its bound, 1e-6 would lie where nothing gets."""
    panel = panel_of(1, 1440)
    values = panel.values.copy()
    values[0, 700:740] = 40.0
    detector = build("pyod.HBOS", false_alarm_rate=1e-8).fit(panel)
    found = detector.score(panel.with_values(values)).score[0]
    assert found[715:740].min() > 1.0
    assert np.isfinite(detector._bound).all()
    assert not np.isfinite(build("pyod.KNN").fit(panel)._bound).any()


def test_what_is_typical_of_a_series_is_told():
    panel = panel_of(2)
    scores = build("pyod.ECOD").fit(panel).score(panel)
    np.testing.assert_allclose(np.nanmedian(scores.expected, axis=1), 10.0, atol=0.2)
    assert scores.lower is None


def test_an_entity_is_scored_while_half_of_its_metrics_report():
    panel = panel_of(4)
    values = panel.values.copy()
    values[0, 200:] = np.nan
    values[3, :280] = np.nan
    detector = build("pyod.KNN", scope="entity").fit(Panel(values, 0, MINUTE, panel.series_id))
    assert detector._used.tolist() == [0, 1, 2]
    values[1:, 250:260] *= 10.0
    score = detector.score(panel.with_values(values)).score[0]
    assert score[252:260].min() > 1.0
    values[1, 270:] = np.nan
    score = detector.score(panel.with_values(values)).score[0]
    assert np.isnan(score[270:]).all()


def test_a_batch_dependent_model_is_refused():
    with pytest.raises(LawBrokenError, match="no_batch_neighbours"):
        build("pyod.SOS").fit(panel_of(1, 120))


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
        {"smooth": 0},
        {"train_size": 3},
        {"no_such_parameter": 1},
    ],
)
def test_refuses(bad):
    with pytest.raises(InvalidParameterError):
        build("pyod.KNN", **bad)


def test_numpys_global_generator_is_left_alone():
    panel = panel_of(1, 120)
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    build("pyod.LODA").fit(panel).score(panel)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_an_empty_panel_is_learned_and_scored():
    none = Panel(np.empty((0, 50)), 0, MINUTE, [])
    detector = build("pyod.KNN").fit(none)
    assert detector.score(none).score.shape == (0, 50)
    back = PyODDetector.from_arrays(detector.to_arrays())
    assert back.score(panel_of(1)).score.shape == (1, 300)
