"""The topology is read again when what it rests on has changed, and not before."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from lake import TimeRange
from lake.schema import OBJECTS
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import Call
from orchestration.steps import kept_feedback
from orchestration.steps.incidents import kept_topology
from orchestration.steps.incidents.kept_topology import KeptTopology
from orchestration.steps.incidents.live import Live
from orchestration.steps.incidents.topology import topology
from orchestration.steps.models import Detected

MINUTE = timedelta(minutes=1)


@pytest.fixture
def reads(monkeypatch):
    """The clusters of each topology that was read."""
    found = []

    def counting(snapshot, clusters, *args):
        found.append(set(clusters))
        return topology(snapshot, clusters, *args)

    monkeypatch.setattr(kept_topology, "topology", counting)
    return found


@pytest.fixture
def ask(shop, reads):
    """Asks for the topology of a minute."""
    shop.fill()
    kept = KeptTopology()

    def at(minute=51, clusters=("eu",), calls=()):
        return kept.at(shop.lake.snapshot(), clusters, shop.at + minute * MINUTE, calls)

    return at


def series_of(shop, fill, workload):
    """A further workload has a series."""
    times = round(shop.at.timestamp() * 1000) + 60_000 * np.arange(50)
    about = {"namespace": "shop", "pod": f"{workload}-7c9d8f6b54-x2v9k", "node": "n3"}
    fill(shop.lake, [{"__name__": "up", "cluster": "eu", **about}], [times], [np.ones(50)])


def test_it_is_read_once_for_minutes_in_which_nothing_changes(shop, ask, reads):
    first = ask(51, clusters=("eu", "us"))
    assert first.nodes_of["us", "shop/db"] == {"node n2"}
    shop.flag("db", 0)
    shop.tell(0, "Deployed")
    assert ask(52) == ask(60, clusters=("us",)) == first
    assert len(reads) == 1
    ask(61)
    assert len(reads) == 2


def test_new_series_objects_clusters_and_calls_are_seen(shop, ask, fill, reads):
    ask()
    series_of(shop, fill, "late")
    assert ask().nodes_of["eu", "shop/late"] == {"node n3"}
    row = {"cluster": "eu", "kind": "Pod", "namespace": "shop", "name": "seen-1", "uid": "1"}
    row |= {"change": "added", "time": shop.at, "workload": "seen", "node": "n9"}
    known = [pa.array([row.get(field.name)], field.type) for field in OBJECTS.schema]
    shop.lake.objects.append(pa.table(known, schema=OBJECTS.schema))
    assert ask().nodes_of["eu", "shop/seen"] == {"node n9"}
    assert ask(clusters=("eu", "us")).nodes_of["us", "shop/db"] == {"node n2"}
    assert ask(calls=(Call(source="shop/web", target="shop/db"),)).callees["eu", "shop/web"]
    assert len(reads) == 5


def test_calls_that_are_added_are_the_askers_own(ask):
    known = ask(calls=(Call(source="shop/web", target="shop/cart"),))
    known.add_call("eu", "shop/web", "platform/opa")
    again = ask(calls=(Call(source="shop/web", target="shop/cart"),))
    assert again.callees["eu", "shop/web"] == {"shop/cart"}
    assert ("eu", "platform/opa") not in again.callers


def test_ticks_that_find_the_same_workloads_read_it_once(shop, reads, monkeypatch):
    said, run = [], kept_feedback.run

    def counting(*asked):
        said.append(asked)
        return run(*asked)

    monkeypatch.setattr(kept_feedback, "run", counting)
    shop.tell(-2, "Deployed", "cart | 2.0")
    shop.fill()
    live = Live(shop.lake, DetectionSettings(), shop.settings)
    for end in (12, 14, 16):
        shop.flag("db", 0, end=end, state="interim")
        now = shop.at + (end + 1) * MINUTE
        assert live.after(Detected(TimeRange(now - MINUTE, now), 1, 1), now).incidents == 1
    assert reads == [{"eu"}]
    assert len(said) == 1, "what people said, too"
