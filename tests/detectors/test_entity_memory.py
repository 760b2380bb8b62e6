import numpy as np
import pytest

from detectors import Panel
from detectors.errors import InvalidParameterError, NoTrainingDataError
from detectors.memory import EntityMemory

MINUTE = 60_000_000


def host(n_times=800, seed=0):
    """Two metrics that move together, one in bytes, and a constant third."""
    rng = np.random.default_rng(seed)
    load = np.sin(np.arange(n_times) / 20.0)
    values = np.stack([load, 1e9 * (3 + load), np.ones(n_times)])
    values[:2] += np.array([[0.05], [5e7]]) * rng.normal(size=(2, n_times))
    return values


def test_metrics_in_range_but_never_so_together():
    values = host()
    values[1, 700:720] = 1e9 * (3 - np.sin(np.arange(700, 720) / 20.0))
    panel = Panel(values, 0, MINUTE, [1, 2, 3])
    detector = EntityMemory().fit(panel.window(0, 600 * MINUTE))
    score = detector.score(panel).score
    assert score.shape == (1, 800)
    assert np.nanmax(score[0, 600:700]) < 1.0
    assert score[0, 710:720].min() > 1.0, "at the latest from the tenth column on"


def test_names_the_metric_with_what_was_expected_of_it():
    values = host()
    values[1, 700:720] = 0.0
    panel = Panel(values[[2, 0, 1]], 0, MINUTE, [3, 1, 2])
    detector = EntityMemory().fit(Panel(values[:, :600], 0, MINUTE, [1, 2, 3]))
    found = detector.score(panel)
    assert (found.driver[0, 700:720] == 2).all(), "the row of the panel that was scored"
    expected = found.expected[0, 700:720]
    assert (expected >= values[1, :600].min() * 0.999).all(), "a value that was remembered"
    assert (expected <= values[1, :600].max() * 1.001).all()
    assert (found.lower[0, 700:720] > 0.0).all(), "the value is below the band"


@pytest.mark.parametrize(("metric", "side"), [(0, "upper"), (1, "lower"), (2, "upper")])
def test_the_band_ends_where_the_metric_alone_would_alarm(metric, side):
    """A lasting move of one metric to the band's end is at the threshold, others as remembered."""
    values = host()
    # One remembered state: no other becomes the nearest on the way.
    detector = EntityMemory(memory=1).fit(Panel(values[:, :600], 0, MINUTE, [1, 2, 3]))
    still = np.repeat(values[:, 599:600], 60, axis=1)
    still[metric, :] += -1e11 if side == "lower" else 1e11
    found = detector.score(Panel(still, 0, MINUTE, [1, 2, 3]))
    assert found.driver[0, 59] == metric
    at_end = still.copy()
    at_end[metric] = getattr(found, side)[0, 59]
    state = detector.score(Panel(at_end, 0, MINUTE, [1, 2, 3]))
    assert state.score[0, 59] == pytest.approx(1.0, abs=0.01)


def test_no_driver_where_nothing_can_be_told():
    values = host()
    values[:, 700:720] = np.nan
    panel = Panel(values, 0, MINUTE, [1, 2, 3])
    found = EntityMemory().fit(panel.window(0, 600 * MINUTE)).score(panel)
    assert (found.driver[0, 700:720] == -1).all()
    assert np.isnan(found.expected[0, 700:720]).all()
    assert np.isnan(found.score[0, 700:720]).all()


def test_metrics_that_the_others_foretell_weigh_more():
    rng = np.random.default_rng(0)
    load = np.sin(np.arange(900) / 20.0)
    noise = rng.normal(size=(4, 900))
    values = np.concatenate([load + 0.01 * noise[:3], noise[3:]])
    panel = Panel(values, 0, MINUTE, [1, 2, 3, 4])
    weight = EntityMemory().fit(panel).to_arrays()["weight"]
    np.testing.assert_allclose(np.mean(weight**2), 1.0, rtol=1e-5)
    assert weight[:3].min() > 1.2 * weight[3]


def test_leaving_a_metric_s_range_counts_whatever_the_others_do():
    """Its nearest state may be the nearest to the others: the range is asked of each alone."""
    values = host()
    values[2] += 0.01 * np.random.default_rng(1).normal(size=800)
    within, beyond = values.copy(), values.copy()
    within[1, 700:730] = values[1, :600].max()
    beyond[1, 700:730] = values[1, :600].max() + 1e9
    scores = []
    for changed in (within, beyond):
        panel = Panel(changed, 0, MINUTE, [1, 2, 3])
        detector = EntityMemory().fit(panel.window(0, 600 * MINUTE))
        scores.append(detector.decision_function(panel)[0, 729])
    arrays = detector.to_arrays()
    assert arrays["high"].shape == arrays["low"].shape == (3,)
    assert scores[1] > 1.5 * scores[0]


def test_a_missing_metric_does_not_blind():
    values = host()
    panel = Panel(values, 0, MINUTE, [1, 2, 3])
    detector = EntityMemory().fit(panel.window(0, 600 * MINUTE))
    two = Panel(values[:2], 0, MINUTE, [1, 2])
    assert np.isfinite(detector.score(two).score).all()
    one = Panel(values[:1], 0, MINUTE, [1])
    assert np.isnan(detector.score(one).score).all(), "less than half of the metrics"


def test_a_metric_without_training_data_is_left_out():
    values = host()
    values[2, :600] = np.nan
    panel = Panel(values, 0, MINUTE, [1, 2, 3])
    detector = EntityMemory().fit(panel.window(0, 600 * MINUTE))
    assert np.isfinite(detector.score(panel).score[0, 600:]).all()


def test_nothing_to_learn_from():
    with pytest.raises(NoTrainingDataError):
        EntityMemory().fit(Panel(np.full((2, 50), np.nan), 0, MINUTE, [1, 2]))
    with pytest.raises(NoTrainingDataError):
        EntityMemory().fit(Panel(np.ones((2, 5)), 0, MINUTE, [1, 2]))


@pytest.mark.parametrize("bad", [{"memory": 0}, {"apart": 0}, {"least_change": -1.0}])
def test_refuses(bad):
    with pytest.raises(InvalidParameterError):
        EntityMemory(**bad)
