"""When a series passes a threshold: every method's path, each with its own past errors on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.forecasting.kernels import METHODS, filled, paths_at, resets_of
from detectors.forecasting.pieces import is_new, newest_piece

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

N = len(METHODS)

NEW_SHARE = 0.6
"""Of the futures of a series that rises as it has hardly ever done: so many go on with it."""


@compiled
def passages(  # noqa: C901, PLR0912 (one compiled loop)
    x: Float64,
    first: int,
    limit: float,
    now: Float64,
    errors: Float64,
    known: Int64,
    ago: Float64,
    count: int,
    weights: Float64,
    spans: Float64,
    path_life: float,
    near_share: float,
    near_floor: float,
) -> Float64:
    """Share of possible futures that pass first in each column ahead; the last: in none.

    Args:
        x: `[width]`, without gaps from `first` on; the newest value is 0.
        first: first column with data.
        limit: above the newest value.
        now: `[methods, far]`, paths from the last column on.
        errors: `[origins, methods, horizon]`, what came less what was foretold.
        known: `[origins]`, columns of each that have come.
        ago: `[origins]`, columns since each; the newest first.
        count: origins that there are.
        weights: `[methods]`.
        spans: `[origins]`, what each counts: those that are close to each other say the same.
        path_life: columns after which an error path counts half.
        near_share: part of the range within which values are like the newest one.
        near_floor: what paths count that began at values unlike it.
    """
    far = now.shape[1]
    last = len(x) - 1
    tally = np.zeros(far + 1)
    # First passages of every method with every past error path on it.
    passes = np.zeros(far)
    leaves = np.zeros(far + 1)
    longest = 0
    for c in range(count):
        longest = max(longest, known[c])
    everything = 0.0
    ordered = np.sort(x[first:])
    like = near_share * (ordered[int(0.95 * (last - first))] - ordered[int(0.05 * (last - first))])
    for c in range(count):
        if known[c] < 3:
            continue
        recent = 0.5 ** (ago[c] / path_life) * spans[c]
        # What followed on values like the newest one (which is 0) tells most.
        if like > 0.0:
            apart = x[last - int(ago[c])] / like
            recent *= near_floor + (1.0 - near_floor) * np.exp(-0.5 * apart * apart)
        for m in range(len(weights)):
            share = weights[m]
            if share < 0.02:
                continue
            end = far if known[c] == longest else known[c]
            passed = -1
            for h in range(end):
                error = errors[c, m, min(h, known[c] - 1)]
                if now[m, h] + error >= limit:
                    passed = h
                    break
            everything += share * recent
            if passed >= 0:
                passes[passed] += share * recent
            else:
                leaves[end] += share * recent
    if everything <= 0.0:
        return tally
    # Paths that end before the horizon count as long as they last (Kaplan and Meier).
    alive = 1.0
    risk = everything
    for h in range(far):
        risk -= leaves[h]
        if risk <= 1e-12 * everything:
            break
        tally[h] = alive * passes[h] / risk
        risk -= passes[h]
        alive -= tally[h]
    tally[far] = max(0.0, alive)
    return tally


@compiled
def passing_at(tally: Float64, levels: Float64, quantiles: Float64) -> None:
    """Write when so much of what passes at all has passed, columns; where nothing does, nothing.

    Args:
        tally: `[far + 1]`, as `passages` has it.
        levels: `[q]`.
        quantiles: out `[q]`.
    """
    far = len(tally) - 1
    passing = tally[:far].sum()
    if passing <= 0.0:
        return
    for q in range(len(levels)):
        goal = levels[q] * passing
        run = 0.0
        for h in range(far):
            run += tally[h]
            if run >= goal and tally[h] > 0.0:
                quantiles[q] = h + 1.0
                break


@compiled
def pass_rows(  # noqa: C901, PLR0912, PLR0915 (one compiled loop)
    values: Float64,
    threshold: Float64,
    hour: float,
    horizon: int,
    far: int,
    stride: int,
    most: int,
    half_life: float,
    power: float,
    power_long: float,
    growth: float,
    path_life: float,
    near_share: float,
    near_floor: float,
    power_end: float,
    chance: Float64,
    quantiles: Float64,
    levels: Float64,
    ends: Float64,
    weights: Float64,
) -> None:
    """Simulate first passages for a block of series.

    Args:
        values: `[n, width]`, NaN = no data.
        threshold: `[n]`.
        hour: columns an hour.
        horizon: columns within which the passage is asked for.
        far: columns that are simulated, at least the horizon.
        stride: columns between past origins.
        most: past origins at most.
        half_life: columns after which an error counts half.
        power: how much a method counts that was better of late.
        power_long: how much one counts that was always better.
        growth: factor on the stride from the fifteenth past origin on.
        path_life: columns after which an error path counts half.
        near_share: part of the range within which values are like the newest one.
        near_floor: what paths count that began at values unlike it.
        power_end: as `power_long`, of the errors at the horizon, for `ends`.
        chance: out `[n]`, that the threshold is passed within the horizon.
        levels: `[q]`, quantiles that are asked for, of passages within `far`.
        quantiles: out `[n, q]`, columns from the origin, NaN where nothing passes.
        ends: out `[n]`, expected value at the horizon.
        weights: out `[n, methods]`.
    """
    width = values.shape[1]
    x = np.empty(width)
    sums = np.zeros(width + 1)
    moments = np.zeros(width + 1)
    squares = np.zeros(width + 1)
    is_reset = np.zeros(width, dtype=np.int64)
    now = np.empty((N, far))
    paths = np.empty((N, horizon))
    errors = np.empty((most, N, horizon))
    known = np.empty(most, dtype=np.int64)
    spans = np.empty(most)
    for c in range(most):
        spans[c] = 1.0 / 3.0 if c < 6 else (1.0 if c < 14 else growth ** (c - 14))
    for row in range(values.shape[0]):
        chance[row] = np.nan
        quantiles[row, :] = np.nan
        ends[row] = np.nan
        weights[row, :] = 0.0
        first = filled(values[row], x)
        last = width - 1
        if last - first < 2:
            continue
        base = x[last]
        for t in range(first, width):
            x[t] -= base
        limit = threshold[row] - base
        sums[: first + 1] = 0.0
        moments[: first + 1] = 0.0
        squares[: first + 1] = 0.0
        for t in range(first, width):
            sums[t + 1] = sums[t] + x[t]
            moments[t + 1] = moments[t] + x[t] * t
            squares[t + 1] = squares[t] + x[t] * x[t]
        resets = resets_of(x, first, is_reset)
        _, bent, begin = newest_piece(x, first, last, hour, sums, moments, squares)
        since = 0
        if bent != 0.0 and resets < 3 and begin > first:
            # It goes otherwise since: what was right before says little.
            since = begin + 3
        paths_at(x, first, last, hour, sums, moments, squares, is_reset, now)
        # Past origins, newest first: the error of each method at each lead that has come.
        count = 0
        least = first + max(3, int(hour))
        score = np.zeros(N)
        steady = np.zeros(N)
        final = np.zeros(N)
        total = 0.0
        ago = np.empty(most)
        inside = np.zeros(N)
        looked = 0
        origin = last - max(1, stride // 3)
        jump = max(1.0, stride / 3.0)
        while origin >= least and count < most:
            paths_at(x, first, origin, hour, sums, moments, squares, is_reset, paths)
            come = min(horizon, last - origin)
            known[count] = come
            for m in range(N):
                for h in range(come):
                    errors[count, m, h] = x[origin + 1 + h] - paths[m, h]
            for h in range(come):
                # Errors grow with the lead: divided by it, no lead drowns the others.
                weight = 0.5 ** ((last - origin - 1 - h) / half_life) / np.sqrt(h + 1.0)
                even = jump / np.sqrt(h + 1.0)
                total += weight * jump
                for m in range(N):
                    miss = abs(errors[count, m, h])
                    score[m] += weight * jump * miss
                    steady[m] += even * miss
                    if origin >= since:
                        inside[m] += miss / np.sqrt(h + 1.0)
            if come == horizon:
                for m in range(N):
                    final[m] += jump * abs(errors[count, m, horizon - 1])
            ago[count] = last - origin
            count += 1
            looked += origin >= since
            if count == 6:
                jump = float(stride)
            if count > 14:
                jump *= growth
            origin -= int(jump)
        if count == 0 or total <= 0.0:
            continue
        if since > 0 and looked > 0:
            score[:] = inside
        tiny = 1e-9 * (score.max() + 1e-12)
        best = score.min() + tiny
        best_steady = steady.min() + tiny
        best_final = final.min() + tiny
        point = np.empty(N)
        for m in range(N):
            near = (best / (score[m] + tiny)) ** power
            weights[row, m] = near * (best_steady / (steady[m] + tiny)) ** power_long
            point[m] = near ** (0.5) * (best_final / (final[m] + tiny)) ** power_end
        weights[row] /= weights[row].sum()
        if bent > 0.0 and is_new(x, first, begin, last, bent, sums, moments):
            weights[row] *= 1.0 - NEW_SHARE
            weights[row, N - 1] += NEW_SHARE
        point /= point.sum()
        ends[row] = base
        for m in range(N):
            ends[row] += point[m] * now[m, horizon - 1]
        tally = passages(
            x,
            first,
            limit,
            now,
            errors,
            known,
            ago,
            count,
            weights[row],
            spans,
            path_life,
            near_share,
            near_floor,
        )
        chance[row] = tally[:horizon].sum()
        passing_at(tally, levels, quantiles[row])
