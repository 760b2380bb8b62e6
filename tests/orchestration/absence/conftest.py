"""Fleets in a lake, and what the finder finds of them."""

import json
from datetime import timedelta

import pyarrow as pa
import pytest

from ingest import events as event_wire
from lake import TimeRange
from lake.schema import OBJECTS
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.absence.finder import Absence
from orchestration.steps.look import Look
from tests.orchestration.absence.fleet import END, Fleet, at

SIX = at(6)


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def settings():
    return DetectionSettings(
        history=timedelta(hours=5), least_history=timedelta(hours=4), also=("absence",)
    )


@pytest.fixture
def find(lake, fill, settings):
    """What the finder finds of a fleet in a range, as the outcome of one look."""

    def run(fleet, start=SIX, end=END, put=True, settings=settings, **more):
        if put:
            fleet.put(fill, lake)
        look = Look(lake.snapshot(), TimeRange(start, end), settings, end, **more)
        return Absence().find(look)

    return run


@pytest.fixture
def observe(lake):
    """Rows of `objects`: (time, kind, namespace, name, change, state)."""

    def put(cluster, *rows):
        names = ("time", "kind", "namespace", "name", "change", "state")
        own = [
            {"cluster": cluster, "uid": f"{row[1]}-{row[3]}", **dict(zip(names, row, strict=True))}
            for row in rows
        ]
        schema = OBJECTS.schema
        lake.objects.append(pa.Table.from_pylist(own, schema=schema))

    return put


@pytest.fixture
def tell(lake):
    """Events, as any source sends them."""

    def put(cluster, *events):
        body = [
            {"time": time.isoformat(), "source": "kubernetes", "uid": f"{reason}-{name}-{time}",
             "reason": reason, "kind": kind, "namespace": namespace, "name": name,
             "message": message}
            for time, reason, kind, namespace, name, message in events
        ]  # fmt: skip
        lake.events.append(event_wire.parse(json.dumps(body).encode(), cluster, latest=END))

    return put
