"""Heavier forecasters by name: ours, and those of other packages that are installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from detectors.errors import ForecasterError
from detectors.forecasting.heavier import Forecaster

GROUP = "fleetlake.forecasters"
"""Entry points: a name, and a class or function that makes a `Forecaster` without arguments."""

OURS = "detectors."
"""Beginning of the places of ours, which have the names of the packages that they need."""

NEEDS = "needs what is not installed: pip install 'fleetlake[forecasts]'"


def require_forecaster(name: str) -> EntryPoint:
    """Where a forecaster is, which is not loaded.

    Raises:
        ForecasterError: no installed package has one of this name, or what ours needs is missing.
    """
    there = {each.name: each for each in entry_points(group=GROUP)}
    if name not in there:
        known = ", ".join(sorted(there)) or "none"
        raise ForecasterError(
            name,
            f"is the name of no installed forecaster, which are: {known}; install the package that "
            f"has it as an entry point of {GROUP}",
        )
    entry = there[name]
    if entry.value.startswith(OURS) and find_spec(name) is None:
        raise ForecasterError(name, NEEDS)
    return entry


def load_forecaster(name: str) -> Forecaster:
    """Import and make a forecaster; ours takes seconds.

    Raises:
        ForecasterError: there is none of this name, a package that it needs is missing, or what
            makes it raises.
    """
    entry = require_forecaster(name)
    try:
        made: Forecaster = entry.load()()
    except ImportError as error:
        if entry.value.startswith(OURS):
            raise ForecasterError(name, NEEDS) from error
        raise ForecasterError(name, f"needs what is not installed, {error}") from error
    except Exception as error:
        raise ForecasterError(name, f"cannot be made: {error!r}") from error
    if not callable(getattr(made, "paths", None)):
        raise ForecasterError(name, f"is no forecaster: {type(made).__name__} has no `paths`")
    return made
