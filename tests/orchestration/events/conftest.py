"""A day and a half of a cluster's events in a lake, through the receivers' own parsers."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest import events as wire
from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.events.finder import EventFinder
from orchestration.steps.look import Look

START = datetime(2026, 11, 22, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minute, second=0.0):
    return START + minute * MINUTE + timedelta(seconds=second)


def kubernetes(minute, reason, uid, *, count=1, kind="Warning", namespace="shop", name="web-0",
               cluster=None, second=0.0):  # fmt: skip
    """A Kubernetes Event as its API gives it."""
    event = {
        "kind": "Event",
        "metadata": {"uid": uid, "namespace": namespace, "name": f"{name}.{uid}"},
        "involvedObject": {"kind": "Pod", "namespace": namespace, "name": name},
        "reason": reason,
        "message": reason,
        "lastTimestamp": at(minute, second).isoformat(),
        "count": count,
        "type": kind,
    }
    return event | ({"cluster": cluster} if cluster else {})


def plain(minute, source, reason, *, second=0.0, **more):
    return {"source": source, "reason": reason, "time": at(minute, second).isoformat(), **more}


def line(minute, message, *, severity="ERROR", second=0.0, **more):
    return plain(
        minute, "log", severity, type="Warning", message=message, second=second,
        attributes={"severity": severity}, namespace="shop", **more,
    )  # fmt: skip


class Story:
    """A lake that is told events."""

    def __init__(self, folder):
        self.lake = Lake.open(folder)

    def tell(self, events, cluster="eu-1"):
        body = json.dumps(list(events)).encode()
        self.lake.events.append(wire.parse(body, cluster, latest=at(100_000)))

    def look(self, first, end, settings=None, **more):
        settings = settings or DetectionSettings()
        between = TimeRange(at(first), at(end))
        final_before = at(end) - settings.merge_gap * settings.step
        return Look(self.lake.snapshot(), between, settings, final_before, **more)

    def find(self, first, end, settings=None, finder=None, **more):
        return (finder or EventFinder()).find(self.look(first, end, settings, **more))


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path / "lake")


def usual(rng, minutes, cluster="eu-1"):
    """A probe that fails now and then, pods that start, and decisions."""
    for minute in range(minutes):
        for i in range(rng.poisson(0.3)):
            uid = f"{cluster}-probe-{minute}-{i}"
            yield kubernetes(minute, "Unhealthy", uid, second=rng.uniform(0, 60))
        for i in range(rng.poisson(0.5)):
            uid = f"{cluster}-start-{minute}-{i}"
            yield kubernetes(minute, "Started", uid, kind="Normal", second=rng.uniform(0, 60))


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def told(story, rng):
    """Thirty hours in which nothing was wrong."""
    story.tell(usual(rng, 1800))
    return story


def of(rows, detector, metric=None):
    return [row for row in rows if row["detector"] == detector and metric in (None, row["metric"])]
