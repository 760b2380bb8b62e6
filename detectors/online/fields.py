"""What is kept of a series between two ticks, as compiled functions pass it on."""

from __future__ import annotations

from typing import NamedTuple


class Means(NamedTuple):
    """What a series is like; every field a float32.

    Attributes:
        seen: columns with data, up to 2^24.
        fast: short mean of clipped values.
        level: long mean of clipped values.
        noise: standard deviation about the short mean, as of a Gaussian.
        magnitude: mean |clipped value| where it is not 0.
        recent: short mean of the values as they are.
        recent_noise: mean |value - recent|, over a short window.
        run: abnormal columns less normal ones since the last time they were even.
    """

    seen: float
    fast: float
    level: float
    noise: float
    magnitude: float
    recent: float
    recent_noise: float
    run: float


class Tail(NamedTuple):
    """What the moves are like that a test looks at, in its unit; every field a float32.

    Attributes:
        level: move that 5 % of the columns pass.
        excess: mean excess over it of those that pass.
        lift: factor on the limit for what the tail does not tell, at least 1.
    """

    level: float
    excess: float
    lift: float


class Shape(NamedTuple):
    """How heavy the jump's tail is; every field a float32.

    Attributes:
        square: mean square of the excess.
        reach: excess passed at the rate asked for, in mean ones.
    """

    square: float
    reach: float


# Columns of a state, float32 [n_series, N_FIELDS]: the means, the jump's tail, its shape, the
# shift's tail. A series that has seen nothing is all 0.
FIELDS = (
    *Means._fields,
    *(f"jump_{name}" for name in Tail._fields),
    *(f"jump_{name}" for name in Shape._fields),
    *(f"shift_{name}" for name in Tail._fields),
)
N_FIELDS = len(FIELDS)
