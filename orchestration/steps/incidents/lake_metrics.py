"""Metrics of entities from the lake, around the time when something broke."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from detectors import Panel
from detectors.causes import Rows
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.causes.metric_rows import MetricRows, micros
from orchestration.steps.causes.series_codes import BASELINE, INCIDENT
from orchestration.steps.families import lookup
from orchestration.steps.incidents.entities import NODE, entity_of
from orchestration.steps.incidents.topology import Place, Topology
from orchestration.steps.panels import SeriesInfo, align, info, read_panel

Labels = dict[str, str | None]

MOST_SERIES = 20_000
"""Of the entities that come into question; those of who behaves unusually are read first."""

ENTITY = "entity"
SHOWN_LABELS = (
    "response_code",
    "le",
    "quantile",
    "mode",
    "device",
    "mountpoint",
    "result",
    "persistentvolumeclaim",
)
"""Labels that tell series of one metric and entity apart, where there are any."""

SERIES = f"""
SELECT series_id, cluster, metric, kind, first_seen, {", ".join(ENTITY_COLUMNS)},
       list_transform($names, lambda name: labels[name]) AS told,
       list_transform($shown, lambda name: labels[name]) AS shown,
       labels['persistentvolumeclaim'] AS claim
FROM series
WHERE list_contains($clusters, cluster) AND last_seen >= $since AND first_seen < $end
  AND regexp_full_match(metric, $include) AND NOT regexp_full_match(metric, $exclude)
  AND (list_contains($workloads, workload) OR list_contains($workloads, service)
       OR list_contains($nodes, node) OR list_contains($instances, instance))
ORDER BY metric, cluster, series_id
"""  # noqa: S608 - column names are ours


def metrics_of(
    snapshot: Snapshot,
    settings: DetectionSettings,
    known: Topology,
    places: Collection[Place],
    at: datetime,
    baseline: timedelta,
    window: timedelta,
) -> MetricRows | None:
    """Each entity's series, before and after a time; None where there are none.

    Args:
        snapshot: what is known.
        settings: which metrics, and how they are read.
        known: whose a volume is.
        places: the entities.
        at: when it broke.
        baseline: how much before that is what is usual.
        window: how much after that is looked at.
    """
    named = _series(snapshot, settings, known, frozenset(places), at, baseline, window)
    if not named:
        return None
    step = settings.step
    start = align(at, step)
    between = TimeRange(start - baseline, align(at + window, step) + step)
    chosen = dict(list(named.items())[:MOST_SERIES])
    panel = read_panel(snapshot, [one for one, _ in chosen.values()], between, step)
    if not np.isfinite(panel.values[:, (start - between.start) // step :]).any():
        # All of it has stopped, which whoever flags silence has told.
        return None
    return _rows(panel, {key: labels for key, (_, labels) in chosen.items()}, start, window)


def _series(
    snapshot: Snapshot,
    settings: DetectionSettings,
    known: Topology,
    places: frozenset[Place],
    at: datetime,
    baseline: timedelta,
    window: timedelta,
) -> dict[int, tuple[SeriesInfo, Labels]]:
    """By id, what a series is and its labels: the entity, the metric, and what tells it apart."""
    families = lookup(settings)
    names = {entity for _, entity in places}
    params = {
        "clusters": sorted({cluster for cluster, _ in places}),
        "since": at - baseline - timedelta(days=1),
        "end": at + window,
        "include": settings.include,
        "exclude": settings.exclude,
        "workloads": sorted({name.split("/")[-1] for name in names}),
        "nodes": sorted(name.removeprefix(NODE) for name in names if name.startswith(NODE))
        # A claim's series name the node of the kubelet that tells of it.
        + sorted(
            {one.removeprefix(NODE) for place in places for one in known.nodes_of.get(place, ())}
        ),
        "instances": sorted(name.split(" at ")[-1] for name in names if " at " in name),
        "names": list(families.labels),
        "shown": list(SHOWN_LABELS),
    }
    found: dict[int, tuple[SeriesInfo, Labels]] = {}
    for row in run(snapshot, SERIES, params).rows.to_pylist():
        claim = row["claim"]
        owner = claim and known.claims.get((row["cluster"], row["namespace"], claim))
        entity = entity_of(row, owner or (f"volume {row['namespace']}/{claim}" if claim else None))
        if (row["cluster"], entity) not in places:
            continue
        about = info(row, families)
        if not about.family.scored:
            continue
        labels = {
            ENTITY: entity,
            "metric": row["metric"],
            "pod": row["pod"],
            "told": " ".join(text for text in row["shown"] if text) or None,
        }
        found[row["series_id"]] = (about, labels)
    return found


def _rows(
    panel: Panel, labels: Mapping[int, Labels], at: datetime, window: timedelta
) -> MetricRows:
    """A panel's cells that have a value, as rows by series, then time."""
    there = np.isfinite(panel.values)
    of, column = np.nonzero(there)
    times = panel.start + column * panel.step
    begin = micros(at)
    incident = times >= begin
    counts = there.sum(axis=1)
    keep = counts > 0
    starts = np.append(0, np.cumsum(counts[keep])).astype(np.int64)
    rows = Rows(
        panel.values[of, column].astype(np.float64),
        starts,
        ~incident,
        incident.astype(np.float64),
    )
    told = [labels[int(one)] for one in panel.series_id[keep]]
    series = pl.DataFrame(told, schema=dict.fromkeys(told[0], pl.String))
    kind = np.where(incident, INCIDENT, BASELINE).astype(np.int8)
    return MetricRows(series, rows, times.astype(np.int64), kind, at, window, False)
