"""Detectors by name, for configuration files."""

from __future__ import annotations

import inspect
from typing import Any, Literal

from detectors.base import Detector
from detectors.borrowed import PooledDetector, PyODDetector, own_model, own_pooled
from detectors.borrowed.registry import pyod_names
from detectors.errors import (
    DetectorsError,
    InvalidParameterError,
    OwnDetectorError,
    UnknownDetectorError,
)
from detectors.memory import EntityMemory, WindowMemory
from detectors.names import close_matches
from detectors.online import OnlineLevel
from detectors.own_class import is_path, load

OWN: dict[str, type[Detector]] = {
    "window_memory": WindowMemory,
    "entity_memory": EntityMemory,
    "online_level": OnlineLevel,
}
PYOD_PREFIX = "pyod."
POOLED_PREFIX = "pooled."


def build(name: str, **params: Any) -> Detector:
    """Return an unfitted detector.

    Args:
        name: "window_memory", "entity_memory", "online_level"; "pyod." and a PyOD class name;
            "pooled." and the same, for one model of a family; or the path of a class of the
            user's own, "package.module:Class", which is imported. One that is no `Detector`
            has PyOD's words, and may stand after "pooled.", too.
        **params: the detector's constructor arguments.

    Raises:
        UnknownDetectorError: if nothing has that name; the message lists close ones.
        OwnDetectorError: if a class of the user's own cannot be imported or is no detector.
        InvalidParameterError: if the detector has no such parameter or refuses its value.

    >>> build("window_memory", memory=64).get_params()["memory"]
    64
    """
    return _made(name, _class_of(name), params)


def build_for(scope: Literal["series", "entity"], name: str, **params: Any) -> Detector:
    """Return `build`, told the scope if it scores either; else it has its own."""
    kind = _class_of(name)
    given = {"scope": scope} if issubclass(kind, PyODDetector) else {}
    return _made(name, kind, given | params)


def is_ours(name: str) -> bool:
    """Whether the name is one of this package's own detectors, which are known to be lawful."""
    return name in OWN


def from_arrays(arrays: dict[str, Any], *kinds: type[Detector]) -> Detector:
    """Return the fitted detector that wrote these arrays.

    Args:
        arrays: what `Detector.to_arrays` gave. Nothing is imported because they say so.
        kinds: classes of users' own that may have written them, as `type(build(path))`.

    Raises:
        UnknownDetectorError: if they name no detector of the catalogue or of `kinds`.
        InvalidStateError: if they are incomplete or of another version.
    """
    written = str(arrays.get("detector", "nothing"))
    known: list[type[Detector]] = [*OWN.values(), PyODDetector, PooledDetector, *kinds]
    classes = {kind.__name__: kind for kind in known}
    if written not in classes:
        raise UnknownDetectorError(written, close_matches(written, classes))
    return classes[written].from_arrays(arrays)


def names() -> list[str]:
    """Return every name `build` knows without importing a user's module, PyOD's last."""
    return [*OWN, *(PYOD_PREFIX + name for name in pyod_names())]


def _class_of(name: str) -> type[Detector]:
    if name.startswith(POOLED_PREFIX):
        return _pooled_class_of(name.removeprefix(POOLED_PREFIX))
    if name.startswith(PYOD_PREFIX) and not is_path(name):
        return PyODDetector
    if is_path(name):
        found = load(name)
        return found if issubclass(found, Detector) else own_model(name, found)  # type: ignore[arg-type]
    if name not in OWN:
        raise UnknownDetectorError(name, close_matches(name, names()))
    return OWN[name]


def _pooled_class_of(name: str) -> type[Detector]:
    if not is_path(name):
        return PooledDetector
    found = load(name)
    if issubclass(found, Detector):
        rule = "is a whole detector: only a class with PyOD's words can be pooled"
        raise OwnDetectorError(name, rule)
    return own_pooled(name, found)  # type: ignore[arg-type] # a class has a hash


def _made(name: str, kind: type[Detector], params: dict[str, Any]) -> Detector:
    if issubclass(kind, PyODDetector | PooledDetector):
        of = name.removeprefix(POOLED_PREFIX).removeprefix("" if kind.own else PYOD_PREFIX)
        return kind(of, **params)
    known = inspect.signature(kind).parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in known.values())
    for given in () if takes_any else params:
        if given not in known:
            rule = f"{name} has no such parameter, only {', '.join(known)}"
            raise InvalidParameterError(given, params[given], rule)
    if is_ours(name):
        return kind(**params)
    try:
        return kind(**params)
    except DetectorsError:
        raise
    except Exception as error:
        rule = f"{name} cannot be made of them: {type(error).__name__}: {error}"
        raise InvalidParameterError("parameters", params, rule) from error
