import numpy as np
import pytest

from detectors.errors import InvalidPanelError, InvalidParameterError, InvalidStateError
from detectors.online import LevelState, Rule
from detectors.online.fields import FIELDS


def values_of(n_series, n_times, seed=0):
    """Noise of many units, with gaps and spikes."""
    rng = np.random.default_rng(seed)
    unit = 10.0 ** rng.integers(-3, 9, (n_series, 1))
    values = unit * rng.normal(10.0, 1.0, (n_series, n_times))
    values[rng.uniform(size=values.shape) < 0.02] *= 5.0
    values[rng.uniform(size=values.shape) < 0.05] = np.nan
    return values.astype(np.float32)


def test_at_most_64_bytes_a_series():
    state = LevelState(1000)
    assert state.fields.shape == (1000, len(FIELDS))
    assert state.fields.nbytes <= 64 * 1000


def test_a_replay_is_a_tick_a_column():
    values = values_of(700, 400)
    live, replayed, banded = (LevelState(700) for _ in range(3))
    ticks = np.stack([live.tick(column) for column in values.T], axis=1)
    assert replayed.replay(values).tobytes() == ticks.tobytes()
    assert banded.replay_bands(values)[0].tobytes() == ticks.tobytes()
    assert live.fields.tobytes() == replayed.fields.tobytes() == banded.fields.tobytes()


def test_a_restart_changes_no_byte(tmp_path):
    values = values_of(50, 600)
    state = LevelState(50, Rule(short=10, long=100))
    state.replay(values[:, :300])
    np.savez(tmp_path / "state.npz", **state.to_arrays())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        back = LevelState.from_arrays(dict(arrays))
    assert back.rule == state.rule
    assert back.replay(values[:, 300:]).tobytes() == state.replay(values[:, 300:]).tobytes()
    assert back.fields.tobytes() == state.fields.tobytes()


def test_what_comes_back_moves_on_its_own():
    state = LevelState(2)
    state.tick(np.ones(2, np.float32))
    arrays = state.to_arrays()
    back, copy = LevelState.from_arrays(arrays), state.copy()
    back.tick(np.full(2, 5.0, np.float32))
    copy.tick(np.full(2, 5.0, np.float32))
    assert (state.fields[:, 0] == 1.0).all()


def test_series_come_and_go():
    values = values_of(6, 500)
    whole = LevelState(6)
    whole.replay(values[:, :300])
    # Series 4 and 1 stay, in another order; one is new between them, two after.
    part = whole.take([4, -1, 1]).extend(2)
    assert part.n_series == 5
    found = part.replay(values[[4, 0, 1, 2, 3], 300:])
    wanted = whole.replay(values[:, 300:])
    assert found[[0, 2]].tobytes() == wanted[[4, 1]].tobytes()
    fresh = LevelState(3).replay(values[[0, 2, 3], 300:])
    assert found[[1, 3, 4]].tobytes() == fresh.tobytes()


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -np.inf])
def test_no_data_moves_nothing(nothing):
    state = LevelState(3)
    state.replay(values_of(3, 300))
    before = state.fields.copy()
    assert np.isnan(state.tick(np.full(3, nothing, np.float32))).all()
    assert state.fields.tobytes() == before.tobytes()


def test_no_verdict_before_enough_is_seen():
    values = np.random.default_rng(0).normal(10.0, 1.0, (1, 200)).astype(np.float32)
    values[0, 50:60] = np.nan
    score = LevelState(1, Rule(warm_up=100)).replay(values)[0]
    assert np.isnan(score[:110]).all()
    assert np.isfinite(score[110:]).all()


def test_the_largest_floats_overflow_nothing():
    rng = np.random.default_rng(0)
    most = np.finfo(np.float32).max
    values = rng.choice(np.array([-most, 0.0, 1.0, most], np.float32), (5, 1000))
    state = LevelState(5)
    score = state.replay(values)
    assert np.isfinite(state.fields).all()
    assert np.isfinite(score[:, 120:]).all()


def test_misshapen_values():
    state = LevelState(3)
    with pytest.raises(InvalidPanelError, match="3 series"):
        state.tick(np.ones(2, np.float32))
    with pytest.raises(InvalidPanelError, match="3 series"):
        state.replay(np.ones((2, 5), np.float32))
    with pytest.raises(InvalidPanelError, match="3 series"):
        state.replay_bands(np.ones((4, 5), np.float32))


def test_bad_arrays():
    arrays = LevelState(3).to_arrays()
    for name in arrays:
        with pytest.raises(InvalidStateError, match=name):
            LevelState.from_arrays({key: value for key, value in arrays.items() if key != name})
    with pytest.raises(InvalidStateError, match="version"):
        LevelState.from_arrays(arrays | {"level_version": np.array(99)})
    with pytest.raises(InvalidStateError, match="shape"):
        LevelState.from_arrays(arrays | {"level_fields": np.zeros((3, 3), np.float32)})


def test_no_series():
    state = LevelState(0)
    assert state.tick(np.empty(0, np.float32)).shape == (0,)
    assert state.replay(np.empty((0, 7), np.float32)).shape == (0, 7)


@pytest.mark.parametrize("rule", ["{", "[]", '{"shoe": 1}', '{"short": 0}', '{"short": "x"}'])
def test_a_rule_that_is_none_is_refused(rule):
    arrays = LevelState(3).to_arrays()
    with pytest.raises(InvalidStateError, match="rule"):
        LevelState.from_arrays(arrays | {"level_rule": np.array(rule)})


@pytest.mark.parametrize("positions", [[0, 3], [-2]])
def test_takes_only_what_is_there(positions):
    with pytest.raises(InvalidParameterError, match="positions"):
        LevelState(3).take(positions)
