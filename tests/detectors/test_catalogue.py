import inspect

import numpy as np
import pytest

import detectors
from detectors import DetectorsError, Panel, build, errors
from detectors.catalogue import from_arrays, names
from detectors.errors import InvalidParameterError, InvalidStateError, UnknownDetectorError


def test_every_own_name_builds():
    for name in names():
        if not name.startswith("pyod."):
            assert build(name).get_params()


def test_unknown_name_lists_close_ones():
    with pytest.raises(UnknownDetectorError, match="window_memory"):
        build("windows_memory")


def test_unknown_parameter():
    with pytest.raises(InvalidParameterError, match="memory"):
        build("window_memory", memroy=3)


def test_state_goes_back_to_its_own_class(tmp_path):
    panel = Panel(np.random.default_rng(0).normal(size=(2, 300)), 0, 60_000_000, [1, 2])
    for name in ("window_memory", "entity_memory", "pyod.ECOD"):
        detector = build(name).fit(panel)
        np.savez(tmp_path / "state.npz", **detector.to_arrays())
        with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
            back = from_arrays(dict(arrays))
        assert type(back) is type(detector)
        assert back.get_params() == detector.get_params()
        assert back.score(panel).score.tobytes() == detector.score(panel).score.tobytes()


def test_bad_state():
    panel = Panel(np.random.default_rng(0).normal(size=(2, 300)), 0, 60_000_000, [1, 2])
    arrays = build("window_memory").fit(panel).to_arrays()
    with pytest.raises(UnknownDetectorError):
        from_arrays({})
    with pytest.raises(InvalidStateError, match="version"):
        from_arrays(arrays | {"version": np.array(99)})
    for name in arrays:
        if name != "detector":
            with pytest.raises(InvalidStateError, match=name):
                from_arrays({key: value for key, value in arrays.items() if key != name})


def test_error_tree_is_drawn_whole():
    for name, found in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(found, DetectorsError)
        assert name in errors.__doc__


def test_public_names():
    assert all(hasattr(detectors, name) for name in detectors.__all__)
