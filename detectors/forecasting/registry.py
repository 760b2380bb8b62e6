"""Heavier forecasters by name: ours, and those of other packages that are installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from detectors.errors import ForecasterError
from detectors.forecasting.heavier import Forecaster

GROUP = "fleetlake.forecasters"
"""Entry points: a name, and a class or function that makes a `Forecaster` without arguments."""

OURS = "detectors."


def require_forecaster(name: str) -> EntryPoint:
    """Where a forecaster is, which is not loaded.

    Raises:
        ForecasterError: no installed package has one of this name.
    """
    there = {each.name: each for each in entry_points(group=GROUP)}
    if name not in there:
        known = ", ".join(sorted(there)) or "none"
        raise ForecasterError(
            name,
            f"is the name of no installed forecaster, which are: {known}; install the package that "
            f"has it as an entry point of {GROUP}",
        )
    return there[name]


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
        ours = entry.value.startswith(OURS)
        hint = ": pip install 'fleetlake[forecasts]'" if ours else ""
        raise ForecasterError(name, f"needs what is not installed, {error}{hint}") from error
    except Exception as error:
        raise ForecasterError(name, f"cannot be made: {error!r}") from error
    if not callable(getattr(made, "paths", None)):
        raise ForecasterError(name, f"is no forecaster: {type(made).__name__} has no `paths`")
    return made
