"""Advice on settings that was followed is seen, and what came of it is measured."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.feedback import give_feedback
from orchestration.steps.advice.make import make_advice

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HPA = "kube_horizontalpodautoscaler"
LIMIT = "setting_cpu_limit"


@pytest.fixture
def advised(told):
    """Make a round and give the one advice of a kind."""

    def make(now, kind):
        made = make_advice(told.lake, AdviceSettings(), now)
        assert made.failed == {}
        (row,) = listing(told.lake, Wanted(kinds=[kind], states=())).rows
        return row

    return make


def _container(told, limit, throttled, until, hours):
    """So many hours of counters that go on from what they were before."""
    own = {"namespace": "shop", "pod": "app-0", "container": "app"}
    _use(told, throttled, until, hours)
    if limit is not None:
        told.say("kube_pod_container_resource_limits", limit, resource="cpu", **own)
    # Its request is told in any case.
    told.say("kube_pod_container_resource_requests", 0.05, resource="cpu", **own)
    told.put(until)


def _use(told, throttled, until, hours):
    own = {"namespace": "shop", "pod": "app-0", "container": "app"}
    begin = np.arange(12 * hours) * 300.0 + (until.timestamp() - 3600.0 * hours)
    for metric, rate in (
        ("container_cpu_usage_seconds_total", 0.1),
        ("container_cpu_cfs_periods_total", 10.0),
        ("container_cpu_cfs_throttled_periods_total", None),
    ):
        values = begin * rate if rate else 1e12 + begin * 10.0 * throttled
        told.say(metric, values, **own)


def test_a_limit_that_was_raised(told, advised, now):
    kind = "setting_cpu_limit"
    _container(told, 0.2, 0.3, now, 24)
    asked = advised(now, kind)["proposed"]["limit_cpu_cores"]
    _container(told, 0.2, 0.3, now + HOUR, 1)
    assert advised(now + HOUR, kind)["state"] == "open"
    # Farther than was proposed is as far.
    _container(told, 2.0 * asked, 0.02, now + 2 * HOUR, 1)
    row = advised(now + 2 * HOUR, kind)
    assert row["state"] == "applied"
    assert row["effect"]["before"] == {"throttled": pytest.approx(0.3, abs=0.001)}
    assert row["effect"]["predicted"] == {"throttled": 0.0}
    assert row["effect"]["measured"] is None
    # Of the three days that are looked at most are of the time before: that is no new advice.
    _container(told, 2.0 * asked, 0.02, now + 3 * HOUR, 1)
    assert advised(now + 3 * HOUR, kind)["state"] == "applied"
    _container(told, 2.0 * asked, 0.02, now + 27 * HOUR, 24)
    row = advised(now + 27 * HOUR, kind)
    assert row["state"] == "applied"
    assert row["effect"]["measured"] == {"throttled": pytest.approx(0.02, abs=0.001), "days": 1.0}
    assert advised(now + 27 * HOUR, kind)["revision"] == row["revision"]


def test_a_limit_that_was_taken_away(told, advised, now):
    kind = "setting_cpu_limit"
    _container(told, 0.2, 0.3, now, 24)
    advised(now, kind)
    _container(told, None, 0.0, now + HOUR, 1)
    assert advised(now + HOUR, kind)["state"] == "applied"
    _container(told, None, 0.0, now + 26 * HOUR, 25)
    measured = advised(now + 26 * HOUR, kind)["effect"]["measured"]
    assert measured == {"throttled": pytest.approx(0.0, abs=0.001), "days": 1.0}


def test_a_limit_that_was_put_back_is_advised_again(told, advised, now):
    kind = "setting_cpu_limit"
    _container(told, 0.2, 0.3, now, 24)
    asked = advised(now, kind)["proposed"]["limit_cpu_cores"]
    _container(told, asked, 0.3, now + HOUR, 1)
    assert advised(now + HOUR, kind)["state"] == "applied"
    _container(told, 0.2, 0.3, now + 2 * HOUR, 1)
    assert advised(now + 2 * HOUR, kind)["state"] == "open"


@pytest.fixture
def limited(told, advised, now):
    """A container whose limit deserves a look, beside another in its cluster that has one too."""
    _container(told, 0.2, 0.3, now, 24)
    _beside(told, now)
    asked = advised(now, LIMIT)["proposed"]["limit_cpu_cores"]
    assert asked > 0.2
    return asked


def _beside(told, until, limit=1.0):
    """Another container of the cluster, of which the same exporter tells."""
    own = {"namespace": "shop", "pod": "web-0", "container": "web", "resource": "cpu"}
    told.say("kube_pod_container_resource_requests", 0.5, **own)
    if limit is not None:
        told.say("kube_pod_container_resource_limits", limit, **own)
    told.put(until)


def test_limits_that_are_not_collected_any_more_are_not_taken_away(told, advised, limited, now):
    """A rule that drops the metric, say: requests are told, and no limit of any container is."""
    for hours in (1, 2, 3):
        _container(told, None, 0.3, now + hours * HOUR, 1)
        _beside(told, now + hours * HOUR, limit=None)
        assert advised(now + hours * HOUR, LIMIT)["state"] == "open", hours
    _container(told, limited, 0.0, now + 4 * HOUR, 1)
    assert advised(now + 4 * HOUR, LIMIT)["state"] == "applied"


def test_an_exporter_that_is_down_takes_no_advice_away(told, advised, limited, now):
    accepted = advised(now, LIMIT)
    give_feedback(told.lake, accepted["advice_id"], "accepted", now)
    _use(told, 0.3, now + 2 * HOUR, 2)
    told.put(now + 2 * HOUR)
    row = advised(now + 2 * HOUR, LIMIT)
    assert (row["state"], row["proposed"]) == ("accepted", accepted["proposed"])
    # What nothing was told of for a day is not held on to.
    _use(told, 0.3, now + 26 * HOUR, 24)
    told.put(now + 26 * HOUR)
    assert advised(now + 26 * HOUR, LIMIT)["state"] == "withdrawn"


def test_a_limit_of_which_no_number_is_told_is_not_taken_away(told, advised, limited, now):
    _container(told, np.nan, 0.3, now + HOUR, 1)
    _beside(told, now + HOUR)
    assert advised(now + HOUR, LIMIT)["state"] == "open"


def test_a_limit_that_is_gone_while_others_are_told_was_taken_away(told, advised, limited, now):
    for minutes, state in ((20, "open"), (60, "applied")):
        until = now + timedelta(minutes=minutes)
        _container(told, None, 0.3, until, 1)
        _beside(told, until)
        assert advised(until, LIMIT)["state"] == state


def test_a_container_that_is_gone_is_advised_no_more(told, advised, limited, now):
    """Others of its cluster are told: it is not that the exporter is down."""
    _beside(told, now + HOUR)
    assert advised(now + HOUR, LIMIT)["state"] == "withdrawn"


def _autoscaler(told, current, least, most, until):
    own = {"namespace": "shop", "horizontalpodautoscaler": "app"}
    told.say(f"{HPA}_info", scaletargetref_name="app", scaletargetref_kind="Deployment", **own)
    told.say(
        f"{HPA}_spec_target_metric", 50.0, metric_name="cpu", metric_target_type="utilization",
        **own,
    )  # fmt: skip
    for what, value in (
        ("spec_min_replicas", least),
        ("spec_max_replicas", most),
        ("status_current_replicas", current),
    ):
        told.say(
            f"{HPA}_{what}", np.broadcast_to(np.asarray(value, float), np.shape(current)), **own
        )
    told.put(until)


def test_a_maximum_that_was_raised(told, advised, now):
    kind = "setting_hpa_maximum"
    busy = np.where(np.arange(288) // 12 % 2 == 0, 4.0, 2.0)
    _autoscaler(told, busy, 1.0, 4.0, now)
    advised(now, kind)
    _autoscaler(told, np.full(12, 4.0), 1.0, 6.0, now + HOUR)
    row = advised(now + HOUR, kind)
    assert row["state"] == "applied"
    assert row["effect"]["before"] == {"share_at_maximum": 0.5}
    after = np.where(np.arange(288) // 12 % 4 == 0, 6.0, 4.0)
    _autoscaler(told, after, 1.0, 6.0, now + 25 * HOUR)
    row = advised(now + 25 * HOUR, kind)
    assert row["state"] == "applied"
    assert row["effect"]["measured"] == {"share_at_maximum": 0.25, "days": 1.0}


def test_a_minimum_that_was_lowered(told, advised, now):
    kind = "setting_hpa_minimum"
    for number in range(4):
        own = {"namespace": "shop", "pod": f"app-{number}", "container": "app"}
        told.counts("container_cpu_usage_seconds_total", 0.1, **own)
        told.say("kube_pod_container_resource_requests", 1.0, resource="cpu", **own)
    _autoscaler(told, np.full(288, 4.0), 4.0, 9.0, now)
    advised(now, kind)
    _autoscaler(told, np.full(12, 4.0), 2.0, 9.0, now + HOUR)
    assert advised(now + HOUR, kind)["state"] == "applied"
    _autoscaler(told, np.full(288, 3.0), 2.0, 9.0, now + 25 * HOUR)
    row = advised(now + 25 * HOUR, kind)
    assert row["effect"]["predicted"] == {"replicas": 2.0}
    assert row["effect"]["measured"] == {"replicas": 3.0, "days": 1.0}


def test_a_minimum_that_is_not_told_stays_advised(told, advised, now):
    """What its replicas request is not told either: that they would be too many is not known."""
    kind = "setting_hpa_minimum"
    for number in range(4):
        own = {"namespace": "shop", "pod": f"app-{number}", "container": "app"}
        told.counts("container_cpu_usage_seconds_total", 0.1, **own)
        told.say("kube_pod_container_resource_requests", 1.0, resource="cpu", **own)
    _autoscaler(told, np.full(288, 4.0), 4.0, 9.0, now)
    before = advised(now, kind)
    row = advised(now + 2 * HOUR, kind)
    assert (row["state"], row["proposed"]) == ("open", before["proposed"])
    # Others of its cluster are told, and it is not: it is gone.
    own = {"namespace": "shop", "horizontalpodautoscaler": "other"}
    told.say(f"{HPA}_spec_min_replicas", 1.0, **own).put(now + 4 * HOUR)
    assert advised(now + 4 * HOUR, kind)["state"] == "withdrawn"


@pytest.mark.parametrize("down", ["c1", "c2"])
def test_a_request_stays_advised_while_its_or_the_other_clusters_exporter_is_down(
    told, advised, now, down
):
    kind = "setting_cpu_request"
    sizes = {"c1": 2.0, "c2": 0.5}

    def tell(clusters, until):
        for cluster, request in sizes.items():
            own = {"namespace": "shop", "pod": "app-0", "container": "app"}
            told.counts("container_cpu_usage_seconds_total", 0.3, cluster, **own)
            if cluster in clusters:
                metric = "kube_pod_container_resource_requests"
                told.say(metric, request, cluster, resource="cpu", **own)
        told.put(until)

    tell(sizes, now)
    assert advised(now, kind)["state"] == "open"
    tell(sizes.keys() - {down}, now + 2 * HOUR)
    assert advised(now + 2 * HOUR, kind)["state"] == "open"
    sizes["c1"] = 0.5
    tell(sizes, now + 4 * HOUR)
    assert advised(now + 4 * HOUR, kind)["state"] == "withdrawn"


def test_replicas_on_one_node_stay_advised_while_the_exporter_is_down(told, advised, now):
    told.node("n1")
    told.node("n2")
    for name, node in (("web-7c9d8f6b54-x2v9k", "n1"), ("web-7c9d8f6b54-x2v9z", "n1")):
        told.pod(name, node)
    told.pod("api-7c9d8f6b54-x2v9k", "n2")
    told.put(now)
    assert advised(now, "setting_spread")["state"] == "open"
    assert advised(now + 2 * HOUR, "setting_spread")["state"] == "open"
    assert advised(now + 26 * HOUR, "setting_spread")["state"] == "withdrawn"
