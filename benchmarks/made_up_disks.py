"""Made-up disks that fill: trends, days, sawteeth, new ramps, steps; some with dips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HISTORY = 576
"""Columns of 5 minutes that may be looked at."""
FUTURE = 144
A_DAY = 24.0
KINDS = ("trend", "daily", "sawtooth", "ramp", "steps")


@dataclass(frozen=True, slots=True, eq=False)
class Disks:
    """Per cent used `[n, HISTORY + FUTURE]`, each disk's kind, and what is too full."""

    values: np.ndarray
    kinds: np.ndarray
    threshold: float = 80.0


def made_up(n: int, seed: int) -> Disks:
    random = np.random.default_rng(seed)
    hours = np.arange(HISTORY + FUTURE) / 12.0
    values = np.empty((n, len(hours)))
    kinds = np.array([KINDS[i % len(KINDS)] for i in range(n)])
    for i, kind in enumerate(kinds):
        noise = 10 ** random.uniform(-1.7, 0.0)
        level = random.uniform(20.0, 78.0)
        line = level + _SHAPES[kind](random, hours, hours[HISTORY])
        line += noise * random.standard_normal(len(hours))
        if random.random() < 0.2:
            for _ in range(random.integers(1, 4)):
                at = random.integers(0, HISTORY)
                line[at : at + random.integers(2, 12)] -= random.uniform(3.0, 15.0)
        values[i] = np.clip(line, 0.0, 100.0)
    return Disks(values, kinds)


def _trend(random: np.random.Generator, hours: np.ndarray, now: float) -> np.ndarray:
    slope = random.choice([1.0, -1.0], p=[0.75, 0.25]) * 10 ** random.uniform(-2.0, 0.7)
    return slope * (hours - now)


def _daily(random: np.random.Generator, hours: np.ndarray, now: float) -> np.ndarray:
    height = random.uniform(1.0, 10.0)
    slope = 10 ** random.uniform(-2.0, 0.0) * random.choice([1.0, 0.0], p=[0.7, 0.3])
    day = height * np.sin(2 * np.pi * (hours - random.uniform(0, A_DAY)) / A_DAY)
    half = 0.3 * height * random.uniform() * np.sin(4 * np.pi * hours / A_DAY)
    return slope * (hours - now) + day + half


def _sawtooth(random: np.random.Generator, hours: np.ndarray, now: float) -> np.ndarray:
    period, height = random.uniform(1.5, 12.0), random.uniform(4.0, 25.0)
    jitter = random.uniform(0.0, 0.15)
    slope = random.choice([0.0, 1.0]) * 10 ** random.uniform(-1.5, 0.0)
    teeth = np.zeros(len(hours))
    begin = -random.uniform(0.0, period)
    while begin < hours[-1]:
        long = max(0.5, period * (1.0 + jitter * random.standard_normal()))
        own = (hours >= begin) & (hours < begin + long)
        teeth[own] = height / period * (hours[own] - begin)
        begin += long
    return slope * (hours - now) + teeth - 0.5 * height


def _ramp(random: np.random.Generator, hours: np.ndarray, now: float) -> np.ndarray:
    begin = now - 10 ** random.uniform(-0.3, 1.2)
    slope = 10 ** random.uniform(-0.5, 1.0)
    before = random.uniform(-0.05, 0.05) * (hours - begin)
    part = slope * (now - begin) * random.uniform()
    return before + slope * np.maximum(0.0, hours - begin) - part


def _steps(random: np.random.Generator, hours: np.ndarray, now: float) -> np.ndarray:
    period, height = random.uniform(0.5, 6.0), random.uniform(0.2, 5.0)
    gaps = period * np.clip(1.0 + 0.2 * random.standard_normal(400), 0.2, None)
    count = np.searchsorted(np.cumsum(gaps), hours)
    return height * (count - count[HISTORY])


_SHAPES = {
    "trend": _trend,
    "daily": _daily,
    "sawtooth": _sawtooth,
    "ramp": _ramp,
    "steps": _steps,
}
