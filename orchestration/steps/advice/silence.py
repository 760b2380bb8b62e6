"""Clusters whose exporter is down: what rests on it is unknown for a while, not changed."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.steps.advice.newest import newest

FORGOTTEN = timedelta(days=1)
"""What nothing has been told of for so long may be anything by now."""

TOLD = """
SELECT DISTINCT cluster FROM buckets(INTERVAL 1 HOUR)
WHERE time >= $start AND time < $end AND metric = $metric
"""


def silent_clusters(snapshot: Snapshot, metric: str, now: datetime) -> frozenset[str]:
    """Clusters of which nothing is told now, and was within a day.

    Args:
        snapshot: where that is told.
        metric: one that an exporter tells of every cluster.
        now: what is later is not looked at.
    """
    between = TimeRange(now - FORGOTTEN, now)
    params = {"start": between.start, "end": between.end, "metric": metric}
    before = pl.DataFrame(run(snapshot, TOLD, params, between).rows)["cluster"]
    return frozenset(before) - frozenset(newest(snapshot, [metric], [], now)["cluster"])
