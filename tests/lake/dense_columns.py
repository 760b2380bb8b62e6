"""Columns that are hard to store and hard to keep, made by hypothesis."""

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from lake.schema import SAMPLES

SPECIAL = np.array(
    [
        0x7FF8_0000_0000_0000,  # the usual NaN
        0x7FF0_0000_0000_0002,  # Prometheus' stale marker, a signalling NaN
        0xFFFF_FFFF_FFFF_FFFF,
        0x7FF0_0000_0000_0000,  # infinity
        0xFFF0_0000_0000_0000,
        0x8000_0000_0000_0000,  # -0.0
        0x0000_0000_0000_0001,  # the least denormal
        0x7FEF_FFFF_FFFF_FFFF,
    ],
    np.uint64,
)


def constant(rng, n):
    return np.full(n, rng.normal())


def counter(rng, n):
    return np.cumsum(rng.integers(0, 1000, n)).astype(np.float64)


def decimals(rng, n):
    return np.cumsum(rng.integers(0, 9, n)) / 100


def noise(rng, n):
    return rng.random(n) + 1


def few(rng, n):
    return rng.choice(rng.random(50), n)


def any_bits(rng, n):
    return rng.integers(0, 1 << 64, n, dtype=np.uint64).view(np.float64)


def special(rng, n):
    return rng.choice(SPECIAL, n).view(np.float64)


KINDS = (constant, counter, decimals, noise, few, any_bits, special)

SERIES = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(1, 400), st.booleans()), min_size=1, max_size=12
)
"""Kind of values, samples, and whether the metric is another than that of the series before."""


def samples(series, seed=0, cluster=""):
    """Rows of the table of samples, in its order, from a draw of `SERIES`."""
    rng = np.random.default_rng(seed)
    numbers = np.cumsum([new for _, _, new in series])
    counts = [n for _, n, _ in series]
    ids = np.sort(rng.integers(-(1 << 63), 1 << 63, len(series)))
    times = [1_790_000_000_000_000 + np.arange(n) * 1_000_000 for n in counts]
    return pa.table(
        {
            "cluster": [cluster] * sum(counts),
            "metric": np.repeat([f"metric_{number:03}" for number in numbers], counts),
            "series_id": np.repeat(ids, counts),
            "time": pa.array(np.concatenate(times), SAMPLES.schema.field("time").type),
            "value": np.concatenate([kind(rng, n) for kind, n, _ in series]),
        },
        schema=SAMPLES.schema,
    )


def bits(column):
    """Values by their bits: NaN equals NaN, and -0.0 is not 0.0."""
    return column.to_numpy().view(np.uint64)
