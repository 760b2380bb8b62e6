"""Advice that is followed, round after round, comes to rest: no size grows or shrinks for ever.

A container wants something; it gets what its limit lets it have, is throttled or killed by it, and
is set anew as it was advised.
"""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing

MIB = 1024.0**2
DAY = 288
PERIODS = 3_000.0
"""Of a tenth of a second, in five minutes."""

CPU_NAMES = ("cpu_request_cores", "cpu_limit_cores")
MEMORY_NAMES = ("memory_request_bytes", "memory_limit_bytes")
OTHERS = ("nodes", "settings", "placement")


class Life:
    """A container that lives on, a day or some at a time, as it is set."""

    def __init__(self, containers, now, request, limit, kind="memory", same_pod=True):
        self.containers, self.now, self.kind = containers, now, kind
        self.request, self.limit, self.same_pod = request, limit, same_pod
        self.limits = [limit]
        self.pods = 0

    @property
    def labels(self):
        # A StatefulSet's pod keeps its name, a Deployment's does not.
        pod = "cart-0" if self.same_pod else f"cart-7c9d8f6b54-{'bcdfg'[self.pods % 5] * 5}"
        return {"namespace": "shop", "pod": pod, "container": "app"}

    def live(self, days, wants, throttled=None, kills=None):
        """So long: what it wants `[slots]`, the share of periods in which that is throttled, and
        the slots in which it is killed, both by the limit that is set."""
        slots = round(days * DAY)
        used = np.minimum(wants[:slots], self.limit)
        series = []
        if self.kind == "cpu":
            metric, values = "container_cpu_usage_seconds_total", np.cumsum(used * 300.0)
        else:
            metric, values = "container_memory_working_set_bytes", used
        series.append((values, {"metric__": metric} | self.labels))
        unit = "core" if self.kind == "cpu" else "byte"
        told = self.labels | {"resource": self.kind, "unit": unit}
        for which, value in (("requests", self.request), ("limits", self.limit)):
            name = {"metric__": f"kube_pod_container_resource_{which}"}
            series.append((np.full(slots, value), name | told))
        if throttled is not None:
            periods = np.cumsum(np.full(slots, PERIODS))
            share = np.cumsum(np.broadcast_to(throttled(self.limit), slots) * PERIODS)
            for name, values in (("periods", periods), ("throttled_periods", share)):
                metric = {"metric__": f"container_cpu_cfs_{name}_total"}
                series.append((values, metric | self.labels))
        if kills is not None:
            killed = kills(self.limit)
            metric = {"metric__": "container_oom_events_total"}
            series.append(
                (np.cumsum(np.isin(np.arange(slots), killed) * 1.0), metric | self.labels)
            )
        self.now += timedelta(days=days)
        self.containers.put(series, end=self.now)

    def follow(self, **settings):
        """Set it as is advised; whether there was anything."""
        own = {"rightsizing": RightsizingSettings(**settings), "leave_out": OTHERS}
        # The first round sees that the advice before was followed, the next says more.
        for at in (self.now - timedelta(minutes=5), self.now):
            assert not self.containers.make(at, **own).failed
        rows = listing(self.containers.lake, Wanted(kinds=[f"container_{self.kind}"])).rows
        if not rows:
            return False
        names = CPU_NAMES if self.kind == "cpu" else MEMORY_NAMES
        self.request, self.limit = (rows[0]["proposed"][name] for name in names)
        self.limits.append(self.limit)
        self.pods += 1
        return True


def bursting(limit, wanted=0.55):
    """Throttled a fifth of the time where the limit is below what bursts want, else not."""
    return 0.2 if limit < wanted else 0.0


@pytest.mark.parametrize("same_pod", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_throttling_by_a_limit_that_was_raised_raises_no_more(containers, now, same_pod):
    life = Life(containers, now, 0.3, 0.5, "cpu", same_pod)
    life.live(6, np.full(10 * DAY, 0.3), bursting)
    assert life.follow()
    assert life.limit == pytest.approx(0.625)
    for _ in range(3):
        life.live(0.25, np.full(DAY, 0.3), bursting)
        assert not life.follow(), life.limits


def test_throttling_that_goes_on_raises_further(containers, now):
    def greedy(limit):
        return bursting(limit, 0.75)

    life = Life(containers, now, 0.3, 0.5, "cpu")
    life.live(3, np.full(10 * DAY, 0.3), greedy)
    assert life.follow()
    for _ in range(5):
        life.live(1, np.full(DAY, 0.3), greedy)
        life.follow()
    assert life.limits == pytest.approx([0.5, 0.625, 0.782])


@pytest.mark.parametrize("told", [True, False])
def test_a_start_that_takes_all_it_gets_raises_no_limit(containers, now, told):
    """Each new pod starts with as much as its limit lets it, and so would it with any other."""
    life = Life(containers, now, 0.3, 0.5, "cpu", same_pod=False)
    wants = np.full(DAY, 0.3)
    wants[:2] = 9.0

    def throttled(limit):
        return np.where(wants > limit, 1.0, 0.0)

    for _ in range(5):
        life.live(1, wants, throttled if told else None)
        life.follow()
    assert max(life.limits) <= 0.5 * 1.25


@pytest.mark.parametrize("same_pod", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_what_killed_it_before_does_not_count_against_what_is_set_now(containers, now, same_pod):
    life = Life(containers, now, 256 * MIB, 300 * MIB, same_pod=same_pod)

    def kills(limit):
        return [700, 900] if limit < 310 * MIB else []

    life.live(4, np.full(10 * DAY, 250 * MIB), kills=kills)
    assert life.follow()
    assert life.limit == 375 * MIB
    for _ in range(3):
        life.live(0.25, np.full(DAY, 250 * MIB), kills=kills)
        assert not life.follow(), life.limits
    assert life.limit == 375 * MIB


def test_a_guaranteed_container_comes_to_rest_too(containers, now):
    life = Life(containers, now, 300 * MIB, 300 * MIB)
    life.live(4, np.full(10 * DAY, 250 * MIB), kills=lambda _: [700])
    for _ in range(3):
        life.follow()
        life.live(0.25, np.full(DAY, 250 * MIB), kills=lambda _: [])
    assert life.limits == [300 * MIB, 375 * MIB]


def test_what_still_kills_is_told_and_raises_further(containers, now):
    life = Life(containers, now, 256 * MIB, 300 * MIB)
    for _ in range(2):
        life.live(2, np.full(10 * DAY, 250 * MIB), kills=lambda _: [300])
        assert life.follow()
    assert life.limits[1:] == [375 * MIB, 469 * MIB]
    (row,) = listing(containers.lake, Wanted(kinds=["container_memory"])).rows
    assert "killed for want of memory at 300 MiB and still at 375 MiB" in row["reason"]


@pytest.mark.parametrize("kind", ["cpu", "memory"])
def test_what_a_limit_did_is_remembered_after_the_history(containers, now, kind):
    """Guaranteed, it would be made as small as before, and be in trouble again."""
    size, used = (0.5, 0.3) if kind == "cpu" else (300 * MIB, 200 * MIB)
    life = Life(containers, now, size, size, kind)

    def kills(limit):
        return [700] if limit < 1.1 * size else []

    more = {"throttled": bursting} if kind == "cpu" else {"kills": kills}
    life.live(4, np.full(4 * DAY, used), **more)
    assert life.follow()
    assert life.limit == pytest.approx(1.25 * size)
    for _ in range(3):
        life.live(6, np.full(6 * DAY, used), **more)
        assert not life.follow(), life.limits
        # A silence, in which nothing can be told of it.
        containers.make(life.now + timedelta(hours=2), leave_out=OTHERS)


def test_a_heap_that_is_sized_by_its_limit_does_not_shrink_with_it_for_ever(containers, now):
    life = Life(containers, now, 1000 * MIB, 1000 * MIB)
    life.live(15, np.full(15 * DAY, 0.6 * life.limit))
    assert life.follow()
    for _ in range(3):
        life.live(15, np.full(15 * DAY, 0.6 * life.limit))
        assert not life.follow(), life.limits
        containers.make(life.now + timedelta(hours=2), leave_out=OTHERS)
    wanted = Wanted(kinds=["container_memory"], abstained=True)
    containers.make(life.now, leave_out=OTHERS)
    (row,) = listing(containers.lake, wanted).rows
    assert "it took 600 MiB where the limit was 1000 MiB" in row["reason"]


def test_cpu_that_is_held_down_is_not_held_down_further(containers, now):
    """What it uses at a smaller limit is what the limit lets it."""
    life = Life(containers, now, 4.0, 4.0, "cpu")

    def throttled(limit):
        return 0.3 if limit < 1.0 else 0.0

    life.live(5, np.full(10 * DAY, 0.5), throttled)
    for _ in range(4):
        life.follow()
        life.live(1, np.full(DAY, 0.5 if life.limit > 1.0 else 0.4), throttled)
    assert min(life.limits[-3:]) >= 0.5


def test_a_kill_that_was_before_all_history_is_none(containers, now):
    """The state of a pod that was not started anew since tells of its last end for ever."""
    life = Life(containers, now, 250 * MIB, 300 * MIB)
    metric = "kube_pod_container_status_last_terminated_reason"
    killed = {"metric__": metric, "reason": "OOMKilled"} | life.labels
    life.live(20, np.full(20 * DAY, 250 * MIB))
    containers.put([(np.full(20 * DAY, 1.0), killed)], end=life.now)
    assert not life.follow()


def test_a_pod_that_is_killed_again_and_again_was_killed_more_than_once(containers, now):
    life = Life(containers, now, 250 * MIB, 300 * MIB)
    life.live(5, np.full(5 * DAY, 250 * MIB))
    metric = "kube_pod_container_status_last_terminated_reason"
    killed = {"metric__": metric, "reason": "OOMKilled"} | life.labels
    restarts = {"metric__": "kube_pod_container_status_restarts_total"} | life.labels
    count = np.arange(5 * DAY) // DAY * 1.0
    state = np.where(count > 0.0, 1.0, np.nan)
    containers.put([(state, killed), (count, restarts)], end=life.now)
    containers.make(life.now)
    (row,) = listing(containers.lake, Wanted(kinds=["container_memory"])).rows
    (kills,) = [one for one in row["evidence"] if one["what"] == "killed for want of memory"]
    assert kills["value"] == 4.0


def test_two_exporters_that_tell_of_a_kill_tell_of_one(containers, now):
    life = Life(containers, now, 250 * MIB, 300 * MIB)
    life.live(4, np.full(4 * DAY, 250 * MIB))
    count = (np.arange(4 * DAY) > 2 * DAY) * 1.0
    for job in ("kubelet", "cadvisor"):
        metric = {"metric__": "container_oom_events_total", "job": job}
        containers.put([(count, metric | life.labels)], end=life.now)
    containers.make(life.now)
    (row,) = listing(containers.lake, Wanted(kinds=["container_memory"])).rows
    (kills,) = [one for one in row["evidence"] if one["what"] == "killed for want of memory"]
    assert kills["value"] == 1.0


def test_advice_that_changes_nothing_is_none(containers, now):
    """Many kills by the limit before are no reason to tell somebody to set what is set."""
    life = Life(containers, now, 250 * MIB, 200 * MIB)
    life.live(1, np.full(DAY, 190 * MIB), kills=lambda _: range(0, DAY, 5))
    life.request, life.limit = 190 * MIB, 400 * MIB
    life.live(1, np.full(DAY, 190 * MIB), kills=lambda _: [])
    assert not life.follow()


def test_throttling_is_in_the_risk(containers, now):
    life = Life(containers, now, 0.5, 0.5, "cpu")
    life.live(4, np.full(4 * DAY, 0.3), bursting)
    containers.make(life.now)
    (row,) = listing(containers.lake, Wanted(kinds=["container_cpu"])).rows
    assert row["current_risk"] == pytest.approx(0.2, abs=0.01)
    assert row["risk"] == 0.0
