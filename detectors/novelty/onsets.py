"""Where something begins that was not there before.

Three features of a series are followed, each a number a row: the value, its mean over some rows,
and its roughness over a few. Each is as novel as its distance to the nearest value that this
feature ever had, and a row is as rare as the rarest of the three. What is new once is known the
next time: a level that stays, a pattern that comes back and a season are soon normal, and nothing
needs to be fitted again. So a fault is loud where it begins and silent while it lasts.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.novelty.rarity import about, distance_at, insert, nearest_of, rarity, thin

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

VALUE, MEAN, ROUGHNESS = 0, 1, 2
N_FEATURES = 3
# Rows of the roughness: a standard deviation needs three to be one.
ROUGH_ROWS = 3
# A rough row comes with a novel value more often than not: it has to be twice as rare.
ROUGH_HANDICAP = math.log10(2.0)
# Rows that are looked at before the first p-value is given.
BURN_IN = 50
# Past distances kept of a feature; then every second goes and every second comes in.
MOST_PAST = 4096
ROOM = 1024
# What has begun goes on while it is at least so much of its loudest. A quarter: a single row that
# is out is over after eight, when only windows of 32 and 96 rows still hold it.
LASTING_PART = 0.25
# And while it is at least so many times as loud as the series is on the average.
TIMES_USUAL = 2.0


@compiled
def follow(
    x: Float64, mean_rows: int, least: float, same: float, rare: Float64, band: Float64
) -> None:
    """Follow one series.

    Args:
        x: float64 `[n_rows]`, standardised and compressed, NaN = no data.
        mean_rows: rows of the mean.
        least: rarity at which the band of normal values ends.
        same: values nearer than this to a known one are that one; positive.
        rare: out, `[n_rows]`, rarity of each row, 0 where there is nothing to say.
        band: out, `[3, n_rows]`, the known value nearest to each, and the ends of the values about
            it that are less rare than that; NaN where nothing is known yet.
    """
    seen = np.empty((N_FEATURES, ROOM))
    n_seen = np.zeros(N_FEATURES, dtype=np.int64)
    past = np.empty((N_FEATURES, MOST_PAST + 1))
    n_past = np.zeros(N_FEATURES, dtype=np.int64)
    features = np.empty(N_FEATURES)
    rows = 0
    stride = 1
    for t in range(x.size):
        rare[t] = 0.0
        band[:, t] = np.nan
        if np.isnan(x[t]):
            continue
        rows += 1
        measure(x, t, mean_rows, features)
        if n_seen.max() == seen.shape[1]:
            seen = _grown(seen)
        if rows > BURN_IN and n_seen[VALUE]:
            reach = max(same, distance_at(past[VALUE], n_past[VALUE], least))
            band[:, t] = about(seen[VALUE], n_seen[VALUE], features[VALUE], reach)
        rare[t] = _meet(features, seen, n_seen, past, n_past, same, rows % stride == 0)
        if n_past.max() > MOST_PAST:
            for f in range(N_FEATURES):
                n_past[f] = thin(past[f], n_past[f])
            stride *= 2


@compiled
def measure(x: Float64, t: int, mean_rows: int, features: Float64) -> None:
    """Write the three features of a row, over the rows with data that end at it."""
    features[VALUE] = x[t]
    for feature, rows in ((MEAN, mean_rows), (ROUGHNESS, ROUGH_ROWS)):
        first = max(0, t - rows + 1)
        total = 0.0
        count = 0
        for i in range(first, t + 1):
            if not np.isnan(x[i]):
                total += x[i]
                count += 1
        mean = total / count
        features[feature] = mean
        if feature == ROUGHNESS:
            square = 0.0
            for i in range(first, t + 1):
                if not np.isnan(x[i]):
                    square += (x[i] - mean) ** 2
            features[feature] = np.sqrt(square / count)


@compiled
def _meet(
    features: Float64,
    seen: Float64,
    n_seen: Int64,
    past: Float64,
    n_past: Int64,
    same: float,
    keep: bool,
) -> float:
    """Judge a row's features by what is known, then know them; return the greatest rarity."""
    greatest = 0.0
    for f in range(N_FEATURES):
        distance = 0.0
        place = 0
        if n_seen[f]:
            known, place = nearest_of(seen[f], n_seen[f], features[f])
            distance = abs(features[f] - known)
            distance = distance if distance > same else 0.0
        if n_past[f] >= BURN_IN:
            own = rarity(past[f], n_past[f], distance)
            greatest = max(greatest, own - ROUGH_HANDICAP if f == ROUGHNESS else own)
        if n_seen[f] == 0 or distance > 0.0:
            insert(seen[f], n_seen[f], place, features[f])
            n_seen[f] += 1
        if keep:
            at = int(np.searchsorted(past[f][: n_past[f]], distance))
            insert(past[f], n_past[f], at, distance)
            n_past[f] += 1
    return greatest


@compiled
def _grown(seen: Float64) -> Float64:
    more = np.empty((seen.shape[0], 2 * seen.shape[1]))
    more[:, : seen.shape[1]] = seen
    return more


@compiled
def keep_beginnings(rare: Float64, quiet: int, out: Float64) -> None:
    """Write what exceeds all of the last `quiet` rows, 0 for the rest.

    The candidates for the greatest of those rows are kept falling: each row comes and goes once.
    """
    falling = np.empty(rare.size, dtype=np.int64)
    head = 0
    end = 0
    for t in range(rare.size):
        while head < end and falling[head] < t - quiet:
            head += 1
        begins = rare[t] > 0.0 and (head == end or rare[t] > rare[falling[head]])
        out[t] = rare[t] if begins else 0.0
        while head < end and rare[falling[end - 1]] <= rare[t]:
            end -= 1
        falling[end] = t
        end += 1


@compiled
def keep_going(begins: Float64, loud: Float64, least: float, out: Bool) -> None:
    """Mark the rows in which something goes on that has begun.

    It does while it is a quarter as loud as it was, and twice as loud as the series usually is:
    noise that began something by chance is no louder in the next row than it was before.

    Args:
        begins: from `keep_beginnings`.
        loud: `[n_rows]`, how unlike its past the series is.
        least: of `begins`, from which on something begins.
        out: `[n_rows]`, the row of the beginning among them.
    """
    going = False
    loudest = 0.0
    usual = 0.0
    for t in range(begins.size):
        if begins[t] >= least:
            going = True
            loudest = loud[t]
        elif going:
            loudest = max(loudest, loud[t])
            going = loud[t] >= max(LASTING_PART * loudest, TIMES_USUAL * usual / max(t, 1))
        usual += loud[t]
        out[t] = going
