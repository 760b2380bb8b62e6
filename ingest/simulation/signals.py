"""The pieces that metrics are made of: rhythms, noise, sawteeth, pulses, counters.

Each is a pure function of its arguments and of a numpy Generator, computed for many rows at once;
arrays are `[rows, n]` unless said otherwise.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.timeline import FloatArray, Timeline

# Traffic of a weekday relative to Monday: a shop sells a little more towards the weekend.
# Neighbouring days differ by 3 % at most, as an operator would expect.
_WEEK = np.array([1.00, 0.99, 1.00, 1.02, 1.04, 1.06, 1.03])
_THURSDAY = 3  # weekday of 1 January 1970, counted from Monday
_NIGHT = 0.34  # lowest traffic as a share of the peak


def stream(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each use, so that one more metric never shifts another's noise."""
    return np.random.default_rng([seed, zlib.crc32("/".join(names).encode())])


def noise(
    rng: np.random.Generator, rows: int, timeline: Timeline, *, minutes: float, size: float
) -> FloatArray:
    """Stationary first-order autoregressive noise that forgets itself in `minutes`.

    Returns:
        `[rows, n]` with mean 0 and standard deviation `size`.
    """
    keep = float(np.exp(-timeline.step_seconds / (60.0 * minutes)))
    # Time runs along the first axis here: the loop then touches contiguous memory.
    walk = rng.standard_normal((timeline.n, rows))
    walk[1:] *= np.sqrt(1.0 - keep * keep)
    for i in range(1, timeline.n):
        walk[i] += keep * walk[i - 1]
    return np.ascontiguousarray(walk.T) * size


def drift(rng: np.random.Generator, rows: int, timeline: Timeline, *, size: float) -> FloatArray:
    """A slow change of level in the second half: the second day is never quite the first.

    Returns:
        Factors around 1, `[rows, n]`; the last level is off by `size` on average, by twice that at
        most.
    """
    t = np.clip((np.arange(timeline.n) / timeline.n - 0.4) / 0.3, 0.0, 1.0)
    change = np.clip(rng.normal(0.0, size, rows), -2 * size, 2 * size)
    return 1.0 + change[:, None] * (t * t * (3.0 - 2.0 * t))


def rhythm(timeline: Timeline, utc_offset: float) -> FloatArray:
    """Customers awake: quiet night, busy noon, busier evening; times the weekday. `[n]`."""
    days = timeline.local_days(utc_offset)
    hour = (days % 1.0) * 24.0

    def hump(centre: float, width: float) -> FloatArray:
        away = np.abs(hour - centre)
        bell: FloatArray = np.exp(-0.5 * (np.minimum(away, 24.0 - away) / width) ** 2)
        return bell

    shape = np.clip(0.78 * hump(12.5, 3.4) + 0.95 * hump(20.2, 2.3), 0.0, None)
    # Between two middays the factor is interpolated; nothing jumps at midnight.
    week = np.interp((days - 0.5 + _THURSDAY) % 7.0, np.arange(8), np.append(_WEEK, _WEEK[0]))
    demand: FloatArray = (_NIGHT + (1.0 - _NIGHT) * shape) * week
    return demand


def nightly(timeline: Timeline, utc_offset: float, *, hour: float, minutes: float) -> FloatArray:
    """1 during a job that runs every night at a local hour, else 0, with edges of 2 minutes."""
    since = ((timeline.local_days(utc_offset) - hour / 24.0) % 1.0) * 1440.0
    return np.clip(np.minimum(since, minutes - since) / 2.0, 0.0, 1.0)


def recurring(
    rng: np.random.Generator, rows: int, timeline: Timeline, *, hours: float, minutes: float
) -> FloatArray:
    """Short bumps of height 1, one in each period of `hours` at an irregular moment of it."""
    period, length = hours * 3600.0, minutes * 60.0
    slot, into = np.divmod(timeline.seconds, period)
    number = slot.astype(np.int64)
    begins = rng.uniform(0.0, period - length, (rows, int(number[-1]) + 1))
    begin = begins[:, number]
    height = rng.uniform(0.8, 1.0, (rows, 1))
    inside = np.clip((into - begin) / length, 0.0, 1.0)
    bumps: FloatArray = height * np.sin(np.pi * inside) ** 2
    return bumps


def sawtooth(speed: FloatArray, first: FloatArray) -> FloatArray:
    """Rises from 0 to 1 and falls back at once: `speed` teeth per step, starting at phase `first`.

    Args:
        speed: Positive, `[rows, n]`.
        first: Phases in `[0, 1)`, `[rows]`.
    """
    return np.mod(first[:, None] + np.cumsum(speed, axis=1), 1.0)


def plateau(since: FloatArray, length: float, *, rise: float, fall: float) -> FloatArray:
    """0, up to 1 within `rise` seconds from 0 on, and down to 0 within `fall` seconds to `length`.

    Args:
        since: Seconds since the begin, `[n]`.
        length: Seconds from the begin to the end of the fall.
        rise: Seconds of the rise.
        fall: Seconds of the fall.
    """
    return np.clip(np.minimum(since / rise, (length - since) / fall), 0.0, 1.0)


def counter(
    increments: FloatArray, first: float, resets: NDArray[np.int64], *, digits: int
) -> FloatArray:
    """The cumulative counter of one series, back at 0 wherever its process starts anew.

    Args:
        increments: What each step adds, not negative, `[n]`.
        first: Value before the first step.
        resets: Instants at which a new process begins; its own first increment counts.
        digits: Decimals that the exporter prints.
    """
    total = first + np.cumsum(increments)
    for at in np.sort(resets):
        total[at:] -= total[at] - increments[at]
    return np.round(total, digits)
