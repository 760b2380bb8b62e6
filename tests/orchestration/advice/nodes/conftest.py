"""A cluster as kube-state-metrics and cAdvisor tell of it, put into a lake by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
GIB = 1024.0**3
COLUMNS = 288  # a day


class Told:
    """Series of one lake; what has one value is told of only in the last half hour."""

    def __init__(self, lake, fill):
        self.lake, self._fill = lake, fill
        self._series = []

    def say(self, metric, value=1.0, cluster="c1", /, **labels):
        """A gauge of one value, or of values of every five minutes up to now."""
        values = np.full(6, value) if np.ndim(value) == 0 else np.asarray(value, float)
        self._series.append(({"__name__": metric, "cluster": cluster} | labels, values))
        return self

    def counts(self, metric, rate, cluster="c1", /, **labels):
        """A counter by what it rises by a second, of every five minutes up to now."""
        rates = np.full(COLUMNS, rate) if np.ndim(rate) == 0 else np.asarray(rate, float)
        return self.say(metric, np.cumsum(rates) * STEP.total_seconds(), cluster, **labels)

    def put(self, end=NOW):
        """Send it all."""
        last = round(end.timestamp() * 1000)
        step = round(STEP.total_seconds() * 1000)
        times = [last - step * np.arange(len(values), 0, -1) for _, values in self._series]
        self._fill(
            self.lake, [labels for labels, _ in self._series], times, [v for _, v in self._series]
        )
        self._series = []
        return self.lake.snapshot()

    def node(self, name, cpu=8.0, memory=32 * GIB, cluster="c1", labels=None, taints=(), **more):
        """A node that is well."""
        sizes = {"cpu": cpu, "memory": memory, "pods": 110.0} | more
        for resource, value in sizes.items():
            self.say("kube_node_status_allocatable", value, cluster, node=name, resource=resource)
        for key, value, effect in taints:
            self.say(
                "kube_node_spec_taint", 1.0, cluster, node=name, key=key, value=value, effect=effect
            )
        named = {f"label_{key}": value for key, value in (labels or {}).items()}
        self.say("kube_node_labels", 1.0, cluster, node=name, **named)

    def pod(
        self, name, node, cpu=1.0, memory=GIB, cluster="c1", namespace="shop", owner="ReplicaSet",
        used=None, tolerations=(), selector=None, claim=None, phase="Running", **more,
    ):  # fmt: skip
        """A pod; `used` = cores and bytes."""
        pod = {"cluster": cluster, "namespace": namespace, "pod": name}
        where = {"node": node} if node else {}
        self.say("kube_pod_info", created_by_kind=owner or "<none>", **where, **pod)
        self.say("kube_pod_owner", owner_kind=owner or "<none>", owner_name=name[:-6], **pod)
        for one in ("Pending", "Running", "Succeeded"):
            self.say("kube_pod_status_phase", float(one == phase), phase=one, **pod)
        for resource, value in ({"cpu": cpu, "memory": memory} | more).items():
            self.say(
                "kube_pod_container_resource_requests", value, container="app", resource=resource,
                **where, **pod,
            )  # fmt: skip
        for key, operator, value, effect in tolerations:
            self.say(
                "kube_pod_tolerations", key=key, operator=operator, value=value, effect=effect,
                **pod,
            )  # fmt: skip
        if selector is not None:
            named = {f"nodeselector_{key}": value for key, value in selector.items()}
            self.say("kube_pod_nodeselectors", **named, **pod)
        if claim is not None:
            self.say(
                "kube_pod_spec_volumes_persistentvolumeclaims_info", volume="data",
                persistentvolumeclaim=claim, **pod,
            )  # fmt: skip
        if used is not None:
            own = pod | {"container": "app"}
            self.counts("container_cpu_usage_seconds_total", used[0], **own)
            self.say("container_memory_working_set_bytes", np.full(COLUMNS, used[1]), **own)


@pytest.fixture
def told(lake, fill):
    return Told(lake, fill)


@pytest.fixture(scope="session")
def now():
    return NOW
