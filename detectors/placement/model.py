"""Pools of GPUs with a queue, jobs, data sets: what a placement is asked of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.placement.habits import Habits

Float64 = npt.NDArray[np.float64]

HOURS_OF_DAY = 24


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be placed: a gang that gets all its GPUs at once or none.

    Attributes:
        gpus: how many, at least 1.
        hours: how long it runs once it has its data, by whoever submits it.
        memory: bytes that it needs on each GPU, 0 = any.
        dataset: name of what it reads, None = nothing worth a mention.
        deadline: hours from now by which it has to be done, None = whenever.

    Raises:
        InvalidParameterError: a number outside its range.
    """

    gpus: int
    hours: float
    memory: float = 0.0
    dataset: str | None = None
    deadline: float | None = None

    def __post_init__(self) -> None:
        if self.gpus < 1:
            raise InvalidParameterError("gpus", self.gpus, "at least 1")
        if not 0.0 < self.hours < np.inf:
            raise InvalidParameterError("hours", self.hours, "more than 0")
        if not 0.0 <= self.memory < np.inf:
            raise InvalidParameterError("memory", self.memory, "bytes, not negative")
        if self.deadline is not None and not self.deadline > 0.0:
            raise InvalidParameterError("deadline", self.deadline, "after now")


@dataclass(frozen=True, slots=True)
class Dataset:
    """What one pool has of a data set.

    Attributes:
        size: bytes.
        cached: bytes of it that are in the pool's cache.
        bandwidth: bytes a second at which the rest comes.
    """

    size: float
    cached: float
    bandwidth: float

    @property
    def transfer_hours(self) -> float:
        """How long the rest takes.

        >>> Dataset(size=7.2e12, cached=3.6e12, bandwidth=1e9).transfer_hours
        1.0
        """
        return max(self.size - self.cached, 0.0) / self.bandwidth / 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """GPUs that one queue gives out, as they are now.

    Attributes:
        name: cluster, queue and node pool.
        capacity: GPUs that the queue may give out, NaN = unknown.
        running: GPUs of each gang that runs, `[running]`.
        elapsed: hours since each began, or for which it has been seen to run, `[running]`.
        waiting: gangs that wait.
        waiting_gpus: GPUs that they wait for, NaN = unknown.
        memory: bytes of one GPU, the smallest of the pool, NaN = unknown.
        strict: whether a gang that does not fit holds up those behind it.
        price: of a GPU for an hour, by hour of the day (UTC), `[24]`, NaN = unknown.
        datasets: what is known of the data sets here, by name.
        habits: what is usual here.
        known: whether there are recent samples of what is allocated.
    """

    name: tuple[str, str, str]
    capacity: float
    running: Float64
    elapsed: Float64
    waiting: int
    habits: Habits
    waiting_gpus: float = np.nan
    memory: float = np.nan
    strict: bool = False
    price: Float64 = field(default_factory=lambda: np.full(HOURS_OF_DAY, np.nan))
    datasets: Mapping[str, Dataset] = field(default_factory=dict)
    known: bool = True

    @property
    def free(self) -> float:
        """GPUs that nobody has."""
        return max(self.capacity - float(self.running.sum()), 0.0)
