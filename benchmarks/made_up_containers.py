"""Made-up containers: daily, weekly, bursty, leaking, costly to start, batch, released, steady."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("steady", "daily", "weekly", "bursty", "leak", "starting", "batch", "released")
A_DAY = 288
"""Columns of 5 minutes."""
MIB = 1024.0**2
MOST_PODS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Containers:
    """Pods of containers, means (CPU) and maxima (memory) of 5 minutes, NaN = it did not run.

    Attributes:
        container: of each pod, ascending `[pods]`.
        kind: of each container, an index of `KINDS` `[n]`.
        cpu: cores `[pods, columns]`.
        memory: bytes `[pods, columns]`.
        starting: within ten minutes of a start `[pods, columns]`.
        cpu_request, memory_request: what is set now, cores and bytes `[n]`.
    """

    container: np.ndarray
    kind: np.ndarray
    cpu: np.ndarray
    memory: np.ndarray
    starting: np.ndarray
    cpu_request: np.ndarray
    memory_request: np.ndarray


def made_up(n: int, seed: int, columns: int = 14 * A_DAY) -> Containers:
    random = np.random.default_rng(seed)
    container, cpu, memory, starting, requests = [], [], [], [], []
    kind = np.arange(n) % len(KINDS)
    for i in range(n):
        pods = int(random.integers(1, MOST_PODS + 1))
        own_cpu, own_memory, starts = _container(random, KINDS[kind[i]], pods, columns)
        container += [i] * pods
        cpu.append(own_cpu)
        memory.append(own_memory)
        starting.append(starts)
        # People ask for some times the most that they have seen, and sometimes for too little.
        first = slice(0, columns // 2)
        generous = np.exp(random.normal([0.7, 0.5], [0.6, 0.4]))
        seen = np.nanmax(own_cpu[:, first]), np.nanmax(own_memory[:, first])
        requests.append(np.maximum(seen * generous, [0.01, 16 * MIB]))
    asked = np.array(requests)
    return Containers(
        np.array(container),
        kind,
        np.concatenate(cpu).astype(np.float32),
        np.concatenate(memory).astype(np.float32),
        np.concatenate(starting),
        asked[:, 0],
        asked[:, 1],
    )


def _container(
    random: np.random.Generator, kind: str, pods: int, columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CPU and memory of the pods of one container, and when they are starting."""
    time = np.arange(columns)
    day = 2 * np.pi * (time / A_DAY - random.uniform())
    level = 10 ** random.uniform(-1.7, 0.5)
    load = np.ones(columns)
    if kind in ("daily", "weekly", "leak", "released"):
        load += random.uniform(0.2, 0.8) * np.sin(day)
    if kind == "weekly":
        of_week = (time // A_DAY + random.integers(0, 7)) % 7
        load *= np.where(of_week == 0, random.uniform(1.3, 2.5), 1.0)
    # Load drifts from day to day, for all pods at once.
    wander = np.cumsum(random.normal(0.0, 10 ** random.uniform(-2.0, -1.0), columns // A_DAY + 1))
    load *= np.exp(wander[time // A_DAY])
    share = np.exp(random.normal(0.0, 0.1, (pods, 1)))
    noise = np.exp(10 ** random.uniform(-1.5, -0.5) * random.standard_normal((pods, columns)))
    cpu = level * share * load * noise
    base = 10 ** random.uniform(1.6, 3.6) * MIB
    size = 10 ** random.uniform(-2.5, -1.3)
    memory = base * (1.0 + 0.15 * share * load + size * random.standard_normal((pods, columns)))
    if kind == "bursty":
        bursts = _bursts(random, pods, columns)
        cpu += level * random.uniform(2.0, 8.0) * bursts
        memory += base * random.uniform(0.1, 0.8) * bursts
    elif kind == "leak":
        period = random.uniform(1.0, 6.0) * A_DAY
        phase = random.uniform(0.0, period, (pods, 1))
        memory += base * random.uniform(0.2, 1.0) * ((time + phase) % period) / period
    elif kind == "batch":
        every, lasts = int(random.integers(36, A_DAY + 1)), int(random.integers(3, 30))
        runs = (time + random.integers(0, every)) % every < lasts
        memory[:, ~runs], cpu[:, ~runs] = np.nan, np.nan
    elif kind == "released":
        at = int(random.integers(columns // 8, columns))
        cpu[:, at:] *= random.uniform(0.7, 1.4)
        memory[:, at:] *= random.uniform(0.8, 1.25)
    starts = np.zeros((pods, columns), dtype=bool)
    if kind == "starting":
        _restart(random, cpu, memory, starts, level, base)
    return cpu, memory, starts


def _bursts(random: np.random.Generator, pods: int, columns: int) -> np.ndarray:
    out = np.zeros((pods, columns))
    for row in out:
        for at in random.integers(0, columns, random.integers(10, 80)):
            row[at : at + random.integers(1, 6)] = random.gamma(4.0, 0.25)
    return out


def _restart(
    random: np.random.Generator,
    cpu: np.ndarray,
    memory: np.ndarray,
    starts: np.ndarray,
    level: float,
    base: float,
) -> None:
    """Pods start anew from time to time: compilation and caches, for ten minutes."""
    for row in range(len(cpu)):
        for at in random.integers(0, cpu.shape[1] - 2, random.integers(2, 12)):
            cpu[row, at : at + 2] = level * random.uniform(3.0, 10.0)
            memory[row, at : at + 2] = base * random.uniform(1.3, 1.8)
            starts[row, at : at + 2] = True
