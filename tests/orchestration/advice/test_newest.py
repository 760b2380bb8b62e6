"""What is told now: what has ended is not, whatever the pace at which it was told."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestration.steps.advice.newest import newest, newest_and_unsound

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
METRIC = "kube_node_status_allocatable"


class Told:
    """Nodes, each told of at a pace until some minutes ago."""

    def __init__(self, lake, fill):
        self.lake, self._fill = lake, fill

    def node(self, name, every, until=0.0, since=30.0, value=1.0, **more):
        """Minutes before now; `every` in seconds."""
        end = NOW.timestamp() - 60.0 * until
        times = np.arange(end - every / 2.0, NOW.timestamp() - 60.0 * since, -every)[::-1]
        labels = {"__name__": METRIC, "cluster": "c1", "node": name, "resource": "cpu"} | more
        values = np.full(len(times), value) if np.ndim(value) == 0 else value
        self._fill(self.lake, [labels], [np.round(times * 1000)], [values])

    def now(self, at=NOW):
        return newest(self.lake.snapshot(), [METRIC], ["resource"], at)["node"].to_list()


@pytest.fixture
def told(lake, fill):
    return Told(lake, fill)


@pytest.mark.parametrize(("every", "gone"), [(15.0, 3.0), (30.0, 3.0), (60.0, 4.0), (300.0, 11.0)])
def test_what_is_gone_is_not_told(told, every, gone):
    told.node("here", every)
    told.node("gone", every, until=gone)
    assert told.now() == ["here"]


@pytest.mark.parametrize("every", [15.0, 30.0, 60.0, 300.0])
def test_one_that_was_missed_once_is_there(told, every):
    """Two exporters are asked at different times, and one of them did not answer once."""
    told.node("here", every)
    told.node("late", every, until=every / 60.0)
    assert sorted(told.now()) == ["here", "late"]


def test_each_has_its_own_pace(told):
    for number in range(5):
        told.node(f"fast{number}", 15.0)
    told.node("slow", 240.0, until=3.0)
    told.node("gone", 15.0, until=3.0)
    assert sorted(told.now()) == [*(f"fast{number}" for number in range(5)), "slow"]


def test_one_that_has_just_come_is_there_and_may_go_at_once(told):
    told.node("here", 30.0)
    told.node("new", 30.0, since=0.5)
    told.node("short", 30.0, until=10.0, since=10.5)
    assert sorted(told.now()) == ["here", "new"]


def test_where_nothing_comes_any_more_what_was_told_last_holds_for_half_an_hour(told):
    told.node("a", 30.0)
    told.node("gone", 30.0, until=5.0)
    assert told.now(NOW + timedelta(minutes=25)) == ["a"]
    assert told.now(NOW + timedelta(minutes=31)) == []


def test_what_cannot_be_is_left_out_and_said(told):
    told.node("here", 30.0)
    last = np.ones(60)
    last[-1] = np.inf
    told.node("late", 30.0, value=last)
    told.node("never", 30.0, value=np.inf)
    told.node("negative", 30.0, value=-1.0)
    told.node("a\x1fb", 30.0)
    told.node("odd", 30.0, note="a\x1eb")
    rows, unsound = newest_and_unsound(told.lake.snapshot(), [METRIC], ["resource"], NOW)
    # Of one sample that cannot be, the one before it counts.
    assert dict(rows.select("node", "value").iter_rows()) == {"here": 1.0, "late": 1.0}
    assert sorted(unsound["node"]) == ["a\x1fb", "late", "negative", "never", "odd"]
    assert unsound["cluster"].unique().to_list() == ["c1"]
