"""What was found of events as rows of `anomalies`: their metric, their id, what they are about."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import xxhash

from ingest.entities import entity_of
from ingest.series import series_id
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import to_micros
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.events.parts import DENIALS, Found, Label
from orchestration.steps.events.view import BEFORE, View
from orchestration.steps.look import Look

EVENTS, DENIED = "events", "denials"
"""How the metrics of our rows begin: counts per column, and shares of decisions."""

OBJECTS = """
WITH wanted AS (
    SELECT unnest($row) AS row, unnest($cluster) AS cluster, unnest($source) AS source,
           unnest($reason) AS reason, unnest($namespace) AS namespace,
           unnest($low) AS low, unnest($high) AS high
)
SELECT w.row, e.namespace, e.kind, e.name, count(*) AS events
FROM events e JOIN wanted w
  ON e.cluster = w.cluster AND e.source = w.source AND e.reason = w.reason
 AND (w.namespace IS NULL OR e.namespace = w.namespace) AND e.time >= w.low AND e.time < w.high
WHERE e.date >= $first_day AND e.date <= $last_day AND e.time >= $start AND e.time < $end
  AND e.type IS DISTINCT FROM 'Normal'
GROUP BY ALL ORDER BY ALL
"""

LABELS = {
    "Pod": "pod",
    "Node": "node",
    "Deployment": "deployment",
    "StatefulSet": "statefulset",
    "DaemonSet": "daemonset",
    "CronJob": "cronjob",
    "Job": "job_name",
    "ReplicaSet": "replicaset",
    "Service": "service",
}
"""Kinds of objects to the labels that series have for them."""


def metric_of(label: Label, detector: str) -> str:
    """What an anomaly of a stream has as its metric.

    >>> metric_of(("eu-1", "kubernetes", "BackOff", "shop"), "event_rate")
    'events:kubernetes:BackOff'
    >>> metric_of(("eu-1", "opa", "http/authz/allow", None), "event_denials")
    'denials:http/authz/allow'
    """
    _, source, key, _ = label
    if detector == DENIALS:
        return f"{DENIED}:{key or ''}"
    return f"{EVENTS}:{source}:{key}" if key is not None else f"{EVENTS}:{source}"


def id_of(label: Label, detector: str) -> int:
    """The id that a series with the labels of the stream would have."""
    cluster, _, _, namespace = label
    labels = {
        "__name__": metric_of(label, detector), "cluster": cluster, "namespace": namespace or "",
    }  # fmt: skip
    return series_id(sorted((name, text) for name, text in labels.items() if text))


def rows(found: Sequence[Found], seen: View, look: Look) -> list[Row]:
    """The rows, by start."""
    kept = [one for one in found if _wanted(one, look)]
    about = _objects(look.snapshot, seen, kept)
    made = [_row(one, about.get(number, {}), seen, look) for number, one in enumerate(kept)]
    return sorted(made, key=lambda row: (row["start"], row["anomaly_id"]))


def _wanted(one: Found, look: Look) -> bool:
    cluster, excluded = one.label[0], look.settings.events.exclude
    here = (not look.clusters or cluster in look.clusters) and cluster not in look.but_not
    return here and not re.fullmatch(excluded, metric_of(one.label, one.detector))


def _row(one: Found, about: Mapping[str, str], seen: View, look: Look) -> Row:
    cluster, _, _, namespace = one.label
    start, end = seen.moment(one.start), seen.moment(one.end)
    identity = id_of(one.label, one.detector)
    key = json.dumps([cluster, one.detector, to_micros(start), identity])
    entity = {"namespace": namespace} | {
        name: text for name, text in about.items() if name in ENTITY_COLUMNS
    }
    return {
        "cluster": cluster,
        "anomaly_id": xxhash.xxh3_128_hexdigest(key.encode()),
        "series_id": identity,
        "metric": metric_of(one.label, one.detector),
        **entity,
        "start": start,
        "end": end,
        "peak_time": seen.moment(one.peak),
        "score": one.score,
        "p_value": one.p_value,
        "actual": one.actual,
        "expected": one.expected,
        "lower": one.lower,
        "upper": one.upper,
        "direction": "above" if one.actual >= one.expected else "below",
        "detector": one.detector,
        "model_version": _version(one.detector, seen, look),
        "lake_version": look.lake_version,
        "state": "final" if end < look.final_before else "interim",
        "incident_id": None,
    }


def _version(detector: str, seen: View, look: Look) -> str:
    """Names the rules by which it was judged; the baseline moves with the hour."""
    settings = look.settings
    determined = [detector, seen.history, seen.step / timedelta(seconds=1), seen.least]
    text = json.dumps([*determined, settings.min_length, settings.merge_gap])
    return xxhash.xxh3_64_hexdigest(text.encode())


def _objects(snapshot: Snapshot, seen: View, found: Sequence[Found]) -> dict[int, dict[str, str]]:
    """What most of the warnings up to each peak were about, where one object had most of them."""
    asked = [number for number, one in enumerate(found) if one.actual > 0 and one.label[2]]
    if not asked:
        return {}
    chosen = [found[number] for number in asked]
    low = [seen.moment(one.peak + 1 - BEFORE) for one in chosen]
    high = [seen.moment(one.peak + 1) for one in chosen]
    between = TimeRange(min(low), max(high))
    params = {
        "row": asked,
        "cluster": [one.label[0] for one in chosen],
        "source": [one.label[1] for one in chosen],
        "reason": [one.label[2] for one in chosen],
        "namespace": [one.label[3] for one in chosen],
        "low": low,
        "high": high,
        "start": between.start,
        "end": between.end,
        "first_day": between.start.date(),
        "last_day": between.end.date(),
    }
    named: dict[int, dict[tuple[str | None, str | None, str | None], int]] = {}
    for row in run(snapshot, OBJECTS, params, between).rows.to_pylist():
        of = (row["namespace"], row["kind"], row["name"])
        named.setdefault(row["row"], {})[of] = row["events"]
    return {number: _entity(objects) for number, objects in named.items()}


def _entity(objects: Mapping[tuple[str | None, str | None, str | None], int]) -> dict[str, str]:
    namespace, kind, name = max(objects, key=lambda of: (objects[of], str(of)))
    if 2 * objects[namespace, kind, name] <= sum(objects.values()):
        return {}
    labels = {"namespace": namespace, LABELS.get(kind or "", ""): name}
    return entity_of({label: text for label, text in labels.items() if label and text})
