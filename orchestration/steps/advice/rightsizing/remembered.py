"""What limits did before all that is looked at: of that, advice that was followed still tells.

Under the larger limit nothing happens any more, and so nothing would tell that a smaller one does
not do: the limit would be lowered and raised again, for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps import paging
from orchestration.steps.advice.rightsizing.inventory import Inventory

Float64 = npt.NDArray[np.float64]

THROTTLED_AT, KILLED_AT = "limit that throttled it", "limit that killed it"
"""Facts in the evidence."""

REMEMBERED = timedelta(days=90)
"""Advice that was last written so long ago tells nothing any more: software changes."""

FOLLOWED = """
SELECT cluster, entity, evidence FROM advice
WHERE adviser = 'rightsizing' AND effect IS NOT NULL AND made_at >= $since
"""


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """Limits under which each of `n` containers was in trouble, before advice was followed.

    Attributes:
        throttled_at, killed_at: cores and bytes `[n]`, NaN = none is known.
    """

    throttled_at: Float64
    killed_at: Float64

    @classmethod
    def nothing(cls, n: int) -> Remembered:
        """No advice was followed."""
        return cls(np.full(n, np.nan), np.full(n, np.nan))


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
    by = {THROTTLED_AT: found.throttled_at, KILLED_AT: found.killed_at}
    followed = run(snapshot, FOLLOWED, {"since": now - REMEMBERED})
    for row in paging.rows(followed.rows):
        one = place.get((row["cluster"], row["entity"]))
        if one is None:
            continue
        for fact in json.loads(row["evidence"]):
            if fact["what"] in by and fact["value"] is not None:
                by[fact["what"]][one] = float(fact["value"])
    return found
