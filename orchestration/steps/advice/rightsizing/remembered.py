"""What was before advice was followed: the effect of that keeps it, longer than history goes back.

Under a larger limit nothing happens any more, and so nothing would tell that a smaller one does
not do: it would be lowered and raised again, for ever. And what takes a part of what it is given,
as a heap that is sized by the limit, takes less under each smaller one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps import paging
from orchestration.steps.advice.rightsizing.inventory import Inventory

Float64 = npt.NDArray[np.float64]

THROTTLED_AT, KILLED_AT = "limit that throttled it", "limit that killed it"
PEAK = "highest outside starts of a pod"
"""Facts in the evidence."""

REMEMBERED = timedelta(days=90)
"""What was followed so long ago tells nothing any more: software changes."""

LESS, ALIKE = 0.9, 0.15
"""A limit and a use that are so much smaller are others; parts of limits that are no further apart
are the same part."""

FOLLOWED = """
SELECT cluster, entity, effect FROM advice
WHERE adviser = 'rightsizing' AND effect IS NOT NULL
"""


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """Limits under which each of `n` containers was in trouble, before advice was followed.

    Attributes:
        throttled_at, killed_at: cores and bytes `[n]`, NaN = none is known.
        memory_limit, memory_peak: what was set before, and used under it outside starts `[n]`.
    """

    throttled_at: Float64
    killed_at: Float64
    memory_limit: Float64
    memory_peak: Float64

    @classmethod
    def nothing(cls, n: int) -> Remembered:
        """No advice was followed."""
        return cls(*np.full((4, n), np.nan))

    def takes_its_part(self, limit: Float64, peak: Float64) -> npt.NDArray[np.bool_]:
        """Which use less under a smaller limit, and the same part of it `[n]`.

        Args:
            limit: of memory, that is set now `[n]`.
            peak: the highest use of memory under it, outside starts `[n]`.
        """
        smaller = (limit < LESS * self.memory_limit) & (peak < LESS * self.memory_peak)
        parts = (peak / limit) / (self.memory_peak / self.memory_limit)
        result: npt.NDArray[np.bool_] = smaller & (np.abs(parts - 1.0) <= ALIKE)
        return result


def kept(row: Mapping[str, Any]) -> dict[str, object]:
    """What is to be remembered of an advice that is followed, for its effect.

    Args:
        row: of `advice`, parsed.
    """
    facts = {fact["what"]: fact["value"] for fact in row["evidence"]}
    told = {what: facts.get(what) for what in (THROTTLED_AT, KILLED_AT, PEAK)}
    return {"before": {**row["current"], **told}}


def remembered(snapshot: Snapshot, inventory: Inventory, now: datetime) -> Remembered:
    """What is known of each container; of one whose release counts alone, nothing.

    Args:
        snapshot: where the advice is.
        inventory: of which containers.
        now: the time.
    """
    found = Remembered.nothing(inventory.containers.height)
    columns = ("index", "cluster", "namespace", "workload", "container")
    names = inventory.containers.filter(~inventory.containers["before"]).select(columns)
    place = {(cluster, "/".join(entity)): index for index, cluster, *entity in names.iter_rows()}
    followed = paging.rows(run(snapshot, FOLLOWED, {}).rows)
    for row in followed:
        effect = json.loads(row["effect"])
        before = effect.get("before")
        one = place.get((row["cluster"], row["entity"]))
        if one is None or before is None:
            continue
        if datetime.fromisoformat(effect["applied_at"]) < now - REMEMBERED:
            continue
        for what, values in (
            (THROTTLED_AT, found.throttled_at),
            (KILLED_AT, found.killed_at),
            ("memory_limit_bytes", found.memory_limit),
        ):
            values[one] = np.fmax(values[one], _number(before.get(what)))
        if "memory_limit_bytes" in before:
            found.memory_peak[one] = _number(before.get(PEAK))
    return found


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
