"""Clusters of whose GPUs too little was told of late to say of one that nobody used it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.placement.unused import (
    COVER,
    SLOTS_AN_HOUR,
    UTILISATION,
    loads,
)
from orchestration.steps.advice.silence import FORGOTTEN

TOLD = """
SELECT cluster, count(DISTINCT time) FILTER (time >= $recent) AS slots
FROM buckets(INTERVAL 5 MINUTE)
WHERE time >= $start AND time < $end AND metric = $metric
GROUP BY cluster
"""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What was not told, as while an exporter is down, and some hours after.

    Attributes:
        clusters: of which something was told within a day, but with a gap of late.
        used: cluster and entity of what was used all the same, by what was told.
    """

    clusters: frozenset[str]
    used: frozenset[tuple[str, str]]

    def hide(self, cluster: str, entity: str) -> bool:
        """Whether nothing speaks against its being as it was."""
        return cluster in self.clusters and (cluster, entity) not in self.used


def gaps(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> Gaps:
    """Gaps in what is told of GPUs, over the time after which one counts as unused."""
    own = settings.placement
    between = TimeRange(now - max(FORGOTTEN, own.unused_after), now)
    params = {
        "metric": UTILISATION,
        "recent": now - own.unused_after,
        "start": between.start,
        "end": between.end,
    }
    told = pl.DataFrame(run(snapshot, TOLD, params, between).rows)
    hours = own.unused_after.total_seconds() / 3600.0
    clusters = told.filter(pl.col("slots") < COVER * SLOTS_AN_HOUR * hours)["cluster"]
    if clusters.is_empty():
        return Gaps(frozenset(), frozenset())
    used = loads(snapshot, now, settings).filter(pl.col("most") > own.unused_percent)
    return Gaps(frozenset(clusters), frozenset(used.select("cluster", "entity").iter_rows()))
