"""A made-up fleet of GPU pools with queues, event by event.

Jobs come, wait for all their GPUs at once, fetch their data, run and end. What a policy sees of it
is what metrics would tell.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

SCRAPE = 1.0 / 60.0  # hours
BANDWIDTH = 1e9  # bytes a second, of every cluster
TB = 1e12


@dataclass(frozen=True)
class Spec:
    """One pool; `home` is the share of jobs whose people have their queue here."""

    name: str
    capacity: int
    memory: float
    utc_offset: float
    home: float
    strict: bool = False
    tells_gpus: bool = True  # Volcano tells how many GPUs are waited for, Kueue does not
    cache: float = 5 * TB


SPECS = (
    Spec("eu", 64, 80e9, 1.0, 0.42),
    Spec("us", 48, 80e9, -5.0, 0.30, tells_gpus=False),
    Spec("ap", 32, 40e9, 8.0, 0.20, strict=True),
    Spec("lab", 32, 40e9, 1.0, 0.08, tells_gpus=False),
)
"""People are not where the GPUs are: by day some queues are long while others are empty."""

SIZES = (1, 2, 4, 8, 16, 32)
SHARES = (0.30, 0.20, 0.20, 0.17, 0.09, 0.04)
NIGHT = 0.2  # of the jobs at noon come at night
SWEEP = 0.04  # of the arrivals are many small jobs at once


@dataclass
class Job:
    """One job; times in hours. `said` is what its people say that it takes."""

    ready: float
    home: int
    gpus: int
    memory: float
    length: float
    said: float
    dataset: int | None
    deadline: float | None
    pool: int = -1
    submitted: float = np.inf
    began: float = np.inf
    transfer: float = 0.0

    @property
    def ended(self) -> float:
        """When it gives its GPUs back."""
        return self.began + self.transfer + self.length


@dataclass
class PoolState:
    """One pool as it is, and what has been scraped of it."""

    spec: Spec
    free: int
    queue: list[Job] = field(default_factory=list)
    cached: dict[int, float] = field(default_factory=dict)  # in order of last use
    time: list[float] = field(default_factory=lambda: [0.0])
    allocated: list[float] = field(default_factory=lambda: [0.0])
    waiting: list[tuple[float, int, int]] = field(default_factory=lambda: [(0.0, 0, 0)])

    def scrape(self, now: float) -> None:
        """What the next scrape will tell, in place of what it would have told."""
        at = np.ceil(now / SCRAPE) * SCRAPE
        used = float(self.spec.capacity - self.free)
        if self.time[-1] >= at - 1e-9:
            self.allocated[-1] = used
        elif used != self.allocated[-1]:
            self.time.append(at)
            self.allocated.append(used)
        told = at, len(self.queue), sum(job.gpus for job in self.queue)
        if self.waiting[-1][0] >= at - 1e-9:
            self.waiting[-1] = told
        elif told[1:] != self.waiting[-1][1:]:
            self.waiting.append(told)


Choose = Callable[["Fleet", Job, float], tuple[int, float]]
"""Pool and hour for a job that is ready now; a later hour means: ask again then."""


class Fleet:
    """All pools, and the rest of the day."""

    def __init__(self, datasets: np.ndarray) -> None:
        self.pools = [PoolState(spec, spec.capacity) for spec in SPECS]
        self.datasets = datasets
        self.wanted_idle = 0.0
        self.idle = 0.0

    def fits(self, job: Job) -> list[int]:
        """Pools that can ever hold it."""
        return [
            number
            for number, spec in enumerate(SPECS)
            if job.gpus <= spec.capacity and job.memory <= spec.memory
        ]

    def run(self, jobs: list[Job], choose: Choose, measured: tuple[float, float]) -> None:
        """Play until every job has begun; idle GPU hours are counted within `measured`."""
        events: list[tuple[float, int, int, Job]] = []
        for number, job in enumerate(jobs):
            heapq.heappush(events, (job.ready, 1, number, job))
        count, before = len(jobs), 0.0
        while events:
            now, kind, _, job = heapq.heappop(events)
            self._count_idle(max(before, measured[0]), min(now, measured[1]))
            before = now
            count += 1
            if kind == 0:
                pool = self.pools[job.pool]
                pool.free += job.gpus
            else:
                number, when = choose(self, job, now)
                if when > now:
                    heapq.heappush(events, (when, 1, count, job))
                    continue
                job.pool, job.submitted = number, now
                pool = self.pools[number]
                pool.queue.append(job)
            for begun in self._admit(pool, now):
                count += 1
                heapq.heappush(events, (begun.ended, 0, count, begun))
            pool.scrape(now)

    def _admit(self, pool: PoolState, now: float) -> list[Job]:
        begun = []
        for job in list(pool.queue):
            if job.gpus <= pool.free:
                pool.queue.remove(job)
                pool.free -= job.gpus
                job.began, job.transfer = now, self._fetch(pool, job)
                begun.append(job)
            elif pool.spec.strict:
                break
        return begun

    def _fetch(self, pool: PoolState, job: Job) -> float:
        """Hours until the data is there; the least recently used makes room."""
        if job.dataset is None:
            return 0.0
        size = float(self.datasets[job.dataset])
        missing = size - pool.cached.pop(job.dataset, 0.0)
        while pool.cached and sum(pool.cached.values()) + size > pool.spec.cache:
            del pool.cached[next(iter(pool.cached))]
        pool.cached[job.dataset] = size
        return missing / BANDWIDTH / 3600.0

    def _count_idle(self, begin: float, end: float) -> None:
        if end <= begin:
            return
        waiting = [job for pool in self.pools for job in pool.queue]
        for pool in self.pools:
            self.idle += pool.free * (end - begin)
            wanted = sum(
                job.gpus
                for job in waiting
                if job.gpus <= pool.free and job.memory <= pool.spec.memory
            )
            self.wanted_idle += min(pool.free, wanted) * (end - begin)


def made_up_jobs(hours: float, a_day: float, rng: np.random.Generator) -> list[Job]:
    """Jobs of all people, in order of time."""
    jobs: list[Job] = []
    shape = 24.0 / (NIGHT * 24.0 + (1.0 - NIGHT) * 8.77)  # 8.77 is what the hump below adds up to
    for home, spec in enumerate(SPECS):
        rate = a_day / 24.0 * spec.home
        times = np.sort(rng.uniform(0.0, hours, rng.poisson(hours * rate * shape)))
        away = np.abs((times + spec.utc_offset) % 24.0 - 14.0)
        busy = np.exp(-0.5 * (np.minimum(away, 24.0 - away) / 3.5) ** 2)
        times = times[rng.random(len(times)) < NIGHT + (1.0 - NIGHT) * busy]
        for at in times.tolist():
            if rng.random() < SWEEP:
                small = _job(at, home, int(rng.choice([1, 2])), rng)
                jobs += [
                    Job(at + n * 0.002, home, small.gpus, small.memory,
                        small.length * float(np.exp(rng.normal(0.0, 0.2))), small.said,
                        small.dataset, small.deadline)
                    for n in range(int(rng.integers(4, 13)))
                ]  # fmt: skip
            else:
                jobs.append(_job(at, home, int(rng.choice(SIZES, p=SHARES)), rng))
    return sorted(jobs, key=lambda job: job.ready)


def _job(at: float, home: int, gpus: int, rng: np.random.Generator) -> Job:
    length = 1.5 * (1.0 + 0.15 * np.log2(gpus)) * float(np.exp(rng.normal(0.0, 0.9)))
    said = length * float(np.exp(rng.normal(0.0, 0.3)))
    dataset = int(np.minimum(rng.zipf(1.6), 10) - 1) if rng.random() < 0.5 else None
    deadline = None
    if rng.random() < 0.5:
        deadline = at + 1.5 * said + float(rng.uniform(2.0, 24.0))
    memory = 80e9 if rng.random() < 0.2 else 40e9
    return Job(at, home, gpus, memory, min(length, 48.0), min(said, 48.0), dataset, deadline)
