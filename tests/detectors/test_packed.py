import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from detectors.memory.packed import PackedWindows

means = some.arrays(
    np.float32,
    (3, 4, 5),
    elements=st.floats(-1000.0, 1000.0, width=32, allow_subnormal=False),
)


@given(means)
def test_what_comes_back_is_near_what_went_in(windows):
    packed = PackedWindows.empty(3, 4, 5)
    packed.put(slice(0, 3), windows)
    reach = (windows.max(axis=1) - windows.min(axis=1)) / 250
    level = np.abs(windows).max(axis=(1, 2)) / 8000
    allowed = reach[:, None] + level[:, None, None] + 1e-7
    assert (np.abs(packed.means() - windows) <= allowed).all()


def test_a_quiet_window_stays_exact_beside_a_loud_one():
    windows = np.zeros((1, 16, 2), np.float32)
    windows[0, :, 0] = np.linspace(-0.5, 0.5, 16)
    windows[0, 3, 1] = 38.0
    packed = PackedWindows.empty(1, 16, 2)
    packed.put(slice(0, 1), windows)
    assert np.abs(packed.means() - windows)[0, :, 0].max() < 0.006


def test_unused_places_are_never_near():
    windows = np.full((1, 2, 3), np.inf, np.float32)
    windows[0, :, 0] = 1.0
    packed = PackedWindows.empty(1, 2, 3)
    packed.put(slice(0, 1), windows)
    assert np.isinf(packed.means()[0, :, 1:]).all()
    assert np.isinf(PackedWindows.empty(2, 2, 2).means()).all()


def test_arrays_hold_all_of_it():
    windows = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    packed = PackedWindows.empty(2, 3, 4)
    packed.put(slice(0, 2), windows)
    back = PackedWindows.from_arrays(packed.to_arrays("memory"), "memory")
    assert back.means().tobytes() == packed.means().tobytes()
    assert (
        sum(array.nbytes for array in packed.to_arrays("memory").values())
        == 2 * 4 * (3 + 4) + 2 * 4
    )
