"""Detectors that users wrote: classes by their path, "package.module:Class".

Importing runs the module. So a path may come from the settings and the command line, never from a
request, a table or a stored state: `load` is called by `catalogue.build` alone.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from detectors.errors import OwnDetectorError

SEPARATOR = ":"
WORDS = ("fit", "decision_function")


def is_path(name: str) -> bool:
    """Whether a detector's name is the path of a class.

    >>> is_path("acme.detectors:Fence"), is_path("pyod.KNN")
    (True, False)
    """
    return SEPARATOR in name


def load(path: str) -> type[Any]:
    """Import a class that has the words of a detector.

    Raises:
        OwnDetectorError: there is no such module or class, importing it raises, or it is no class
            with `fit` and `decision_function`.
    """
    module, _, name = path.partition(SEPARATOR)
    if not (name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise OwnDetectorError(path, "is no path of a class: write it as package.module:Class")
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise OwnDetectorError(
            path,
            f"there is no module {error.name!r} here: install its package beside fleetlake, or "
            "name its folder in PYTHONPATH",
        ) from error
    except AttributeError as error:
        raise OwnDetectorError(
            path, f"cannot be had: {error}; what stands after {SEPARATOR!r} is the class's name"
        ) from error
    except Exception as error:
        raise OwnDetectorError(
            path, f"importing {module!r} raises {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, type):
        raise OwnDetectorError(path, f"is a {type(found).__name__}, a class is needed")
    missing = [word for word in WORDS if not callable(getattr(found, word, None))]
    if missing:
        raise OwnDetectorError(
            path,
            f"has no {' and no '.join(missing)}: derive it from detectors.Detector, or give it "
            "the words of PyOD: fit(points) and decision_function(points)",
        )
    return found


def loaded(path: str) -> bool:
    """Whether the class's module has been imported in this process."""
    return path.partition(SEPARATOR)[0] in sys.modules
