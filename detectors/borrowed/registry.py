"""PyOD's detectors by class name, read from PyOD's own table of algorithms.

Importing PyOD costs seconds (scikit-learn, numba); nothing here imports it before it is asked.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from detectors.errors import InvalidParameterError, UnknownDetectorError
from detectors.names import close_matches


def pyod_names() -> list[str]:
    """Return the class names of all detectors PyOD ships for tables of numbers."""
    entries = _knowledge().list_by_data_type("tabular")
    return sorted(entry["name"] for entry in entries)


def make_model(name: str, seed: int, params: dict[str, Any]) -> Any:
    """Return an unfitted PyOD model.

    Args:
        name: class name, as in `pyod_names`.
        seed: see `make`.
        params: see `make`.

    Raises:
        UnknownDetectorError: if PyOD has no such detector, or an extra it needs is not installed.
        InvalidParameterError: if the class refuses the parameters.
    """
    entry = _knowledge().get_algorithm(name)
    if entry is None or "tabular" not in entry["data_types"]:
        raise UnknownDetectorError(f"pyod.{name}", close_matches(name, pyod_names(), "pyod."))
    module, _, class_name = entry["class_path"].rpartition(".")
    try:
        with quiet():
            found = getattr(importlib.import_module(module), class_name)
    except ImportError as error:
        raise UnknownDetectorError(f"pyod.{name} (needs {error.name or error})", ()) from error
    return make(found, f"pyod.{name}", seed, params)


def make(found: type, title: str, seed: int, params: dict[str, Any]) -> Any:
    """Return an unfitted model of a class.

    Args:
        found: the class.
        title: for messages.
        seed: given as `random_state` where the class takes one and `params` has none.
        params: the class's own parameters.

    Raises:
        InvalidParameterError: if the class refuses the parameters.
    """
    given = dict(params)
    try:
        if "random_state" in inspect.signature(found).parameters:
            given.setdefault("random_state", seed)
        return found(**given)
    except Exception as error:
        raise InvalidParameterError("parameters", params, f"refused by {title}: {error}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the warnings of numerical code that is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            yield


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Fix numpy's global generator, which some PyOD models draw from, and put it back after."""
    before = np.random.get_state()  # noqa: NPY002 - PyOD's generator, not our choice
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _knowledge() -> Any:
    return importlib.import_module("pyod.utils.knowledge").KnowledgeBase()
