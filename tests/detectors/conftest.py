"""A made-up fleet: the shapes of Kubernetes metrics, with faults on demand."""

from dataclasses import dataclass

import numpy as np
import pytest

from detectors import Panel

MINUTE = 60_000_000
DAY = 1440
KINDS = (
    "cpu",
    "latency",
    "sawtooth",
    "counts",
    "errors",
    "constant",
    "up",
    "cron",
    "network",
    "disk",
)


@dataclass(frozen=True)
class Fleet:
    """Two days of a cluster, one column a minute; faults lie in the second."""

    panel: Panel
    kinds: list[str]
    faulty: Panel
    faults: dict[int, tuple[str, int, int]]  # row -> (fault, first column, column after the last)

    @property
    def train(self):
        return self.panel.window(0, DAY * MINUTE)


def ar1(rng, n, keep):
    """Return noise with unit variance that keeps a part of itself from column to column."""
    shocks = rng.normal(size=n) * np.sqrt(1 - keep**2)
    out = np.empty(n)
    out[0] = rng.normal()
    for t in range(1, n):
        out[t] = keep * out[t - 1] + shocks[t]
    return out


def series(kind, rng, n=2 * DAY):
    """Return one series; the second day has its own noise and a level a few percent off."""
    t = np.arange(n)
    daily = np.sin(2 * np.pi * (t / DAY + rng.uniform()))
    level = np.where(t < DAY, 1.0, 1.0 + rng.normal(0.0, 0.03))
    if kind == "cpu":
        return level * rng.uniform(0.1, 4.0) * (1 + 0.4 * daily + 0.08 * ar1(rng, n, 0.6))
    if kind == "latency":
        tail = np.where(rng.uniform(size=n) < 0.002, rng.uniform(1.0, 2.5, size=n), 1.0)
        base = rng.uniform(0.002, 0.4) * (1 + 0.2 * daily)
        return level * base * np.exp(0.12 * rng.normal(size=n)) * tail
    if kind == "sawtooth":
        period = rng.integers(15, 90)
        phase = np.cumsum(1 + 0.1 * rng.normal(size=n)) / period
        return level * rng.uniform(1e8, 4e9) * (1 + 0.5 * (phase % 1) + 0.01 * rng.normal(size=n))
    if kind == "counts":
        return rng.poisson(rng.uniform(2, 60) * level * (1 + 0.4 * daily)).astype(float)
    if kind == "errors":
        return rng.poisson(0.02, size=n) / 60.0
    if kind == "constant":
        return np.full(n, 10.0 ** rng.integers(0, 10))
    if kind == "up":
        return np.ones(n)
    if kind == "cron":
        minute = rng.integers(60)
        burst = (t - minute) % 60 < rng.integers(2, 5)
        noise = 0.1 * np.abs(rng.normal(size=n))
        return rng.uniform(0.1, 2.0) * (0.2 + noise + burst * rng.uniform(2.0, 3.0, size=n))
    if kind == "network":
        return level * 1e6 * np.exp(0.3 * daily + 0.35 * ar1(rng, n, 0.8))
    return 1e11 * (0.4 + 0.002 * ar1(rng, n, 0.9))


def inject(kind, values, rng):
    """Change the values in place as a fault of this kind does; return (fault, start, end)."""
    at = int(rng.integers(DAY + 200, 2 * DAY - 500))
    if kind == "latency":
        values[at : at + 20] *= rng.uniform(3.0, 5.0)
        return "latency jump", at, at + 20
    if kind == "errors":
        values[at : at + 15] += 5.0
        return "error rate", at, at + 15
    if kind == "up":
        values[at : at + 5] = 0.0
        return "down", at, at + 5
    if kind == "sawtooth":
        values[at : at + 400] *= 1 + np.linspace(0, 0.8, 400)
        return "leak", at, at + 400
    if kind == "disk":
        values[at : at + 400] += np.linspace(0, 0.4e11, 400)
        return "disk fills", at, at + 400
    if kind == "cpu":
        values[at : at + 60] = values.max() * 1.5
        return "saturation", at, at + 60
    values[at : at + 30] = values.max() * 2 + 1
    return "shift", at, at + 30


@pytest.fixture(scope="session")
def make_fleet():
    """Return a maker of fleets: (seed, n_series) -> Fleet."""

    def make(seed=0, n_series=250):
        rng = np.random.default_rng(seed)
        kinds = [KINDS[i % len(KINDS)] for i in range(n_series)]
        values = np.stack([series(kind, rng) for kind in kinds])
        panel = Panel(values, 0, MINUTE, np.arange(n_series))
        faults = {}
        for row in range(0, n_series, 5):
            faults[row + row // 5 % 5] = ()
        broken = values.copy()
        faults = {row: inject(kinds[row], broken[row], rng) for row in faults}
        return Fleet(panel, kinds, panel.with_values(broken), faults)

    return make
