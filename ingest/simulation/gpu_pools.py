"""Pools of GPUs: jobs come by day, wait for all their GPUs at once, run, and end.

Two clusters have one. That of eu-1 is asleep while that of us-2 is full, and a notebook that
somebody forgot holds one of its GPUs.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.catalogue import GIB
from ingest.simulation.fleet import Cluster, Node, name_nodes
from ingest.simulation.signals import stream
from ingest.simulation.timeline import FloatArray, Timeline

_HOUR = 3600.0
# Jobs have come and gone for so long when the history starts.
_BEFORE = 24 * _HOUR
_SIZES = (1, 2, 4)
_SHARES = (0.4, 0.35, 0.25)
_READS_DATA = 0.5  # of the jobs, the shared data set
_NIGHT = 0.15  # jobs that come at night, as a share of those at noon


@dataclass(frozen=True)
class GpuPoolSpec:
    """One queue and its GPUs.

    Attributes:
        cluster: Name of the cluster.
        scheduler: Who hands the GPUs out.
        queue: Name of the queue.
        flavor: Name of the node pool.
        model: As NVIDIA calls it.
        memory: Of one GPU, bytes.
        jobs: That come in a day.
        hours: That half of the jobs exceed.
        cache: Bytes that the cache of the data set holds at most.
        forgotten: GPUs of a notebook that nobody uses.
        nodes: Number of nodes.
        gpus: Of one node.
    """

    cluster: str
    scheduler: Literal["volcano", "kueue"]
    queue: str
    flavor: str
    model: str
    memory: float
    jobs: float
    hours: float
    cache: float
    forgotten: int = 0
    nodes: int = 2
    gpus: int = 4

    @property
    def capacity(self) -> int:
        """GPUs of all nodes."""
        return self.nodes * self.gpus


DATASET = "clicks"
DATASET_NAMESPACE = "ml"
DATASET_BYTES = 1200 * GIB
_BANDWIDTH = 0.4 * GIB  # bytes a second

GPU_POOLS = (
    GpuPoolSpec(
        "eu-1", "volcano", "training", "a100", "NVIDIA A100-SXM4-40GB", 40 * GIB,
        jobs=20.0, hours=1.0, cache=2000 * GIB, forgotten=1,
    ),
    GpuPoolSpec(
        "us-2", "kueue", "research", "h100", "NVIDIA H100 80GB HBM3", 80 * GIB,
        jobs=38.0, hours=1.0, cache=500 * GIB,
    ),
)  # fmt: skip


@dataclass
class GpuJob:
    """One gang; times are seconds since the begin of the history, before it negative.

    Attributes:
        came: When it was submitted.
        size: GPUs.
        length: Seconds that it has them.
        load: Seconds at their begin in which it reads its data, and computes nothing.
        began: When it got them; infinite if not within the history.
        places: Numbers of its GPUs.
    """

    came: float
    size: int
    length: float
    load: float
    began: float = np.inf
    places: tuple[int, ...] = ()

    @property
    def ended(self) -> float:
        """When it gives its GPUs back."""
        return self.began + self.length


@dataclass
class GpuLoad:
    """One pool over the history.

    Attributes:
        spec: What it is.
        cluster: The cluster.
        timeline: The grid.
        nodes: Its nodes; GPU `i` is on node `i // spec.gpus`.
        jobs: All jobs, in the order in which they came.
        busy: Job of each GPU at each instant, -1 = nobody's, `[gpus, n]`.
        cached: Bytes of the data set in the cache, `[n]`.
    """

    spec: GpuPoolSpec
    cluster: Cluster
    timeline: Timeline
    nodes: tuple[Node, ...]
    jobs: list[GpuJob]
    busy: NDArray[np.int64] = field(repr=False)
    cached: FloatArray = field(repr=False)


def simulate_gpus(cluster: Cluster, timeline: Timeline, seed: int) -> list[GpuLoad]:
    """The pools of one cluster; most have none."""
    return [
        _simulate(spec, cluster, timeline, seed)
        for spec in GPU_POOLS
        if spec.cluster == cluster.name
    ]


def _simulate(spec: GpuPoolSpec, cluster: Cluster, timeline: Timeline, seed: int) -> GpuLoad:
    nodes = name_nodes(cluster.spec, spec.nodes, stream(seed, "gpu nodes", cluster.name))
    jobs = _submitted(spec, cluster, timeline, stream(seed, "gpu jobs", cluster.name))
    _run_queue(jobs, spec.capacity)
    busy = np.full((spec.capacity, timeline.n), -1, dtype=np.int64)
    for number, job in enumerate(jobs):
        if np.isfinite(job.began):
            held = _columns(timeline, job.began, job.ended)
            busy[list(job.places), held] = number
    return GpuLoad(spec, cluster, timeline, nodes, jobs, busy, _cache(spec, jobs, timeline))


def _submitted(
    spec: GpuPoolSpec, cluster: Cluster, timeline: Timeline, rng: np.random.Generator
) -> list[GpuJob]:
    """People submit by day, one after the other: about as many each day."""
    last = float(timeline.seconds[-1]) + timeline.step_seconds
    time = np.arange(-_BEFORE, last, 60.0)
    local = (timeline.start.timestamp() + time) / _HOUR + cluster.spec.utc_offset
    away = np.abs(local % 24.0 - 14.0)
    busy = np.exp(-0.5 * (np.minimum(away, 24.0 - away) / 3.5) ** 2)
    upto = np.cumsum(_NIGHT + (1.0 - _NIGHT) * busy)
    upto *= spec.jobs * (last + _BEFORE) / 86_400.0 / upto[-1]
    number = np.arange(int(upto[-1]))
    came = np.interp(number + rng.uniform(0.0, 1.0, len(number)), upto, time)
    size = rng.choice(_SIZES, len(came), p=_SHARES)
    length = spec.hours * _HOUR * np.exp(rng.normal(0.0, 0.5, len(came)))
    missing = max(DATASET_BYTES - spec.cache, 0.0)
    load = np.where(rng.random(len(came)) < _READS_DATA, missing / _BANDWIDTH, 0.0)
    jobs = [
        GpuJob(*each)
        for each in zip(came.tolist(), size.tolist(), (length + load).tolist(), load.tolist(),
                        strict=True)
    ]  # fmt: skip
    if spec.forgotten:
        jobs.insert(0, GpuJob(-_BEFORE, spec.forgotten, np.inf, 0.0))
    return jobs


def _run_queue(jobs: list[GpuJob], capacity: int) -> None:
    """First come, first served; who does not fit is passed by who does."""
    free = list(range(capacity))
    ends: list[tuple[float, int]] = []
    queue: list[int] = []

    def admit(now: float) -> None:
        for number in list(queue):
            job = jobs[number]
            if job.size <= len(free):
                queue.remove(number)
                job.began, job.places = now, tuple(free[: job.size])
                del free[: job.size]
                heapq.heappush(ends, (job.ended, number))

    for number, job in enumerate(jobs):
        while ends and ends[0][0] <= job.came:
            ended, over = heapq.heappop(ends)
            free.extend(jobs[over].places)
            free.sort()
            admit(ended)
        queue.append(number)
        admit(job.came)
    while ends and np.isfinite(ends[0][0]):
        ended, over = heapq.heappop(ends)
        free.extend(jobs[over].places)
        free.sort()
        admit(ended)


def _cache(spec: GpuPoolSpec, jobs: list[GpuJob], timeline: Timeline) -> FloatArray:
    """Filled by the first job that reads the data in the history, at what the network carries."""
    most = min(DATASET_BYTES, spec.cache)
    reading = [job.began for job in jobs if job.load and np.isfinite(job.began) and job.began > 0]
    if not reading or spec.cache >= DATASET_BYTES:
        return np.full(timeline.n, most)
    since = timeline.seconds - min(reading)
    return np.clip(0.3 * most + np.maximum(since, 0.0) * _BANDWIDTH, 0.0, most)


def _columns(timeline: Timeline, begin: float, end: float) -> slice:
    first, after = np.searchsorted(timeline.seconds, [begin, end])
    return slice(int(first), int(after))
