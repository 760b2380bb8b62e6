"""Detectors by name, for configuration files."""

from __future__ import annotations

import inspect
from typing import Any

from detectors.base import Detector
from detectors.errors import InvalidParameterError, UnknownDetectorError
from detectors.memory import EntityMemory, WindowMemory
from detectors.names import close_matches
from detectors.online import OnlineLevel
from detectors.pyod_adapter import PyODDetector
from detectors.pyod_registry import pyod_names

OWN: dict[str, type[Detector]] = {
    "window_memory": WindowMemory,
    "entity_memory": EntityMemory,
    "online_level": OnlineLevel,
}
PYOD_PREFIX = "pyod."


def build(name: str, **params: Any) -> Detector:
    """Return an unfitted detector.

    Args:
        name: "window_memory", "entity_memory", "online_level" or "pyod." and a PyOD class name.
        **params: the detector's constructor arguments.

    Raises:
        UnknownDetectorError: if nothing has that name; the message lists close ones.
        InvalidParameterError: if the detector has no such parameter or refuses its value.

    >>> build("window_memory", memory=64).get_params()["memory"]
    64
    """
    if name.startswith(PYOD_PREFIX):
        return PyODDetector(name.removeprefix(PYOD_PREFIX), **params)
    if name not in OWN:
        raise UnknownDetectorError(name, close_matches(name, names()))
    known = inspect.signature(OWN[name]).parameters
    for given in params:
        if given not in known:
            rule = f"{name} has no such parameter, only {', '.join(known)}"
            raise InvalidParameterError(given, params[given], rule)
    return OWN[name](**params)


def from_arrays(arrays: dict[str, Any]) -> Detector:
    """Return the fitted detector that wrote these arrays, whichever of ours it was.

    Raises:
        UnknownDetectorError: if they name no detector of the catalogue.
        InvalidStateError: if they are incomplete or of another version.
    """
    written = str(arrays.get("detector", "nothing"))
    kinds: list[type[Detector]] = [*OWN.values(), PyODDetector]
    classes = {kind.__name__: kind for kind in kinds}
    if written not in classes:
        raise UnknownDetectorError(written, close_matches(written, classes))
    return classes[written].from_arrays(arrays)


def names() -> list[str]:
    """Return every name `build` knows, PyOD's last."""
    return [*OWN, *(PYOD_PREFIX + name for name in pyod_names())]
