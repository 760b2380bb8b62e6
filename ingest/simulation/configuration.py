"""What is configured in the fleet, as kube-state-metrics tells it: sizes, owners, why it ended.

A history of its own beside that of `simulate`: it is told every five minutes, and no fault or
noise touches it. Each part of it is one function of a sheet, a cluster and the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ingest.simulation.container_sizes import expose_containers
from ingest.simulation.fleet import Cluster
from ingest.simulation.kube_state import expose_state
from ingest.simulation.scene import Scene, set_scene
from ingest.simulation.sheet import Sheet
from ingest.simulation.simulation import Simulation
from ingest.simulation.timeline import Timeline

STEP = timedelta(minutes=5)

Expose = Callable[[Sheet, Cluster, Scene], None]

PARTS: tuple[Expose, ...] = (expose_containers, expose_state)


def simulate_configuration(
    *,
    end: datetime,
    duration: timedelta = timedelta(days=2),
    step: timedelta = timedelta(seconds=30),
    seed: int = 7,
) -> Simulation:
    """The configuration of the fleet that `simulate` gives for the same arguments.

    Args:
        end: First instant after the history, with a time zone.
        duration: Length, at least 12 hours.
        step: Scrape interval of `simulate`, which decides the exact minutes of faults.
        seed: Chooses the fleet.

    Raises:
        UnusableRangeError: An argument is outside its bounds.
    """
    scene = set_scene(Timeline.until(end, duration, step), seed)
    timeline = Timeline.until(end, duration, STEP)
    sheet = Sheet(timeline)
    for cluster in scene.fleet.clusters:
        for expose in PARTS:
            expose(sheet, cluster, scene)
    return Simulation(
        series=tuple(sheet.labels),
        kinds=sheet.kinds,
        start=timeline.start,
        end=timeline.end,
        step=STEP,
        faults=(),
        events=(),
        values=sheet.matrix(),
        scrape_offsets=sheet.scrape_offsets(),
    )
