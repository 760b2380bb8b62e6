"""Simulated streams of events, scored hour by hour as live detection does."""

import numpy as np
import pytest

from detectors.events import Cells, Counts, exceedances, intervals_of, learn

DAY = 1440


def poisson(rng, rate, shape):
    return rng.poisson(rate, shape)


def clustered(rng, rate, shape):
    """Accidents of ten events on average, each within its minute."""
    accidents = rng.poisson(rate / 10, shape)
    return np.where(accidents, rng.negative_binomial(np.maximum(accidents, 1), 0.1), 0)


def seasonal(rng, rate, shape):
    """Nine times as many at the day's peak as at night."""
    phase = rng.random((shape[0], 1))
    day = np.arange(shape[1]) / DAY
    return rng.poisson(rate * (1 + 0.8 * np.sin(2 * np.pi * (day + phase))))


KINDS = {"poisson": poisson, "clustered": clustered, "seasonal": seasonal}


def as_counts(values):
    stream, column = np.nonzero(values)
    return Counts.of(stream, column, values[stream, column], *values.shape)


def score(values, rate, history=DAY, first=None):
    """Cells of everything after the history; each hour by what was before it."""
    counts, (streams, columns) = as_counts(values), values.shape
    parts = []
    for begin in range(first or history, columns, 60):
        since = np.full(streams, max(0, begin - history))
        base = learn(counts, since, begin, 360, DAY)
        parts.append(exceedances(counts, base, begin, min(begin + 60, columns), rate, DAY))
    return Cells.joined(parts)


def found(cells, columns):
    """(stream, start, end) of the intervals."""
    spans, _ = intervals_of(cells, columns, 5, 30)
    return list(zip(spans.row.tolist(), spans.start.tolist(), spans.end.tolist(), strict=True))


@pytest.fixture
def rng():
    return np.random.default_rng(5)
