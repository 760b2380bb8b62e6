"""The demo: a simulated fleet through the real receivers, scored, compared with the truth."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import httpx
import numpy as np

from ingest.errors import SourceError
from ingest.remote_write.send import Sender
from ingest.simulation import Fault, Simulation
from lake import Lake, TimeRange
from lake.schema import ENTITY_COLUMNS
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps import browse, paging
from orchestration.steps.advice.summary import Summary
from orchestration.steps.detect import Progress, detect_range
from orchestration.steps.incidents import browse as incident_browse
from orchestration.steps.incidents.update import update
from orchestration.steps.models import Detected
from orchestration.steps.paging import Row
from orchestration.steps.panels import align
from orchestration.steps.siblings.finder import Siblings

SLACK = timedelta(minutes=30)
"""An interval this close to a fault is put down to it: windows look back that far."""

CHUNK = timedelta(minutes=10)


def push(simulation: Simulation, client: httpx.Client, progress: Progress) -> int:
    """Send all metrics by remote write and all events as JSON; give the samples acknowledged.

    Args:
        simulation: the fleet.
        client: with the receiver's address as its base.
        progress: told how far it is.
    """
    sender = Sender(client, simulation.series)
    whole = (simulation.end - simulation.start).total_seconds()
    acknowledged = 0
    for chunk in simulation.chunks(CHUNK):
        acknowledged += sender.send(
            chunk.series, np.diff(chunk.offsets), chunk.time_ms, chunk.value
        )
        progress((chunk.end - simulation.start).total_seconds() / whole)
    by_cluster = sorted(simulation.events, key=lambda event: event[1])
    for cluster, events in groupby(by_cluster, key=lambda event: event[1]):
        _post_events(client, cluster, [event for _, _, event in events])
    return acknowledged


def _post_events(client: httpx.Client, cluster: str, events: list[dict[str, Any]]) -> None:
    reply = client.post(
        "/api/v1/events", params={"cluster": cluster}, content=json.dumps(events).encode()
    )
    if not reply.is_success:
        raise SourceError(str(reply.url), f"status {reply.status_code}: {reply.text[:500]}")


def score(
    lake: Lake,
    settings: DetectionSettings,
    incidents: IncidentSettings,
    simulation: Simulation,
    progress: Progress,
) -> Detected:
    """Score everything after the first `settings.history`, which is what the models learn from."""
    start = align(simulation.start + settings.history, settings.step)
    between = TimeRange(start, align(simulation.end, settings.step))
    done = detect_range(lake, settings, between, now=simulation.end, progress=progress)
    if done.scored is not None:
        update(lake, settings, incidents, between, simulation.end)
    return done


@dataclass(frozen=True, slots=True)
class FaultReport:
    """One scripted fault and what was found of it."""

    fault: Fault
    anomalies: Sequence[Row]
    incident: Row | None = None

    @property
    def found(self) -> bool:
        """Whether any anomaly is explained by it."""
        return bool(self.anomalies)

    @property
    def delay(self) -> timedelta | None:
        """From the fault's start to its first anomaly's; None = missed."""
        if not self.anomalies:
            return None
        first: datetime = min(row["start"] for row in self.anomalies)
        return max(timedelta(0), first - self.fault.start)

    @property
    def cause_found(self) -> bool:
        """Whether its incident's first cause is the culprit, and names what was changed."""
        if self.incident is None or self.incident["abstained"]:
            return False
        first = self.incident["causes"][0]
        changes = " ".join(one["reason"] for one in first["evidence"] if one["kind"] == "changes")
        named = self.fault.change is None or self.fault.change in changes
        return bool(first["entity"] == self.fault.culprit and named)


@dataclass(frozen=True, slots=True)
class Report:
    """Found, missed, false: anomalies against the truth."""

    faults: Sequence[FaultReport]
    false: Sequence[Row]
    anomalies: int
    clusters: Sequence[str]
    scored: TimeRange
    incidents: Sequence[Row] = ()
    forecasts: Sequence[str] = ()
    advice: Summary = field(default_factory=Summary)
    placement: str = ""

    @property
    def found(self) -> int:
        """Faults found."""
        return sum(one.found for one in self.faults)

    @property
    def causes_found(self) -> int:
        """Faults whose culprit, and what was changed, is named first."""
        return sum(one.cause_found for one in self.faults)

    @property
    def false_per_cluster_day(self) -> float:
        """Intervals that no fault explains, per cluster and day scored."""
        days = (self.scored.end - self.scored.start) / timedelta(days=1)
        return len(self.false) / (len(self.clusters) * days)


def compare(lake: Lake, simulation: Simulation, scored: TimeRange) -> Report:
    """Put every anomaly of the scored range down to a fault, or call it false."""
    rows = list(_all_anomalies(lake, scored))
    labels = _labels(lake, [row["series_id"] for row in rows if row["series_id"]])
    causes = [_causes(row, _known(lake, row, labels), simulation.faults) for row in rows]
    incidents = incident_browse.incidents(
        lake, incident_browse.Wanted(scored), paging.MAX_PAGE
    ).rows[::-1]
    faults = []
    for fault in simulation.faults:
        own = [row for row, found in zip(rows, causes, strict=True) if fault in found]
        faults.append(FaultReport(fault, own, _incident_of(own, incidents)))
    false = [row for row, found in zip(rows, causes, strict=True) if not found]
    clusters = sorted({labels["cluster"] for labels in simulation.series})
    return Report(faults, false, len(rows), clusters, scored, incidents)


def _incident_of(own: Sequence[Row], incidents: Sequence[Row]) -> Row | None:
    """The incident that holds most of a fault's anomalies; of equals the first."""
    ids = {row["anomaly_id"] for row in own}
    shares = [len(ids & set(one["anomaly_ids"])) for one in incidents]
    return incidents[shares.index(max(shares))] if any(shares) else None


def _all_anomalies(lake: Lake, scored: TimeRange) -> Iterable[Row]:
    cursor = None
    while True:
        page = browse.anomalies(lake, browse.Filter(scored), paging.MAX_PAGE, cursor)
        yield from page.rows
        cursor = page.next_cursor
        if cursor is None:
            return


LABELS = """
SELECT series_id, labels FROM series
JOIN (SELECT unnest($ids) AS series_id) wanted USING (series_id)
"""


def _labels(lake: Lake, ids: list[int]) -> dict[int, dict[str, str]]:
    if not ids:
        return {}
    rows = lake.sql(LABELS, {"ids": sorted(set(ids))}).to_pylist()
    return {row["series_id"]: dict(row["labels"]) for row in rows}


MEMBERS = """
SELECT DISTINCT labels FROM series
WHERE cluster = $cluster AND metric = $metric AND workload = $workload
"""


def _known(
    lake: Lake, row: Row, labels: Mapping[int, Mapping[str, str]]
) -> Sequence[Mapping[str, str]]:
    """The labels of what a row is about: of all pods, where it is about a workload's."""
    if row["detector"] in Siblings.detectors:
        members = lake.sql(MEMBERS, {name: row[name] for name in ("cluster", "metric", "workload")})
        return [dict(one["labels"]) for one in members.to_pylist()]
    if row["series_id"] in labels:
        return [labels[row["series_id"]]]
    entity = {name: row[name] for name in ENTITY_COLUMNS if row[name]}
    return [{"cluster": row["cluster"], **entity}]


def _causes(row: Row, known: Sequence[Mapping[str, str]], faults: Sequence[Fault]) -> list[Fault]:
    return [
        fault
        for fault in faults
        if any(fault.explains(one, row["start"], row["end"], SLACK) for one in known)
    ]


def as_json(report: Report) -> dict[str, Any]:
    """The report for scripts."""
    return {
        "scored": {"start": _text(report.scored.start), "end": _text(report.scored.end)},
        "clusters": list(report.clusters),
        "found": report.found,
        "missed": len(report.faults) - report.found,
        "false": len(report.false),
        "false_per_cluster_day": round(report.false_per_cluster_day, 3),
        "anomalies": report.anomalies,
        "faults": [
            {
                "name": one.fault.name,
                "title": one.fault.title,
                "cluster": one.fault.cluster,
                "start": _text(one.fault.start),
                "end": _text(one.fault.end),
                "found": one.found,
                "delay_seconds": None if one.delay is None else one.delay.total_seconds(),
                "anomaly_ids": [row["anomaly_id"] for row in one.anomalies],
                "incident_id": None if one.incident is None else one.incident["incident_id"],
                "cause_found": one.cause_found,
            }
            for one in report.faults
        ],
        "causes_found": report.causes_found,
        "incidents": [
            {
                "incident_id": one["incident_id"],
                "severity": one["severity"],
                "title": one["title"],
                "abstained": one["abstained"],
                "causes": [
                    {name: cause[name] for name in ("entity", "confidence", "reason")}
                    for cause in one["causes"][:3]
                ],
            }
            for one in report.incidents
        ],
        "forecasts": list(report.forecasts),
        "advice": asdict(report.advice),
        "placement": report.placement,
        "false_anomalies": [
            {
                name: _text(row[name]) if isinstance(row[name], datetime) else row[name]
                for name in (
                    "anomaly_id",
                    "cluster",
                    "metric",
                    "workload",
                    "node",
                    "start",
                    "end",
                    "score",
                )
            }
            for row in report.false
        ],
    }


def _text(moment: datetime) -> str:
    return moment.isoformat()
