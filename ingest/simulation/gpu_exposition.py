"""Pools of GPUs as their exporters tell of them: Volcano or Kueue, DCGM, Fluid with Alluxio."""

from __future__ import annotations

import uuid

import numpy as np

from ingest.simulation.catalogue import MIB
from ingest.simulation.gpu_pools import DATASET, DATASET_BYTES, DATASET_NAMESPACE, GpuLoad
from ingest.simulation.sheet import Sheet
from ingest.simulation.signals import noise, stream
from ingest.simulation.timeline import FloatArray

_RESOURCE = "nvidia.com/gpu"
_MILLI = 1000.0  # Volcano counts scalar resources in thousandths
_IDLE_MIB = 4.0  # of a GPU that nobody has
_NOTEBOOK_MIB = 1180.0
_KUBE_STATE = {"job": "kube-state-metrics", "instance": "kube-state-metrics.monitoring.svc:8080"}


def expose_gpus(sheet: Sheet, load: GpuLoad, seed: int) -> None:
    """All series of one pool."""
    if load.spec.scheduler == "volcano":
        _expose_volcano(sheet, load)
    else:
        _expose_kueue(sheet, load)
    _expose_devices(sheet, load, seed)
    _expose_dataset(sheet, load)


def _counted(load: GpuLoad, begin: FloatArray, end: FloatArray, what: FloatArray) -> FloatArray:
    """The sum of what jobs count for between begin and end, at each instant."""
    instants = load.timeline.seconds
    change = np.zeros(len(instants) + 1)
    np.add.at(change, np.searchsorted(instants, begin), what)
    np.add.at(change, np.searchsorted(instants, end), -what)
    out: FloatArray = np.cumsum(change[:-1])
    return out


def _columns(load: GpuLoad) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    rows = [(job.came, job.began, job.ended, float(job.size)) for job in load.jobs]
    came, began, ended, size = np.array(rows).T
    return came, began, ended, size


def _expose_volcano(sheet: Sheet, load: GpuLoad) -> None:
    came, began, ended, size = _columns(load)
    labels = {
        "job": "volcano-scheduler",
        "instance": "volcano-scheduler.volcano-system.svc:8080",
        "queue_name": load.spec.queue,
    }
    allocated = _counted(load, began, ended, size)
    requested = _counted(load, came, ended, size)
    capacity = np.full(load.timeline.n, float(load.spec.capacity))
    for name, values in (
        ("allocated", allocated),
        ("request", requested),
        ("deserved", capacity),
        ("capacity", capacity),
    ):
        of = labels | {"resource": _RESOURCE}
        name = f"volcano_queue_{name}_scalar_resources"
        sheet.add(name, "gauge", load.cluster.spec, of, values * _MILLI)
    one = np.ones(len(size))
    for state, values in (
        ("pending", np.zeros(load.timeline.n)),
        ("inqueue", _counted(load, came, began, one)),
        ("running", _counted(load, began, ended, one)),
    ):
        name = f"volcano_queue_pod_group_{state}_count"
        sheet.add(name, "gauge", load.cluster.spec, labels, values)


def _expose_kueue(sheet: Sheet, load: GpuLoad) -> None:
    came, began, ended, size = _columns(load)
    target = {
        "job": "kueue-controller-manager",
        "instance": "kueue-controller-manager.kueue-system.svc:8443",
    }
    labels = target | {"cluster_queue": load.spec.queue}
    flavor = labels | {"cohort": "ml", "flavor": load.spec.flavor, "resource": _RESOURCE}
    spec = load.cluster.spec
    usage = _counted(load, began, ended, size)
    quota = np.full(load.timeline.n, float(load.spec.capacity))
    sheet.add("kueue_cluster_queue_resource_usage", "gauge", spec, flavor, usage)
    sheet.add("kueue_cluster_queue_nominal_quota", "gauge", spec, flavor, quota)
    one = np.ones(len(size))
    waiting = _counted(load, came, began, one)
    for status, values in (("active", np.zeros(load.timeline.n)), ("inadmissible", waiting)):
        sheet.add("kueue_pending_workloads", "gauge", spec, labels | {"status": status}, values)
    running = _counted(load, began, ended, one)
    sheet.add("kueue_admitted_active_workloads", "gauge", spec, labels, running)
    never = np.full(len(size), np.inf)
    name = "kueue_admission_wait_time_seconds"
    waited = np.where(np.isfinite(began), began - came, 0.0)
    total = np.round(_counted(load, began, never, waited), 3)
    sheet.add(f"{name}_sum", "counter", spec, labels, total)
    sheet.add(f"{name}_count", "counter", spec, labels, _counted(load, began, never, one))


def _expose_devices(sheet: Sheet, load: GpuLoad, seed: int) -> None:
    spec, timeline = load.spec, load.timeline
    rng = stream(seed, "gpu devices", load.cluster.name)
    computing = np.clip(92.0 + noise(rng, spec.capacity, timeline, minutes=6, size=2.5), 0, 100)
    number = load.busy
    held = number >= 0
    began = np.array([job.began for job in load.jobs])[number]
    reads = np.array([job.load for job in load.jobs])[number]
    endless = np.isinf([job.length for job in load.jobs])[number]
    reading = timeline.seconds - began < reads
    utilisation = np.where(held & ~endless, np.where(reading, 3.0, computing), 0.0)
    # What a job needs is its own affair, and the same on all its GPUs.
    share = rng.uniform(0.45, 0.9, len(load.jobs))[number]
    total = spec.memory / MIB - 500.0  # the driver keeps some
    used = np.where(held, np.where(endless, _NOTEBOOK_MIB, share * total), _IDLE_MIB)
    for gpu in range(spec.capacity):
        node, device = load.nodes[gpu // spec.gpus], gpu % spec.gpus
        labels = {
            "job": "dcgm-exporter",
            "instance": f"{node.address}:9400",
            "Hostname": node.name,
            "gpu": str(device),
            "device": f"nvidia{device}",
            "UUID": f"GPU-{uuid.uuid5(uuid.NAMESPACE_URL, f'{node.name}/{device}')}",
            "modelName": spec.model,
        }
        for name, values in (
            ("DCGM_FI_DEV_GPU_UTIL", utilisation[gpu]),
            ("DCGM_FI_DEV_FB_USED", used[gpu]),
            ("DCGM_FI_DEV_FB_FREE", total - used[gpu]),
        ):
            sheet.add(name, "gauge", load.cluster.spec, labels, np.round(values))


def _expose_dataset(sheet: Sheet, load: GpuLoad) -> None:
    spec, n = load.cluster.spec, load.timeline.n
    fluid = {
        "job": "fluid-dataset-controller",
        "instance": "dataset-controller.fluid-system.svc:8080",
        "dataset": f"{DATASET_NAMESPACE}/{DATASET}",
    }
    sheet.add("dataset_ufs_total_size", "gauge", spec, fluid, np.full(n, DATASET_BYTES))
    alluxio = {
        "job": "alluxio runtime",
        "instance": f"{DATASET}-master-0.{DATASET_NAMESPACE}.svc:20000",
        "namespace": DATASET_NAMESPACE,
        "fluid_runtime": DATASET,
    }
    sheet.add("Cluster_CapacityTotal", "gauge", spec, alluxio, np.full(n, load.spec.cache))
    sheet.add("Cluster_CapacityUsed", "gauge", spec, alluxio, np.round(load.cached))
