"""A short simulated history in a lake, and a way to put single series into one."""

import itertools
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ingest import direct
from ingest import events as event_wire
from ingest.catalogue import Catalogue
from ingest.series import identify
from ingest.simulation import Simulation, simulate
from lake import CommitKey, Lake
from orchestration.detection_settings import DetectionSettings, DetectorSettings

_positions = itertools.count(1)

DAY = date(2026, 11, 23)

# One metric for each of five faults, and few series: a run of detection takes a second.
METRICS = frozenset(
    {
        "container_memory_working_set_bytes",
        "kubelet_volume_stats_used_bytes",
        "node_load1",
        "opa_decisions_total",
        "up",
    }
)


def _fill(lake, labels, times_ms, values):
    """Series with their own times (ms since 1970) and values, in one commit."""
    catalogue = Catalogue()
    samples = direct.batch(
        catalogue,
        [identify(one.items(), "c1") for one in labels],
        [np.asarray(times, np.int64) for times in times_ms],
        [np.asarray(own, np.float64) for own in values],
    )
    direct.append(lake, catalogue, samples, CommitKey("test", next(_positions)))


@pytest.fixture(scope="session")
def fill():
    return _fill


@dataclass(frozen=True)
class History:
    """Twelve hours up to `DAY` 7:00: five before midnight to learn from, faults after 2:12."""

    simulation: Simulation

    def put(self, lake, start=None, end=None, but_not=()):
        """Append what the chosen series sent in a range."""
        sim = self.simulation
        chosen = [
            index
            for index, one in enumerate(sim.series)
            if one["__name__"] in METRICS and one["cluster"] not in but_not
        ]
        origin = round(sim.start.timestamp() * 1000)
        step = round(sim.step.total_seconds() * 1000)
        grid = origin + np.arange(sim.values.shape[1]) * step
        low, high = (
            round(moment.timestamp() * 1000) for moment in (start or sim.start, end or sim.end)
        )
        labels, times, values = [], [], []
        for index in chosen:
            at = grid + sim.scrape_offsets[index]
            sent = (at >= low) & (at < high) & ~np.isnan(sim.values[index])
            if sent.any():
                labels.append(sim.series[index])
                times.append(at[sent])
                values.append(sim.values[index][sent])
        _fill(lake, labels, times, values)


@pytest.fixture(scope="session")
def history():
    end = datetime(2026, 11, 23, 7, tzinfo=UTC)
    return History(simulate(end=end, duration=timedelta(hours=12), step=timedelta(minutes=1)))


@pytest.fixture(scope="session")
def detection():
    # The detector as it is: what the default settings add to it is calibrated elsewhere.
    return DetectionSettings(
        detectors=(DetectorSettings(name="window_memory"),),
        also=(),  # finders have tests of their own
        delay=timedelta(seconds=30),
        history=timedelta(hours=5),
        least_history=timedelta(hours=4),
    )


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory, history):
    folder = tmp_path_factory.mktemp("filled") / "lake"
    lake = Lake.open(folder)
    history.put(lake)
    for cluster in ("eu-1", "us-2", "ap-3"):
        own = [event for _, of, event in history.simulation.events if of == cluster]
        latest = history.simulation.end
        lake.events.append(event_wire.parse(json.dumps(own).encode(), cluster, latest=latest))
    return folder


@pytest.fixture
def filled(filled_folder, tmp_path):
    """A copy of the filled lake that a test may change."""
    folder = Path(shutil.copytree(filled_folder, tmp_path / "filled" / "lake"))
    return Lake.open(folder)


@pytest.fixture(scope="session")
def day():
    return DAY
