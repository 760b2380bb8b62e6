"""A small fleet that reports each minute, and whose parts can be silenced."""

import zlib
from datetime import UTC, datetime, timedelta

import numpy as np

START = datetime(2026, 11, 23, 0, tzinfo=UTC)
END = START + timedelta(hours=12)
MINUTE = timedelta(minutes=1)

CARTS = tuple(f"cart-7c9d8f6b54-x2v9{letter}" for letter in "bcd")


def at(hours, minutes=0):
    return START + timedelta(hours=hours, minutes=minutes)


class Fleet:
    """Series of three clusters; `silence` takes minutes away from those that labels name."""

    def __init__(self, clusters=("c1", "c2", "c3"), end=END):
        self.minutes = round((end - START) / MINUTE)
        self.series = []
        self.present = []
        for cluster in clusters:
            for number in range(1, 5):
                self._node(cluster, f"n{number}", f"10.0.0.{number}")
            for number in range(1, 4):
                self.pod(cluster, "cart", CARTS[number - 1], f"n{number}")
            for metric in ("kube_deployment_spec_replicas", "kube_deployment_created"):
                self.add(cluster, metric, job="ksm", instance="ksm:8080", namespace="shop",
                         deployment="cart")  # fmt: skip
            for number in range(1, 5):
                self.add(cluster, "kube_node_info", job="ksm", instance="ksm:8080",
                         node=f"n{number}")  # fmt: skip

    def _node(self, cluster, node, address):
        target = {"job": "node-exporter", "instance": f"{address}:9100"}
        for metric in ("node_load1", "node_memory_free_bytes", "node_cpu_seconds_total"):
            self.add(cluster, metric, node=node, **target)
        for device in ("sda", "sdb"):
            self.add(cluster, "node_disk_reads_total", node=node, device=device, **target)
        self.add(cluster, "up", **target)
        kubelet = {"job": "kubelet", "instance": f"{address}:10250", "node": node}
        self.add(cluster, "kubelet_running_pods", **kubelet)
        self.add(cluster, "up", **kubelet)
        agent = {"namespace": "logs", "pod": f"fluent-{'bcdfgh'[int(node[1]) - 1]}x2v9"}
        self.add(cluster, "container_memory_bytes", container="fluent", **agent, **kubelet)
        self.add(cluster, "kube_daemonset_status_desired_number_scheduled", job="ksm",
                 instance="ksm:8080", namespace="logs", daemonset="fluent")  # fmt: skip

    def pod(self, cluster, workload, pod, node, namespace="shop", since=None, until=None):
        address = f"10.0.0.{node[1:]}:10250"
        about = {"namespace": namespace, "pod": pod}
        span = {"since": since, "until": until}
        self.add(cluster, "container_memory_bytes", job="kubelet", instance=address, node=node,
                 container=workload, **about, **span)  # fmt: skip
        own = {"job": workload, "instance": f"{pod}:8080"}
        for metric in ("http_requests_total", "http_errors_total", "up"):
            self.add(cluster, metric, **own, **about, **span)

    def add(self, cluster, metric, since=None, until=None, minutes=None, **labels):
        one = {"__name__": metric, "cluster": cluster, **labels}
        if one in self.series:
            return
        present = np.ones(self.minutes, bool)
        if minutes is not None:
            present = np.isin(np.arange(self.minutes), minutes)
        self.series.append(one)
        self.present.append(present)
        if since is not None:
            present[: self._column(since)] = False
        if until is not None:
            present[self._column(until) :] = False

    def _column(self, moment):
        return round((moment - START) / MINUTE)

    def silence(self, since, until=None, *, but_not=(), **labels):
        """What matches all labels (values or sets of them) is not sent."""
        span = slice(self._column(since), None if until is None else self._column(until))
        for one, present in zip(self.series, self.present, strict=True):
            own = {"cluster": None, **one}
            wanted = all(
                own.get(key) in value if isinstance(value, (set, tuple)) else own.get(key) == value
                for key, value in labels.items()
            )
            if wanted and one["__name__"] not in but_not:
                present[span] = False

    def put(self, fill, lake, start=START, end=END):
        low, high = self._column(start), self._column(end)
        chosen = [
            (one, np.flatnonzero(present[low:high]) + low)
            for one, present in zip(self.series, self.present, strict=True)
            if present[low:high].any()
        ]
        if not chosen:
            return
        origin = round(START.timestamp() * 1000)
        offsets = [zlib.crc32(one["__name__"].encode()) % 50_000 for one, _ in chosen]
        times = [
            origin + columns * 60_000 + offset
            for (_, columns), offset in zip(chosen, offsets, strict=True)
        ]
        fill(lake, [one for one, _ in chosen], times, [np.ones(own.size) for own in times])


def node_dies(fleet, hour, node="n2", address="10.0.0.2", cluster="c1"):
    fleet.silence(at(hour), cluster=cluster, instance={f"{address}:9100", f"{address}:10250"},
                  but_not=("up",))  # fmt: skip
    fleet.silence(at(hour), cluster=cluster, job="cart", pod=CARTS[int(node[1:]) - 1])


def about(row):
    """What a row is about, without what it is not."""
    names = ("cluster", "namespace", "workload", "node", "job", "instance", "metric")
    return {name: row[name] for name in names if row.get(name) is not None}
