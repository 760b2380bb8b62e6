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

CONTROL = r"[\x00-\x1f]"
"""Characters that no name of Kubernetes has, and by which lists of names are put together here."""

GOING = """
told AS (
    SELECT cluster, metric, series_id, max(time) AS seen,
           arg_max(value, time) FILTER (isfinite(value) AND value >= 0) AS value,
           bool_and(isfinite(value) AND value >= 0) AS sound,
           (epoch(max(time)) - epoch(min(time))) / nullif(count(*) - 1, 0) AS pace
    FROM samples
    WHERE time >= $start AND time < $end AND list_contains($metrics, metric)
    GROUP BY ALL
), newest AS (
    SELECT cluster, metric, max(seen) AS newest, median(pace) AS usual FROM told GROUP BY ALL
), going AS (
    SELECT series_id, value, sound, seen FROM told JOIN newest USING (cluster, metric)
    WHERE epoch(newest) - epoch(seen)
          <= greatest(least($missed * greatest(pace, usual), $longest), $shortest)
)
"""
"""What has ended is not told any more while the others of its cluster and metric are: by its own
pace or theirs it is late."""

MISSED = 3.0
"""Paces after which it is late: with one less, who is asked at another time and does not answer
once would be gone, and with it all that one exporter tells of."""

SHORTEST, LONGEST = 120.0, 600.0
"""Seconds after which it is late, however often or seldom it is told."""

NEWEST = f"""
WITH {GOING}
SELECT cluster, metric, {", ".join(ENTITY)}, value,
       list_transform($names, lambda name: labels[name]) AS told,
       CASE WHEN $whole THEN map_entries(labels) END AS entries,
       sound AND NOT odd AS sound, value IS NOT NULL AND NOT odd AS usable
FROM (
    SELECT *, regexp_matches(
        concat_ws('', {", ".join(ENTITY)}, array_to_string(map_values(labels), '')), $control
    ) AS odd
    FROM series WHERE list_contains($metrics, metric)
) JOIN going USING (series_id)
ORDER BY seen, cluster, metric, {", ".join(ENTITY)}, value, told
"""  # noqa: S608 - column names are ours


def newest(
    snapshot: Snapshot,
    metrics: Sequence[str],
    labels: Sequence[str],
    now: datetime,
    whole: bool = False,
) -> pl.DataFrame:
    """A row a series that is told of at a time: entity columns, `value`, a column a label.

    Those that are told of last come last. Values are finite and not negative, and no label has a
    control character: what cannot be is left out, a sample where it is a sample, else the series.

    Args:
        snapshot: where they are.
        metrics: of which.
        labels: each becomes a column `label NAME`, null where it is not there.
        now: what is later is not looked at.
        whole: whether all labels are given, in `entries` (`key`, `value`); for metrics whose
            labels are named by their users.
    """
    return newest_and_unsound(snapshot, metrics, labels, now, whole)[0]


def newest_and_unsound(
    snapshot: Snapshot,
    metrics: Sequence[str],
    labels: Sequence[str],
    now: datetime,
    whole: bool = False,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As `newest`, and the series of which something was left out: their entity columns."""
    between = TimeRange(now - RECENT, now)
    params = {
        "metrics": list(metrics),
        "names": list(labels),
        "start": between.start,
        "end": between.end,
        "whole": whole,
        "control": CONTROL,
        "missed": MISSED,
        "shortest": SHORTEST,
        "longest": LONGEST,
    }
    rows = pl.DataFrame(run(snapshot, NEWEST, params, between).rows)
    unsound = rows.filter(~pl.col("sound")).select("cluster", "metric", *ENTITY)
    found = rows.filter("usable").with_columns(
        pl.col("told").list.get(place, null_on_oob=True).alias(f"label {name}")
        for place, name in enumerate(labels)
    )
    more = ("sound", "usable", "told")
    return found.drop(more if whole else (*more, "entries")), unsound
