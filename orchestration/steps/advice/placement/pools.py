"""Pools of GPUs out of the lake's series: the one place where rows become `detectors.placement`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.placement import Gangs, Pool, gangs, learn
from orchestration.placement_settings import HOURS_OF_DAY, GpuPoolSettings, PlacementSettings
from orchestration.steps.advice.placement.datasets import Datasets
from orchestration.steps.advice.placement.lines import Steps, added, at, following, mean_wait
from orchestration.steps.advice.placement.read import RECENT, Line, State

Name = tuple[str, str, str]

NO_NODE_POOL = ""
"""Volcano's queues do not name one."""

DAY = 24.0
NOTHING = GpuPoolSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One pool, and what of it is told to people.

    Attributes:
        pool: as it is now.
        gangs: that were read off it.
        allocated: GPUs that somebody has, over time.
        waiting: gangs that wait, over time.
        mean_wait: hours that those that began in the last day waited, None = none began.
        settings: what is set of it.
        since: hour of the first sample.
    """

    pool: Pool
    gangs: Gangs
    allocated: Steps
    waiting: Steps
    mean_wait: float | None
    settings: GpuPoolSettings
    since: float


def known_pools(
    state: State, settings: PlacementSettings, gpu_hour: float | None = None
) -> Sequence[Known]:
    """All pools, in order of their names.

    Args:
        state: what the lake holds.
        settings: what it does not.
        gpu_hour: price of a GPU for an hour where the pool's settings have none.
    """
    lines = _by_pool(state, settings)
    shared = Datasets(state)
    memory = _memory(state)
    pools_of = Counter(cluster for cluster, *_ in lines)
    return [
        _known(name, lines[name], state, settings, shared, memory, gpu_hour, pools_of[name[0]] > 1)
        for name in sorted(lines)
    ]


def settings_of(name: Name, settings: PlacementSettings) -> GpuPoolSettings:
    """What is set of a pool."""
    for one in settings.pools:
        patterns = (one.cluster, one.queue, one.node_pool)
        if all(re.fullmatch(each, part) for each, part in zip(patterns, name, strict=True)):
            return one
    return NOTHING


def _by_pool(state: State, settings: PlacementSettings) -> dict[Name, list[Line]]:
    """Series of queues that have GPUs, by pool. Kueue tells of a whole queue how many wait."""
    pools: dict[Name, list[Line]] = defaultdict(list)
    of_queue: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in state.lines:
        if line.told.queue is None:
            continue
        queue = line.labels.get(line.told.queue, "")
        resource = line.labels.get("resource")
        if resource is None:
            of_queue[line.cluster, queue].append(line)
        elif re.fullmatch(settings.resource, resource):
            pools[line.cluster, queue, line.labels.get("flavor", NO_NODE_POOL)].append(line)
    for name, lines in pools.items():
        lines += of_queue.get(name[:2], [])
    return dict(pools)


def _known(
    name: Name,
    lines: Sequence[Line],
    state: State,
    settings: PlacementSettings,
    shared: Datasets,
    memory: Mapping[str, Mapping[str, float]],
    gpu_hour: float | None,
    several: bool,
) -> Known:
    own = settings_of(name, settings)
    now = state.hour
    time, held_then = _sum(lines, "allocated")
    # Fewer than none is an exporter's mistake, and no reason to tell nothing of other pools.
    allocated = time, np.maximum(held_then, 0.0)
    waiting = _sum(lines, "waiting")
    found = gangs(*allocated)
    since = float(allocated[0][0]) if len(allocated[0]) else now
    newest = float(allocated[0][-1]) if len(allocated[0]) else -np.inf
    fresh = newest >= now - RECENT.total_seconds() / 3600.0
    hours = np.arange(np.ceil(since), np.floor(now) + 1)
    habits = learn(found, since, now, at(waiting, hours))
    waits = round(float(waiting[1][-1])) if len(waiting[1]) else 0
    running = found.running
    held = float(allocated[1][-1]) if len(allocated[1]) else 0.0
    wanted = _sum(lines, "requested")
    more = float(wanted[1][-1]) - held if len(wanted[1]) else np.nan
    capacity = _capacity(lines)
    pool = Pool(
        name=name,
        # Kueue's queues may borrow: what they have, they may have.
        capacity=max(capacity, held) if not np.isnan(capacity) else capacity,
        running=found.size[running],
        elapsed=now - found.start[running],
        waiting=waits,
        habits=habits,
        # Pods that are not made yet are not asked for: less than a GPU each is no answer.
        waiting_gpus=more if more >= max(waits, 1) else np.nan,
        memory=own.gpu_memory_bytes or _smallest(memory.get(name[0], {}), own, several),
        strict=own.strict,
        price=_price(own, gpu_hour),
        datasets=shared.of(name[0], own, settings),
        known=fresh,
    )
    waited = mean_wait(waiting, found.start, now - DAY, now)
    return Known(pool, found, allocated, waiting, waited, own, since)


def _sum(lines: Sequence[Line], role: str) -> Steps:
    """Parts (states, statuses) added up, each of one exporter after the other."""
    parts: dict[tuple[str, str | None], list[Steps]] = defaultdict(list)
    for line in lines:
        if line.told.role == role:
            parts[line.metric, line.labels.get("status")].append((line.hour, line.value))
    return added([following(part) for part in parts.values()])


def _capacity(lines: Sequence[Line]) -> float:
    """By the first of the metrics that tells of any GPU; NaN = none does."""
    told = [line for line in lines if line.told.role == "capacity" and line.value[-1] > 0.0]
    if not told:
        return float("nan")
    best = min(told, key=lambda line: (line.told.rank, -line.hour[-1]))
    return float(best.value[-1])


def _memory(state: State) -> Mapping[str, Mapping[str, float]]:
    """Bytes of each GPU by cluster and node, the smallest of a node."""
    parts: dict[tuple[str, str, str], dict[str, Line]] = defaultdict(dict)
    for line in state.of("memory"):
        node = node_of(line.labels)
        device = line.labels.get("UUID") or line.labels.get("gpu", "")
        before = parts[line.cluster, node, device].get(line.metric)
        if before is None or before.hour[-1] < line.hour[-1]:
            parts[line.cluster, node, device][line.metric] = line
    nodes: dict[str, dict[str, float]] = defaultdict(dict)
    for (cluster, node, _), told in parts.items():
        if len(told) < 2:
            continue
        whole = sum(float(line.value[-1]) for line in told.values())
        nodes[cluster][node] = min(nodes[cluster].get(node, whole), whole)
    return nodes


def node_of(labels: Mapping[str, str]) -> str:
    """The node of a GPU, as DCGM's exporter or who scrapes it names it."""
    return labels.get("Hostname") or labels.get("node") or labels.get("instance", "")


def _smallest(nodes: Mapping[str, float], own: GpuPoolSettings, several: bool) -> float:
    """The smallest GPU that a job may get; NaN = unknown."""
    if own.nodes is not None:
        nodes = {name: size for name, size in nodes.items() if re.fullmatch(own.nodes, name)}
    elif several and len({round(size, -9) for size in nodes.values()}) > 1:
        # Which of them are this pool's is not known: a guess could be twice too large.
        return float("nan")
    return min(nodes.values(), default=float("nan"))


def _price(own: GpuPoolSettings, gpu_hour: float | None) -> np.ndarray:
    if own.gpu_hour_by_hour:
        return np.array(own.gpu_hour_by_hour)
    price = gpu_hour if own.gpu_hour is None else own.gpu_hour
    return np.full(HOURS_OF_DAY, np.nan if price is None else price)
