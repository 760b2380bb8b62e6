"""The newest values of metrics with the labels that are asked for: how things are set now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot

RECENT = timedelta(minutes=30)
"""How old a value may be: some exporters are asked seldom."""

ENTITY = ("namespace", "workload", "pod", "container", "node")

NEWEST = f"""
WITH told AS (
    SELECT series_id, arg_max(last, time) AS value, max(time) AS seen
    FROM buckets(INTERVAL 5 MINUTE)
    WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
    GROUP BY ALL
)
SELECT cluster, metric, {", ".join(ENTITY)}, value,
       list_transform($names, lambda name: labels[name]) AS told,
       CASE WHEN $whole THEN map_entries(labels) END AS entries
FROM series JOIN told USING (series_id) WHERE list_contains($metrics, metric)
QUALIFY seen >= max(seen) OVER (PARTITION BY cluster, metric) - INTERVAL 5 MINUTE
ORDER BY seen, cluster, metric, {", ".join(ENTITY)}, value, told
"""  # noqa: S608 - column names are ours
"""What has ended is not told any more while the others of its cluster and metric are."""


def newest(
    snapshot: Snapshot,
    metrics: Sequence[str],
    labels: Sequence[str],
    now: datetime,
    whole: bool = False,
) -> pl.DataFrame:
    """A row a series that is told of at a time: entity columns, `value`, a column a label.

    Those that are told of last come last.

    Args:
        snapshot: where they are.
        metrics: of which.
        labels: each becomes a column `label NAME`, null where it is not there.
        now: what is later is not looked at.
        whole: whether all labels are given, in `entries` (`key`, `value`); for metrics whose
            labels are named by their users.
    """
    between = TimeRange(now - RECENT, now)
    params = {
        "metrics": list(metrics),
        "names": list(labels),
        "start": between.start,
        "end": between.end,
        "whole": whole,
    }
    rows = pl.DataFrame(run(snapshot, NEWEST, params, between).rows)
    found = rows.with_columns(
        pl.col("told").list.get(place, null_on_oob=True).alias(f"label {name}")
        for place, name in enumerate(labels)
    )
    return found.drop("told") if whole else found.drop("told", "entries")
