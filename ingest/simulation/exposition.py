"""Latent signals become series with the names and labels that Prometheus would send.

Counters are cumulated and rounded here, after every fault has had its say; gauges are quantised
to what the exporter prints.
"""

from __future__ import annotations

import numpy as np

from ingest.simulation.fleet import Pod
from ingest.simulation.hosts import DISK, HostLoad
from ingest.simulation.pods import PodLoad
from ingest.simulation.policy import ADMISSION, Policy
from ingest.simulation.sheet import Sheet
from ingest.simulation.signals import counter, stream
from ingest.simulation.timeline import FloatArray
from ingest.simulation.traffic import Traffic
from ingest.simulation.volumes import VolumeLoad

_PAGE = 4096.0
_NO_RESET = np.zeros(0, dtype=np.int64)
# A counter has been running for between 2 and 20 days when the history starts.
_AGE_SECONDS = (2 * 86_400.0, 20 * 86_400.0)
_KUBE_STATE = {"job": "kube-state-metrics", "instance": "kube-state-metrics.monitoring.svc:8080"}
# Workload -> (scrape job, port).
_POLICY_JOBS = {"opa": ("opa", 8282), "gatekeeper-controller-manager": ("gatekeeper", 8888)}


def _usual(rate: FloatArray) -> float:
    """Mean of the first half, which no fault touches: history before it looked the same."""
    return float(rate[: len(rate) // 2].mean())


def expose_traffic(sheet: Sheet, traffic: Traffic, seed: int) -> None:
    """Istio's request counters and duration sums, one set a workload, as its own proxies count."""
    cluster = traffic.cluster
    for row, spec in enumerate(cluster.meshed):
        rng = stream(seed, "requests", cluster.name, spec.name)
        age = rng.uniform(*_AGE_SECONDS)
        total = float(np.floor(spec.requests * 0.6 * age))
        labels = {
            "job": "envoy-stats",
            "namespace": spec.namespace,
            "reporter": "destination",
            "destination_workload": spec.name,
            "destination_workload_namespace": spec.namespace,
            "destination_service": f"{spec.name}.{spec.namespace}.svc.cluster.local",
            "destination_service_name": spec.name,
            "request_protocol": "http",
        }
        drawn = rng.poisson(traffic.rate[row] * traffic.timeline.step_seconds)
        failed = rng.binomial(drawn, traffic.errors[row]).astype(np.float64)
        arrived = drawn.astype(np.float64)
        name = "istio_requests_total"
        for code, share, counts in (
            ("200", 0.999, arrived - failed),
            ("500", 0.001, failed),
        ):
            first = float(np.floor(total * share))
            values = counter(counts, first, _NO_RESET, digits=0)
            sheet.add(name, "counter", cluster.spec, labels | {"response_code": code}, values)
        name = "istio_request_duration_milliseconds"
        count = counter(arrived, total, _NO_RESET, digits=0)
        sheet.add(f"{name}_count", "counter", cluster.spec, labels, count)
        took = arrived * traffic.latency[row]
        summed = counter(took, total * spec.latency, _NO_RESET, digits=1)
        sheet.add(f"{name}_sum", "counter", cluster.spec, labels, summed)


def expose_pods(sheet: Sheet, pods: PodLoad, seed: int) -> None:
    """Container metrics of cAdvisor and restarts of kube-state-metrics, one set a pod."""
    rng = stream(seed, "containers", pods.cluster.name)
    cluster, timeline = pods.cluster, pods.timeline
    for row, pod in enumerate(cluster.pods):
        gone = ~pods.alive[row]
        identity = {
            "namespace": pod.spec.namespace,
            "pod": pod.name,
            "container": pod.spec.name,
            "node": pod.node.name,
            "workload": pod.spec.name,
        }
        kubelet = identity | {
            "job": "kubelet",
            "instance": f"{pod.node.address}:10250",
            "metrics_path": "/metrics/cadvisor",
        }
        starts = pods.restarts[row]
        age = rng.uniform(*_AGE_SECONDS)
        if pod.born is not None:
            starts = np.append(starts, timeline.index(pod.born))

        def cumulated(
            rate: FloatArray, starts: np.ndarray = starts, age: float = age
        ) -> FloatArray:
            first = _usual(rate) * age
            return counter(rate * timeline.step_seconds, first, starts, digits=4)

        series = {"container_cpu_usage_seconds_total": cumulated(pods.cpu[row])}
        if pod.spec.cpu_limit is not None:
            throttled = cumulated(pods.throttled[row])
            series["container_cpu_cfs_throttled_seconds_total"] = throttled
        for name, values in series.items():
            values[gone] = np.nan
            sheet.add(name, "counter", cluster.spec, kubelet, values)
        memory = np.round(pods.memory[row] / _PAGE) * _PAGE
        memory[gone] = np.nan
        sheet.add("container_memory_working_set_bytes", "gauge", cluster.spec, kubelet, memory)
        restarts = _restarts(pods, row, before=int(rng.poisson(0.3)) if pod.born is None else 0)
        restarts[gone] = np.nan
        state = identity | _KUBE_STATE
        name = "kube_pod_container_status_restarts_total"
        sheet.add(name, "counter", cluster.spec, state, restarts)
    _expose_replicas(sheet, pods)


def _restarts(pods: PodLoad, row: int, before: int) -> FloatArray:
    counts = np.full(pods.timeline.n, float(before))
    for at in pods.restarts[row]:
        counts[at:] += 1.0
    return counts


def _expose_replicas(sheet: Sheet, pods: PodLoad) -> None:
    for spec in pods.cluster.workloads:
        kind = spec.kind.lower()
        labels = _KUBE_STATE | {
            "namespace": spec.namespace,
            "workload": spec.name,
            kind: spec.name,
        }
        values = np.full(pods.timeline.n, float(spec.replicas))
        values -= pods.unavailable.get(spec.name, 0.0)
        name = {
            "deployment": "kube_deployment_status_replicas_available",
            "statefulset": "kube_statefulset_status_replicas_ready",
        }[kind]
        sheet.add(name, "gauge", pods.cluster.spec, labels, values)


def expose_hosts(sheet: Sheet, hosts: HostLoad, seed: int) -> None:
    """The node exporter of each node, and whether it and the kubelet answer.

    CPU seconds are summed over the cores, as a recording rule would before sending them on.
    """
    cluster, timeline = hosts.cluster, hosts.timeline
    rng = stream(seed, "node-exporters", cluster.name)
    for row, node in enumerate(cluster.nodes):
        labels = {"job": "node-exporter", "instance": f"{node.address}:9100", "node": node.name}
        silent = ~hosts.scraped[row]
        age = rng.uniform(*_AGE_SECONDS)
        for mode, cores in (("idle", hosts.idle[row]), ("user", hosts.user[row])):
            first = _usual(cores) * age
            values = counter(cores * timeline.step_seconds, first, _NO_RESET, digits=2)
            values[silent] = np.nan
            name = "node_cpu_seconds_total"
            sheet.add(name, "counter", cluster.spec, labels | {"mode": mode}, values)
        root = {"mountpoint": "/", "device": "/dev/root", "fstype": "ext4"}
        for name, more, values in (
            ("node_load1", {}, np.round(hosts.load1[row], 2)),
            ("node_memory_MemAvailable_bytes", {}, _pages(hosts.available[row])),
            ("node_filesystem_avail_bytes", root, _pages(hosts.disk_free[row])),
            ("node_filesystem_size_bytes", root, np.full(timeline.n, DISK)),
        ):
            values[silent] = np.nan
            sheet.add(name, "gauge", cluster.spec, labels | more, values)
        sheet.add("up", "gauge", cluster.spec, labels, hosts.scraped[row].astype(np.float64))
        kubelet = {"job": "kubelet", "instance": f"{node.address}:10250", "node": node.name}
        sheet.add("up", "gauge", cluster.spec, kubelet, np.ones(timeline.n))
    sheet.add("up", "gauge", cluster.spec, _KUBE_STATE, np.ones(timeline.n))


def expose_volumes(sheet: Sheet, volumes: VolumeLoad) -> None:
    """The kubelet's statistics of each persistent volume claim."""
    cluster = volumes.cluster
    for row, pod in enumerate(cluster.volumes):
        labels = {
            "job": "kubelet",
            "instance": f"{pod.node.address}:10250",
            "metrics_path": "/metrics",
            "namespace": pod.spec.namespace,
            "node": pod.node.name,
            "persistentvolumeclaim": claim(pod),
        }
        capacity = np.full(volumes.timeline.n, _pages(volumes.capacity[row : row + 1])[0])
        for name, values in (
            ("kubelet_volume_stats_used_bytes", _pages(volumes.used[row])),
            ("kubelet_volume_stats_capacity_bytes", capacity),
        ):
            sheet.add(name, "gauge", cluster.spec, labels, values)


def claim(pod: Pod) -> str:
    """Name of the persistent volume claim of a StatefulSet's pod."""
    return f"data-{pod.name}"


def _pages(values: FloatArray) -> FloatArray:
    return np.round(values / _PAGE) * _PAGE


def expose_policy(sheet: Sheet, policy: Policy, seed: int) -> None:
    """Gatekeeper's admission counter, OPA's decisions by path, and whether both answer."""
    cluster, timeline = policy.traffic.cluster, policy.traffic.timeline
    pods = {name: cluster.pods_of(name)[0] for name in _POLICY_JOBS}
    for path, rate in policy.rate.items():
        rng = stream(seed, "decisions", cluster.name, path)
        age = rng.uniform(*_AGE_SECONDS)
        total = rng.poisson(rate * timeline.step_seconds)
        # A stream of its own: more requests in one minute must not change the verdicts before it.
        judge = stream(seed, "verdicts", cluster.name, path)
        denied = judge.binomial(total, policy.denied[path]).astype(np.float64)
        decisions = {"allow": total - denied, "deny": denied}
        for result, counts in decisions.items():
            first = float(np.floor(_usual(counts) * age / timeline.step_seconds))
            values = counter(counts, first, _NO_RESET, digits=0)
            labels = _policy_labels(pods["opa"]) | {"path": path, "result": result}
            sheet.add("opa_decisions_total", "counter", cluster.spec, labels, values)
            if path == ADMISSION:
                # The admission webhook asks OPA: both count the same decisions.
                labels = _policy_labels(pods["gatekeeper-controller-manager"])
                labels |= {"admission_status": result}
                name = "gatekeeper_validation_request_count"
                sheet.add(name, "counter", cluster.spec, labels, values + 17.0)
    for pod in pods.values():
        sheet.add("up", "gauge", cluster.spec, _policy_labels(pod), np.ones(timeline.n))


def _policy_labels(pod: Pod) -> dict[str, str]:
    job, port = _POLICY_JOBS[pod.spec.name]
    return {
        "job": job,
        "instance": f"{pod.name}:{port}",
        "namespace": pod.spec.namespace,
        "pod": pod.name,
        "container": pod.spec.name,
        "node": pod.node.name,
        "workload": pod.spec.name,
        "service": pod.spec.name,
    }
