"""Kinds of resources by the names that people see: those of rows, and those of sentences."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from lake import Lake
from orchestration.errors import FilterError
from orchestration.forecast_settings import ForecastSettings
from orchestration.steps.forecast.listing import KINDS, Wanted, asked, held
from orchestration.steps.forecast.objectives import OBJECTIVE
from orchestration.steps.forecast.resources import BUILT_IN, resources, shown


def kinds_named(
    lake: Lake,
    settings: ForecastSettings,
    name: str,
    now: datetime,
    visible: Collection[str] | None = None,
) -> Sequence[str]:
    """The kinds that are shown by a name: several, where they tell of the same things.

    Args:
        lake: holds forecasts, which others may have made by other settings.
        settings: name kinds of their own.
        name: `volume_used` as in rows, or `volume` or `container memory` as in sentences.
        now: forecasts that hold now are looked at.
        visible: clusters that the reader may see, None = all.

    Raises:
        FilterError: there is no such kind.
    """
    known = {one.name for one in (*BUILT_IN, *resources(settings))} | {OBJECTIVE}
    found = _called(name, known)
    if not found:
        of_all: dict[str, Any] = asked(Wanted(settings.horizon, visible=visible), now)
        known |= set(lake.query(KINDS, of_all, between=held(now)).rows["resource"].to_pylist())
        found = _called(name, known)
    if not found:
        raise FilterError(
            f"no kind of resource is called {name!r}: there are {', '.join(sorted(known))}"
        )
    return found


def _called(name: str, known: Collection[str]) -> Sequence[str]:
    """Those that are called so; whoever writes the whole name of a row means that one alone.

    >>> _called("volume", ["volume", "volume_used", "volume_inodes"])
    ['volume', 'volume_used']
    >>> _called("Container memory", ["container_memory", "node_memory"])
    ['container_memory']
    """
    wanted = " ".join(name.lower().replace("_", " ").split())
    exact = [kind for kind in known if kind == name and shown(kind) != wanted]
    return exact or sorted(kind for kind in known if shown(kind).lower() == wanted)
