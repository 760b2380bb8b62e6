"""Incidents of the simulated fleet: how many, and whether their first cause is the right one.

    uv run python benchmarks/incidents.py [--seeds 7 12 13] [--json]

The demo's three clusters with six scripted faults, put straight into a lake, scored and grouped
with the product's default settings; and days of the same fleet before any fault, where each
incident is a false one, and each that names a cause is worse. A cause is right if it is the fault's
culprit, comes first, and its evidence names what was changed, where something was.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.reporting import Case, emit  # noqa: E402
from ingest import direct  # noqa: E402
from ingest import events as event_wire  # noqa: E402
from ingest.catalogue import Catalogue  # noqa: E402
from ingest.series import identify  # noqa: E402
from ingest.simulation import Simulation, simulate  # noqa: E402
from lake import CommitKey, Lake, TimeRange  # noqa: E402
from orchestration.detection_settings import DetectionSettings  # noqa: E402
from orchestration.incident_settings import IncidentSettings  # noqa: E402
from orchestration.steps import demo  # noqa: E402
from orchestration.steps.detect import detect_range  # noqa: E402
from orchestration.steps.incidents.update import update  # noqa: E402

END = datetime(2026, 11, 23, tzinfo=UTC)
CLEAN_SHARE = 0.6
DAY = timedelta(days=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 12, 13], help="of the fleet")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    found = [case for seed in options.seeds for case in faults(seed) + clean(seed)]
    emit(found, options.json)


def faults(seed: int) -> list[Case]:
    """The demo's two days."""
    fleet = simulate(end=END, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        put(lake, fleet, fleet.end)
        done = demo.score(lake, DetectionSettings(), IncidentSettings(), fleet, lambda _: None)
        if done.scored is None:
            raise SystemExit(f"nothing was scored: {done.reason}")
        report = demo.compare(lake, fleet, done.scored)
    what = f"seed {seed}, {len(report.faults)} faults"
    return [
        Case(f"{what}: right cause first, change named", "faults", report.causes_found),
        Case(f"{what}: incidents", "incidents", len(report.incidents)),
        Case(f"{what}: anomalies", "anomalies", report.anomalies),
    ]


def clean(seed: int) -> list[Case]:
    """Two days in which nothing is wrong, after one that is learned from."""
    length = timedelta(days=5)
    fleet = simulate(end=END, duration=length, step=timedelta(minutes=1), seed=seed)
    until = fleet.start + CLEAN_SHARE * length
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        put(lake, fleet, until)
        settings, incidents = DetectionSettings(), IncidentSettings()
        between = TimeRange(fleet.start + DAY, until)
        for day in (TimeRange(between.start, between.start + DAY), TimeRange(until - DAY, until)):
            detect_range(lake, settings, day, now=day.end + settings.delay)
        update(lake, settings, incidents, between, until)
        rows = lake.sql("SELECT abstained FROM incidents").to_pylist()
    named = sum(row["abstained"] is None for row in rows)
    return [
        Case(f"seed {seed}, two days without a fault: incidents", "incidents", len(rows)),
        Case(f"seed {seed}, two days without a fault: with a cause named", "incidents", named),
    ]


def put(lake: Lake, fleet: Simulation, until: datetime) -> None:
    """What the fleet sent before a time, in one commit a table."""
    origin, step, last = (
        round(seconds * 1000)
        for seconds in (fleet.start.timestamp(), fleet.step.total_seconds(), until.timestamp())
    )
    grid = origin + np.arange(fleet.values.shape[1]) * step
    labels, times, values = [], [], []
    for row, one in enumerate(fleet.series):
        at = grid + fleet.scrape_offsets[row]
        sent = (at < last) & ~np.isnan(fleet.values[row])
        labels.append(identify(one.items()))
        times.append(at[sent].astype(np.int64))
        values.append(fleet.values[row][sent].astype(np.float64))
    catalogue = Catalogue()
    samples = direct.batch(catalogue, labels, times, values)
    direct.append(lake, catalogue, samples, CommitKey("benchmark", 1))
    told = sorted((one for one in fleet.events if one[0] < until), key=lambda one: one[1])
    for cluster, own in groupby(told, key=lambda one: one[1]):
        body = json.dumps([event for _, _, event in own]).encode()
        lake.events.append(event_wire.parse(body, cluster, latest=fleet.end))


if __name__ == "__main__":
    main()
