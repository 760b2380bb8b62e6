"""The recurrence of tier 0, compiled: one column of one series, and the loops around it.

For a value x of a series whose short mean is f, long mean l, noise s and magnitude m:

    scale   = max(s, least_change × m)
    jump    = |x - f| / scale                      a column far from the last few
    f      += short_gain × clip(x - f)
    shift   = |f - l| / (scale × root)             the last few far from the last many
    score   = max(jump / limit(jump), shift / limit(shift))
    l      += long_gain × clip(x - l)
    s      += long_gain × (1.25 × clip |x - f| - s)

`clip` bounds what one value may do: a spike of any height moves the means as one of four
scales does. `root` is the standard deviation of the short mean of white noise, in units of
the noise: a lasting shift of three scales, hardly seen in a single column, stands out in it.

Each test's limit is learned from its own past, so that a heavy tail, a daily wave or noise
that keeps its direction, to all of which no law of ours applies, pass:

    limit   = margin × max(u + reach(q / e²) × e, least) × lift

- u, the level that 5 % of the columns pass, moves by stochastic approximation: up a step where
  a column passes it, down a nineteenth of one where none does (Robbins and Monro 1951);
- e and q, mean and mean square of the excess over u of those that pass, give the level passed
  at the rate asked for by a generalised Pareto tail (its shape by moments: Hosking and Wallis
  1987), as `detectors.thresholds` does of a whole training range; there, and here of shifts,
  with a fixed shape;
- lift, for tails that are none (a job that runs twice a day): what begins an alarm raises the
  limit part of the way to itself, and half of that is forgotten in 1 / rate columns: the same
  again and again falls silent after a few.

Arithmetic is in float64, and every field is rounded to float32 after every column, whether it
came alone or in a panel: so that a replay gives the bytes that the ticks gave.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.memory.kernels import FARTHEST
from detectors.memory.scale import ZERO_CHANGE
from detectors.online.fields import Means, Shape, Tail
from detectors.online.rule import LEAST_SHAPE, MOST_SHAPE, Gains
from detectors.thresholds import TAIL_FRACTION

Float32 = npt.NDArray[np.float32]

# Beyond this, float32 differences and scales would overflow.
LARGEST = 1e37
# Scales that one value may move a mean by, and may count for in the noise. A Gaussian's mean
# absolute deviation times 1.2545 is its standard deviation when cut at three.
CLIP, NOISE_CLIP, TO_DEVIATION = 4.0, 3.0, 1.2545
# What u, e and shape of a test are taken for before anything is known: about a Gaussian's.
FIRST_LEVEL, FIRST_EXCESS, FIRST_SHAPE = 2.0, 0.42, 0.0
FIRST_SQUARE = FIRST_EXCESS * FIRST_EXCESS * (1.0 + 1.0 / (1.0 - 2.0 * FIRST_SHAPE))
TINY = 1e-12
# u and e of a series that never moves shrink, but not to where they could not grow again.
LEAST_LEVEL, LEAST_EXCESS = 0.25, 0.05
# Steps of u are a part of itself: 4 / (n + 40), the best a Gaussian allows after n columns, but
# at least 1 in 500, a day's worth of memory.
LEVEL_START, LEVEL_LAG, LEVEL_STEP = 4.0, 40.0, 0.002
# e and q are means over the columns that passed u, at last over the newest 150 or so; what they
# are first taken for counts as sixteen.
EXCESS_LAG, EXCESS_STEP = 16.0, 0.0067
# An excess counts for at most so many mean ones: one in 150 of an exponential tail's is more.
EXCESS_CLIP = 5.0
# Columns of a run of abnormal ones that are learned from. Later ones move nothing but what tells
# how they are: the level waits where it was until the run ends, or has lasted.
TAUGHT = 2.0
# Part of a short window in which its mean keeps its direction: so many columns tell as much of
# its tail as one does of a column's.
SPELL = 1.0 / 3.0
# Part of the way, by logarithm, that the limit is raised towards what began an alarm, and a
# little more: a part alone would come ever closer to pulses of one height and never pass them.
LIFT_PART, LIFT_STEP = 0.2, 0.15
MOST_LIFT = 100.0  # however loud and often: else months of forgetting are owed


@compiled
def f4(x: float) -> float:
    """Round to float32: what is kept in a field is what a later tick would find there."""
    return np.float32(x)  # type: ignore[return-value] # numba knows float32 apart


@compiled
def limit(tail: Tail, reach: float, unit: float, least: float, gains: Gains) -> float:
    """Return the move at which a test scores 1, in the series' unit as `unit` and `least`."""
    passed = tail.level + tail.excess * reach
    return gains.margin * max(passed * unit, least) * tail.lift


@compiled
def learned(tail: Tail, off: float, unit: float, known: float, spell: float) -> Tail:
    """Return a tail after one more move; `known` came before, of which `spell` count as one."""
    part = LEVEL_STEP
    # A division is what a tick costs most: none once the step is the least.
    if known < LEVEL_START / LEVEL_STEP:
        part = max(LEVEL_START / (known + LEVEL_LAG * spell), LEVEL_STEP)
    if off <= tail.level * unit:
        level = max(tail.level * (1.0 - part * TAIL_FRACTION), LEAST_LEVEL)
        return Tail(f4(level), tail.excess, tail.lift)
    level = tail.level * (1.0 + part * (1.0 - TAIL_FRACTION))
    gain = max(1.0 / (TAIL_FRACTION * known + EXCESS_LAG * spell), EXCESS_STEP / spell)
    over = min(off / unit - tail.level, EXCESS_CLIP * tail.excess)
    excess = max(tail.excess + gain * (over - tail.excess), LEAST_EXCESS)
    return Tail(f4(level), f4(excess), tail.lift)


@compiled
def shaped(
    shape: Shape, was: Tail, now: Tail, off: float, unit: float, known: float, gains: Gains
) -> Shape:
    """Return the shape of a tail that has learned a move beyond its level."""
    gain = max(1.0 / (TAIL_FRACTION * known + EXCESS_LAG), EXCESS_STEP)
    over = min(off / unit - was.level, EXCESS_CLIP * was.excess)
    square = shape.square + gain * (over * over - shape.square)
    # Of a Pareto law, variance / mean² = 1 / (1 - 2 × shape).
    mean_square = now.excess * now.excess
    s = 0.5 - 0.5 * mean_square / max(square - mean_square, TINY)
    s = min(max(s, LEAST_SHAPE), MOST_SHAPE)
    a, b, c, d, e = gains.reach
    return Shape(f4(square), f4(a + s * (b + s * (c + s * (d + s * e)))))


@compiled
def lifted(tail: Tail, score: float, begins: bool, gains: Gains) -> Tail:
    """Return a tail with a little of its lift forgotten, and raised by what begins an alarm."""
    lift = 1.0 + gains.lift_kept * (tail.lift - 1.0)
    if begins and score >= 1.0:
        lift = min(MOST_LIFT, lift * np.exp(LIFT_STEP + LIFT_PART * np.log(score)))
    return Tail(tail.level, tail.excess, f4(lift))


@compiled
def first_means(x: float) -> Means:
    """Return what a series is like by its first value."""
    zero, value = f4(0.0), f4(x)
    return Means(f4(1.0), value, value, zero, f4(abs(x)), value, zero, zero)


@compiled
def moved(means: Means, x: float, scale: float, lag: float, gains: Gains) -> Means:
    """Return the means after a value; the long one may usually lag by `lag`."""
    seen = means.seen
    long_gain, short_gain, noise_gain = gains.long_gain, gains.short_gain, gains.long_gain
    if seen < gains.long:
        # An average first, an exponential window later.
        long_gain = max(long_gain, 1.0 / (seen + 1.0))
        short_gain = max(short_gain, 1.0 / (seen + 1.0))
        noise_gain = max(noise_gain, 1.0 / seen)
    # Until the noise is known, nothing can be told from it.
    free = seen < gains.short
    bound = LARGEST if free else CLIP * scale
    off = x - means.fast
    step = min(max(off, -bound), bound)
    calm = abs(means.fast + step)
    fast = means.fast + short_gain * step
    level, magnitude, noise = means.level, means.magnitude, means.noise
    if means.run < TAUGHT:
        wide = bound + lag
        level += long_gain * min(max(x - level, -wide), wide)
        if calm > 0.0:
            magnitude += (long_gain if magnitude > 0.0 else 1.0) * (calm - magnitude)
        cut = min(abs(off), LARGEST if free else NOISE_CLIP * scale)
        noise += noise_gain * (TO_DEVIATION * cut - noise)
    spread = means.recent_noise + short_gain * (abs(x - means.recent) - means.recent_noise)
    recent = means.recent + short_gain * (x - means.recent)
    slow = f4(level), f4(noise), f4(magnitude)
    return Means(f4(seen + 1.0), f4(fast), *slow, f4(recent), f4(spread), means.run)


@compiled
def counted(means: Means, abnormal: bool, gains: Gains) -> Means:
    """Return the means after a verdict: where a shift has lasted, the newest window is normal."""
    run = means.run + 1.0 if abnormal else max(means.run - 1.0, 0.0)
    fast, level, noise, magnitude = means.fast, means.level, means.noise, means.magnitude
    if run >= gains.relearn:
        run = 0.0
        fast = level = means.recent
        noise = f4(TO_DEVIATION * means.recent_noise)
        magnitude = abs(means.recent) if means.recent != 0.0 else magnitude
    return Means(
        means.seen, fast, level, noise, magnitude, means.recent, means.recent_noise, f4(run)
    )


@compiled
def step(
    means: Means, jump: Tail, shape: Shape, shift: Tail, x: float, gains: Gains
) -> tuple[Means, Tail, Shape, Tail, float, float, float]:
    """Move a series by one value.

    Returns:
        (means, jump, shape, shift, score, expected, reach): the score is NaN without a value or
        in the warm-up; reach is how far from the expected value a score of 1 lies, of the jump
        or, if that is what alarms, of the shift.
    """
    if not abs(x) < np.inf:
        return means, jump, shape, shift, np.nan, np.nan, np.nan
    x = min(max(x, -LARGEST), LARGEST)
    if means.seen == 0.0:
        tail = Tail(f4(FIRST_LEVEL), f4(FIRST_EXCESS), f4(1.0))
        shape = Shape(f4(FIRST_SQUARE), f4(gains.reach[0]))
        return first_means(x), tail, shape, tail, np.nan, np.nan, np.nan
    floor = gains.least_change * means.magnitude if means.magnitude > 0.0 else ZERO_CHANGE
    scale = max(means.noise, floor)
    unit = gains.root * scale
    # However still a series, a move of less than the floor is no alarm.
    jump_limit = limit(jump, shape.reach, scale, floor, gains)
    shift_limit = limit(shift, gains.shift_reach, unit, floor, gains)
    new = moved(means, x, scale, shift.level * unit, gains)
    off, gap = abs(x - means.fast), abs(new.fast - means.level)
    jump_score = min(off / jump_limit, FARTHEST)
    shift_score = min(gap / shift_limit, FARTHEST)
    score = max(jump_score, shift_score)
    known = means.seen - gains.short
    if known >= 0.0 and (score < 1.0 or means.run < TAUGHT):
        was = jump
        jump = learned(was, off, scale, known, 1.0)
        if off > was.level * scale:
            shape = shaped(shape, was, jump, off, scale, known, gains)
        shift = learned(shift, gap, unit, known, SPELL * gains.short)
    if means.seen < gains.warm_up:
        return new, jump, shape, shift, np.nan, np.nan, np.nan
    begins = means.run == 0.0
    jump = lifted(jump, jump_score, begins, gains)
    shift = lifted(shift, shift_score, begins, gains)
    new = counted(new, score >= 1.0, gains)
    # A short mean's band says little of a single column, unless it is the one that alarms.
    if score < 1.0 or jump_score >= shift_score:
        return new, jump, shape, shift, score, means.fast, jump_limit
    return new, jump, shape, shift, score, means.level, shift_limit


@compiled
def load(state: Float32, i: int) -> tuple[Means, Tail, Shape, Tail]:
    """Return a series' fields."""
    s = state[i]
    return (
        Means(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]),
        Tail(s[8], s[9], s[10]),
        Shape(s[11], s[12]),
        Tail(s[13], s[14], s[15]),
    )


@compiled
def store(state: Float32, i: int, means: Means, jump: Tail, shape: Shape, shift: Tail) -> None:
    """Write a series' fields."""
    s = state[i]
    s[0], s[1], s[2], s[3] = means.seen, means.fast, means.level, means.noise
    s[4], s[5] = means.magnitude, means.recent
    s[6], s[7] = means.recent_noise, means.run
    s[8], s[9], s[10] = jump.level, jump.excess, jump.lift
    s[11], s[12] = shape.square, shape.reach
    s[13], s[14], s[15] = shift.level, shift.excess, shift.lift


@compiled
def tick(
    state: Float32, values: Float32, gains: Gains, first: int, last: int, score: Float32
) -> None:
    """Move series `first` to `last` by one value each."""
    for i in range(first, last):
        means, jump, shape, shift = load(state, i)
        means, jump, shape, shift, score[i], _, _ = step(
            means, jump, shape, shift, values[i], gains
        )
        store(state, i, means, jump, shape, shift)


@compiled
def replay(
    state: Float32,
    values: Float32,
    gains: Gains,
    first: int,
    last: int,
    score: Float32,
    expected: Float32,
    reach: Float32,
) -> None:
    """Move series `first` to `last` by the columns of `values`, in order.

    All but `state` are float32 `[n_series, n_times]`; `expected` and `reach` may be `[0, 0]`:
    not wanted.
    """
    banded = expected.size > 0
    for i in range(first, last):
        means, jump, shape, shift = load(state, i)
        for t in range(values.shape[1]):
            means, jump, shape, shift, score[i, t], middle, half = step(
                means, jump, shape, shift, values[i, t], gains
            )
            if banded:
                expected[i, t] = middle
                reach[i, t] = half
        store(state, i, means, jump, shape, shift)
