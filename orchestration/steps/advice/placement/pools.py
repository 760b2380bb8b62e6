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
FRESH = RECENT.total_seconds() / 3600.0  # hours
NOTHING = GpuPoolSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One pool, and what of it is told to people.

    Attributes:
        pool: as it is now.
        gangs: that were read off it.
        allocated: GPUs that somebody has, over time.
        waiting: gangs that wait, over time.
        waiting_told: whether it is told of late how many do; where not, none is taken to.
        mean_wait: hours that those that began in the last day waited, None = none began.
        settings: what is set of it.
        since: hour of the first sample.
        quota: GPUs that its queue may have by its own words, without what it borrows; NaN = they
            are not told.
    """

    pool: Pool
    gangs: Gangs
    allocated: Steps
    waiting: Steps
    waiting_told: bool
    mean_wait: float | None
    settings: GpuPoolSettings
    since: float
    quota: float


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


def settings_of(
    name: Name, settings: PlacementSettings, flavor: str | None = None
) -> GpuPoolSettings:
    """What is set of a pool; of one sort of several in a flavor, also what is set of the flavor."""
    cluster, queue, node_pool = name
    node_pools = [node_pool] if flavor is None else [node_pool, flavor]
    for one in settings.pools:
        if (
            re.fullmatch(one.cluster, cluster)
            and re.fullmatch(one.queue, queue)
            and any(re.fullmatch(one.node_pool, part) for part in node_pools)
        ):
            return one
    return NOTHING


def _by_pool(state: State, settings: PlacementSettings) -> dict[Name, list[Line]]:
    """Series of queues that have GPUs, by pool. Kueue tells of a whole queue how many wait.

    GPUs of two sorts stand in for one another no more than those of two flavors: each sort that a
    queue gives out is a pool of its own, named with it where there are several.
    """
    sorts: dict[Name, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    of_queue: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in state.lines:
        if line.told.queue is None:
            continue
        queue = line.labels.get(line.told.queue, "")
        resource = line.labels.get("resource")
        if resource is None:
            of_queue[line.cluster, queue].append(line)
        elif re.fullmatch(settings.resource, resource):
            sorts[line.cluster, queue, _flavor(line)][resource].append(line)
    pools: dict[Name, list[Line]] = {}
    for (cluster, queue, flavor), told in sorts.items():
        given = {one: lines for one, lines in told.items() if _any(lines)} or told
        for resource, lines in given.items():
            named = flavor if len(given) == 1 else f"{flavor} {resource}".strip()
            pools[cluster, queue, named] = lines + of_queue.get((cluster, queue), [])
    return pools


def _flavor(line: Line) -> str:
    return line.labels.get("flavor", NO_NODE_POOL)


def _any(lines: Sequence[Line]) -> bool:
    """Whether there ever were GPUs: queues list sorts of which they give out none."""
    return any(bool((line.value > 0.0).any()) for line in lines)


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
    own = settings_of(name, settings, _flavor(lines[0]))
    now = state.hour
    time, held_then = _sum(lines, "allocated")
    # Fewer than none is an exporter's mistake, and no reason to tell nothing of other pools.
    allocated = time, np.maximum(held_then, 0.0)
    parts = _parts(lines, "waiting")
    waiting = added([_until_told(part, now) for part in parts])
    found = gangs(*allocated)
    since = float(allocated[0][0]) if len(allocated[0]) else now
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
        known=_of_late(allocated, now),
    )
    waited = mean_wait(waiting, found.start, now - DAY, now)
    heard = any(_of_late(part, now) for part in parts)
    return Known(pool, found, allocated, waiting, heard, waited, own, since, capacity)


def _sum(lines: Sequence[Line], role: str) -> Steps:
    """Parts added up."""
    return added(_parts(lines, role))


def _parts(lines: Sequence[Line], role: str) -> list[Steps]:
    """States and statuses, each of one exporter after the other."""
    parts: dict[tuple[str, str | None], list[Steps]] = defaultdict(list)
    for line in lines:
        if line.told.role == role:
            parts[line.metric, line.labels.get("status")].append((line.hour, line.value))
    return [following(part) for part in parts.values()]


def _of_late(line: Steps, now: float) -> bool:
    return len(line[0]) > 0 and float(line[0][-1]) >= now - FRESH


def _until_told(line: Steps, now: float) -> Steps:
    """What was told last holds for a while: how many waited days ago says nothing of now."""
    if not len(line[0]) or _of_late(line, now):
        return line
    return np.append(line[0], line[0][-1] + FRESH), np.append(line[1], 0.0)


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
