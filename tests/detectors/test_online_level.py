import numpy as np
import pytest

from detectors import Panel, build
from detectors.catalogue import from_arrays
from detectors.errors import InvalidParameterError
from detectors.online import LevelState, Rule

MINUTE = 60_000_000
DAY = 1440


def noise(law, rng, shape):
    return {
        "gaussian": lambda: rng.normal(100.0, 5.0, shape),
        "laplace": lambda: rng.laplace(100.0, 5.0, shape),
        "lognormal": lambda: rng.lognormal(0.0, 1.0, shape),
        "counts": lambda: rng.poisson(2.0, shape),
        "student, infinite variance": lambda: rng.standard_t(2, shape),
        "rare errors": lambda: rng.poisson(0.02, shape) / 60.0,
    }[law]()


@pytest.mark.parametrize("law", ["gaussian", "laplace", "lognormal", "counts"])
def test_false_alarms_of_noise_are_at_the_rate_asked_for(law):
    values = noise(law, np.random.default_rng(0), (150, 4 * DAY)).astype(np.float32)
    alarms = LevelState(150, Rule(false_alarm_rate=1e-4)).replay(values) >= 1.0
    # A day to learn; then twice the rate passes for luck: 65 are due in so many columns.
    assert alarms[:, DAY:].mean() < 2e-4
    assert alarms[:, DAY:].sum(axis=1).max() < 20


@pytest.mark.parametrize("law", ["student, infinite variance", "rare errors"])
def test_no_tail_is_so_heavy_that_it_alarms_all_day(law):
    values = noise(law, np.random.default_rng(1), (100, 4 * DAY)).astype(np.float32)
    alarms = LevelState(100).replay(values) >= 1.0
    assert alarms[:, -DAY:].mean() < 4e-4
    assert alarms[:, -DAY:].sum(axis=1).max() < 10


def test_a_lower_rate_gives_fewer_alarms():
    values = np.random.default_rng(2).laplace(100.0, 5.0, (100, 3 * DAY)).astype(np.float32)
    counts = [
        (LevelState(100, Rule(false_alarm_rate=rate)).replay(values) >= 1.0).sum()
        for rate in (1e-2, 1e-3, 1e-4)
    ]
    assert counts[0] > 2 * counts[1] > 4 * counts[2] > 0


def steady(n_times, seed=0, n_series=20):
    return np.random.default_rng(seed).normal(100.0, 5.0, (n_series, n_times)).astype(np.float32)


@pytest.mark.parametrize("height", [100.0, 1e4, 1e9, 1e36])
def test_a_spike_is_seen_and_drags_nothing(height):
    values = steady(1200)
    state = LevelState(20)
    state.replay(values[:, :1000])
    before = state.copy()
    spike = state.tick(np.full(20, height, np.float32) + 100.0)
    assert spike.min() > 2.0
    after = dict(zip(range(5), state.fields.T[:5], strict=True))
    # Four scales of five, taken in by the long mean's gain and the short one's.
    assert np.abs(after[2] - before.fields[:, 2]).max() < 0.5
    assert np.abs(after[1] - before.fields[:, 1]).max() < 4.0
    assert (after[3] / before.fields[:, 3]).max() < 1.03
    assert (state.replay(values[:, 1001:]) < 1.0).all()


def test_a_lasting_shift_is_an_alarm_for_the_time_stated_and_normal_then():
    values = steady(2600)
    values[:, 2000:] += 50.0
    score = LevelState(20, Rule(relearn=120)).replay(values)
    assert (score[:, :2000] >= 1.0)[:, 200:].mean() < 5e-4
    assert (score[:, 2000:2110] >= 1.0).mean() > 0.9
    assert (score[:, 2140:] >= 1.0).mean() < 1e-3


def test_a_small_lasting_shift_shows_where_no_single_column_does():
    values = steady(3000, n_series=50)
    values[:, 2880:2940] += 15.0
    score = LevelState(50).replay(values)
    # Three standard deviations, found in twenty columns.
    assert (score[:, 2880:2900] >= 1.0).any(axis=1).mean() > 0.9


def test_a_constant_series_that_moves_once():
    """Replicas from three to four, a flag from zero to one."""
    values = np.repeat(np.array([[3.0], [0.0], [1e10]], np.float32), 1000, axis=1)
    values[:, 500:] = np.array([[4.0], [1.0], [2e10]])
    score = LevelState(3, Rule(relearn=120)).replay(values)
    assert np.nanmax(score[:, :500]) < 1.0
    assert score[:, 500:620].min() > 1.0
    assert score[:, 620:].max() < 1.0


def test_the_end_of_an_incident_is_no_incident():
    values = steady(2200, n_series=50)
    values[:, 2000:2060] += 60.0
    score = LevelState(50).replay(values)
    assert (score[:, 2000:2060] >= 1.0).mean() > 0.9
    # The short mean needs its window to come back.
    assert (score[:, 2090:] >= 1.0).mean() < 1e-3


def test_columns_after_the_fit_score_as_they_would_have_live():
    panel = Panel(steady(1500), 0, MINUTE, np.arange(20))
    detector = build("online_level").fit(panel.window(0, 1000 * MINUTE))
    live = LevelState(20)
    live.replay(panel.values[:, :1000])
    ticks = np.stack([live.tick(column) for column in panel.values[:, 1000:].T], axis=1)
    found = detector.decision_function(panel)[:, 1000:]
    assert found.tobytes() == ticks.tobytes()
    assert detector.score(panel).score[:, 1000:].tobytes() == ticks.tobytes()


def test_columns_before_the_fits_end_do_not_count_twice():
    panel = Panel(steady(1500), 0, MINUTE, np.arange(20))
    detector = build("online_level").fit(panel.window(0, 1000 * MINUTE))
    whole = detector.decision_function(panel)
    assert np.isfinite(whole).all(), "the past is scored too"
    late = detector.decision_function(panel.window(1000 * MINUTE, panel.end))
    assert whole[:, 1000:].tobytes() == late.tobytes()


def test_the_band_holds_what_is_normal():
    panel = Panel(steady(1500), 0, MINUTE, np.arange(20))
    values = panel.values.copy()
    values[:, 1200] = 200.0
    scores = (
        build("online_level").fit(panel.window(0, 1000 * MINUTE)).score(panel.with_values(values))
    )
    outside = (values < scores.lower) | (values > scores.upper)
    assert outside[:, 1200].all()
    assert outside[:, :1200].mean() < 1e-3
    assert np.abs(scores.expected - 100.0).max() < 15.0


def test_comes_back_by_its_name(tmp_path):
    panel = Panel(steady(500), 0, MINUTE, np.arange(20))
    detector = build("online_level", short=10, false_alarm_rate=1e-3).fit(panel)
    np.savez(tmp_path / "state.npz", **detector.to_arrays())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        back = from_arrays(dict(arrays))
    assert back.get_params() == detector.get_params()
    assert back.score(panel).score.tobytes() == detector.score(panel).score.tobytes()


def test_empty_and_unknown():
    panel = Panel(steady(500, n_series=2), 0, MINUTE, [1, 2])
    detector = build("online_level").fit(panel)
    assert detector.score(panel.window(0, 0)).score.shape == (2, 0)
    other = Panel(panel.values, 500 * MINUTE, MINUTE, [2, 3])
    score = detector.score(other).score
    assert np.isfinite(score[0]).all()
    assert np.isnan(score[1]).all()
    empty = Panel(np.empty((0, 0)), 0, MINUTE, [])
    assert build("online_level").fit(empty).score(empty).score.shape == (0, 0)


@pytest.mark.parametrize(
    "bad",
    [
        {"short": 1},
        {"long": 30},
        {"warm_up": 30},
        {"relearn": 30},
        {"false_alarm_rate": 0.0},
        {"false_alarm_rate": 0.1},
        {"least_change": 0.0},
        {"margin": 0.0},
    ],
)
def test_refuses(bad):
    with pytest.raises(InvalidParameterError):
        build("online_level", **bad)
