import numpy as np
import pytest
from scipy.stats import poisson

from detectors import Panel, build, find_intervals
from detectors.errors import InvalidParameterError, NotFittedError, PanelMismatchError
from detectors.memory import WindowMemory

MINUTE = 60_000_000
DAY = 1440


def second_day(scores):
    scores.score[:, :DAY] = 0.0
    return scores


def test_fleet_false_alarms_and_faults(make_fleet):
    false, found, faults = 0, 0, 0
    for seed in (10, 11):
        fleet = make_fleet(seed)
        detector = build("window_memory").fit(fleet.train)
        quiet = find_intervals(second_day(detector.score(fleet.panel)), 5, 5)
        loud = find_intervals(second_day(detector.score(fleet.faulty)), 5, 5)
        false += len(quiet)
        for row, (_, start, end) in fleet.faults.items():
            faults += 1
            found += bool(((loud.row == row) & (loud.start < end) & (loud.end > start)).any())
    assert false <= 4, "two a day and cluster"
    assert found >= 0.97 * faults


def test_a_clean_fleet_stays_within_its_budget(make_fleet):
    """Two false alerts a day of 250 series: over four days at most what chance allows of eight."""
    rate = 2.0 / (250 * DAY)
    false = 0
    for seed in (20, 21, 22, 23):
        fleet = make_fleet(seed)
        detector = build("window_memory", false_alarm_rate=rate).fit(fleet.train)
        false += len(find_intervals(second_day(detector.score(fleet.panel)), 5, 5))
    assert false <= poisson.ppf(0.975, 8)


def test_start_is_near_the_onset(make_fleet):
    fleet = make_fleet(12, 100)
    detector = build("window_memory").fit(fleet.train)
    loud = find_intervals(second_day(detector.score(fleet.faulty)), 5, 5)
    sudden = {r: f for r, f in fleet.faults.items() if f[0] in ("down", "error rate", "saturation")}
    for row, (_, start, end) in sudden.items():
        mine = (loud.row == row) & (loud.start < end) & (loud.end > start)
        assert abs(int(loud.start[mine][0]) - start) <= 1


def test_band_contains_the_normal_and_not_the_fault(make_fleet):
    fleet = make_fleet(13, 100)
    detector = build("window_memory").fit(fleet.train)
    scores = detector.score(fleet.panel)
    known = np.isfinite(scores.score)
    for band in (scores.expected, scores.lower, scores.upper):
        assert np.isfinite(band[known]).all()
    values = fleet.panel.values
    inside = (values >= scores.lower) & (values <= scores.upper)
    assert inside[known].mean() > 0.995
    faulty = detector.score(fleet.faulty)
    for row, (fault, start, end) in fleet.faults.items():
        if fault in ("down", "error rate", "saturation", "shift"):
            value = fleet.faulty.values[row, start:end]
            out = (value > faulty.upper[row, start:end]) | (value < faulty.lower[row, start:end])
            assert out.mean() > 0.5


def test_a_small_ripple_on_a_huge_level_is_kept():
    rng = np.random.default_rng(0)
    values = 1e10 * (1.0 + 0.2 * rng.normal(size=(1, 600)))
    near = Panel(values, 0, MINUTE, [1])
    far = Panel(values / 1e13, 0, MINUTE, [1])
    train = 400 * MINUTE
    one = WindowMemory().fit(near.window(0, train)).decision_function(near)
    two = WindowMemory().fit(far.window(0, train)).decision_function(far)
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("level", "moved"), [(1.0, 0.0), (0.0, 5.0), (1e9, 1.5e9), (0.002, 0.01), (0.95, 0.5)]
)
def test_constant_series(level, moved):
    rng = np.random.default_rng(0)
    values = np.full((1, 700), level) * (1.0 + 1e-4 * rng.normal(size=(1, 700)))
    values[0, 650:660] = moved
    panel = Panel(values, 0, MINUTE, [1])
    score = WindowMemory().fit(panel.window(0, 500 * MINUTE)).score(panel).score[0]
    assert np.nanmax(score[:650]) < 1.0
    assert score[650:660].min() > 1.0


def test_masked_training_values_are_not_learned():
    rng = np.random.default_rng(0)
    values = rng.normal(100.0, 3.0, size=(1, 1000))
    values[0, 300:330] = 500.0
    values[0, 900:930] = 500.0
    panel = Panel(values, 0, MINUTE, [1])
    masked = values[:, :600].copy()
    masked[0, 300:330] = np.nan
    learned = WindowMemory().fit(Panel(values[:, :600], 0, MINUTE, [1])).score(panel).score[0]
    spared = WindowMemory().fit(Panel(masked, 0, MINUTE, [1])).score(panel).score[0]
    assert learned[902:930].max() < 1.0
    assert spared[902:930].min() > 1.0


def test_rows_follow_series_ids():
    rng = np.random.default_rng(0)
    panel = Panel(rng.normal(10, 1, size=(3, 500)), 0, MINUTE, [5, 6, 7])
    detector = WindowMemory().fit(panel)
    other = Panel(panel.values[[2, 0, 1]], 0, MINUTE, [7, 99, 6])
    score = detector.score(other).score
    whole = detector.score(panel).score
    assert score[0].tobytes() == whole[2].tobytes()
    assert np.isnan(score[1]).all()
    assert score[2].tobytes() == whole[1].tobytes()


def test_too_short_a_training_range_tells_nothing():
    panel = Panel(np.ones((2, 10)), 0, MINUTE, [1, 2])
    scores = WindowMemory().fit(panel).score(panel)
    assert np.isnan(scores.score).all()
    assert np.isnan(scores.p_value).all()


def test_empty_panels():
    empty = Panel(np.empty((0, 0)), 0, MINUTE, [])
    assert WindowMemory().fit(empty).score(empty).score.shape == (0, 0)
    panel = Panel(np.random.default_rng(0).normal(size=(2, 300)), 0, MINUTE, [1, 2])
    assert WindowMemory().fit(panel).score(panel.window(0, 0)).score.shape == (2, 0)


def test_needs_fit_and_the_same_step():
    panel = Panel(np.ones((1, 300)), 0, MINUTE, [1])
    with pytest.raises(NotFittedError):
        WindowMemory().score(panel)
    with pytest.raises(NotFittedError):
        WindowMemory().to_arrays()
    with pytest.raises(PanelMismatchError, match="step"):
        WindowMemory().fit(panel).score(Panel(panel.values, 0, 2 * MINUTE, [1]))


@pytest.mark.parametrize(
    "bad",
    [
        {"lengths": ()},
        {"lengths": (0, 4)},
        {"lengths": (16, 4)},
        {"lengths": (4, 4)},
        {"lengths": (4, 20)},
        {"memory": 0},
        {"least_change": 0.0},
        {"false_alarm_rate": 0.0},
        {"margin": -1.0},
    ],
)
def test_refuses(bad):
    panel = Panel(np.ones((1, 300)), 0, MINUTE, [1])
    with pytest.raises(InvalidParameterError):
        WindowMemory(**bad).fit(panel)
