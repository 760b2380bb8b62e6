"""One score of a series that learns as it goes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.compiled import compiled
from detectors.errors import InvalidParameterError
from detectors.memory.kernels import FARTHEST, over_rows
from detectors.memory.scale import fit_scale
from detectors.novelty.loudness import loudness
from detectors.novelty.onsets import BURN_IN, follow, keep_beginnings, keep_going

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# Window lengths of the loudness: a pair, and three that grow fourfold. A length counts where a
# series' training range holds four of its windows.
LENGTHS = (2, 8, 32, 96)
WINDOWS_IN_TRAINING = 4
# Rows of the long mean, at most a tenth of the training range.
MEAN_ROWS = 30
# Within so many spreads a value counts as it is, beyond by its logarithm: that a value was a
# thousand spreads off shall not make two thousand look like nothing.
COMPRESS = 3.0
# A row begins something if it is rarer than all of the last quarter of the training range.
QUIET_PART = 0.25
LEAST_QUIET = 10
# Something begins that one row in a hundred reaches; of late, none may have.
LEAST_RARITY = 2.0
LEAST_CHANGE = 0.02
# Values nearer than this to a known one are the same: well below any noise, and it bounds what is
# remembered. Of a series that stood still in training there is no noise to tell a move by: there
# it is the least change.
SAME = 0.01
STILL = 1.0
# Series dealt to a thread at once.
BLOCK = 16


def score_online(values: Float32, training: Bool) -> Scores:
    """Score each row of each series by all rows before it.

    From 2 on, a score says that something *begins* in this row: the row is rarer than all rows of
    late, and its score is the power of ten of how rare, 16 at most. From 1 to 2 something goes on
    that has begun. Below 1 nothing is wrong; the score says how unlike its past the series is.
    Nothing is fitted but centre and spread, from the training rows; every row is learned from
    once it is past, so that what lasts becomes normal.

    Args:
        values: float32 `[n_series, n_times]`, NaN = no data; rows in order of time.
        training: bool, same shape: known to be normal. Enough of it is needed for a spread; its
            length sets how long windows are and how long a series has to be quiet.

    Returns:
        Scores; NaN for a series without training data, in its first 50 rows with data, and where
        there is no value. `expected` is the known value nearest to the row's; `lower` and `upper`
        are where, on either side of it, a value alone would begin something.

    Raises:
        InvalidParameterError: if the shapes differ.

    Cost: rows × 1,024 remembered windows × 4 lengths; some 10 s per million values and core.

    >>> rng = np.random.default_rng(0)
    >>> values = rng.normal(100.0, 5.0, size=(1, 800)).astype("f4")
    >>> values[0, 700:710] = 200.0
    >>> training = np.arange(800)[None] < 120
    >>> score = score_online(values, training).score[0]
    >>> int(np.nanargmax(score)), bool(score[700] >= 2.0)
    (700, True)
    """
    if values.shape != training.shape:
        raise InvalidParameterError("training", training.shape, f"must be of shape {values.shape}")
    values = np.where(np.isfinite(values), values, np.float32(np.nan))
    scale = fit_scale(np.where(training, values, np.float32(np.nan)), LEAST_CHANGE)
    known = np.count_nonzero(training & ~np.isnan(values), axis=1)
    same = np.where(scale.scale <= scale.floor, STILL, SAME)
    out = np.full((5, *values.shape), np.nan, dtype=np.float32)

    def work(rows: slice) -> None:
        _score_rows(
            values[rows],
            scale.centre[rows],
            scale.scale[rows],
            known[rows],
            same[rows],
            out[:, rows],
        )

    over_rows(work, values.shape[0], BLOCK)
    score, p_value, expected, lower, upper = out
    return Scores(score, p_value, expected, lower, upper)


@compiled
def _score_rows(
    values: Float32, centre: Float64, scale: Float64, known: Int64, same: Float64, out: Float32
) -> None:
    """Write score, p-value, expected, lower and upper of each series with training data.

    Args:
        values: float32 `[n_series, n_times]`.
        centre: `[n_series]`, as `scale`, of the training rows.
        scale: in the series' unit.
        known: training rows with data.
        same: see `onsets.follow`.
        out: `[5, n_series, n_times]`, NaN where nothing is written.
    """
    n_times = values.shape[1]
    z = np.empty(n_times)
    rare = np.empty(n_times)
    begins = np.empty(n_times)
    loud = np.empty(n_times)
    band = np.empty((3, n_times))
    going = np.empty(n_times, dtype=np.bool_)
    for row in range(values.shape[0]):
        train = known[row]
        if train == 0:
            continue
        for t in range(n_times):
            # A NaN passes both comparisons by.
            z[t] = (values[row, t] - centre[row]) / scale[row]
            if z[t] > FARTHEST:
                z[t] = FARTHEST
            if z[t] < -FARTHEST:
                z[t] = -FARTHEST
        mean_rows = max(2, min(MEAN_ROWS, train // 10))
        follow(COMPRESS * np.arcsinh(z / COMPRESS), mean_rows, LEAST_RARITY, same[row], rare, band)
        keep_beginnings(rare, max(LEAST_QUIET, int(QUIET_PART * train)), begins)
        _loudness_of_all(z.astype(np.float32), train, loud)
        keep_going(begins, loud, LEAST_RARITY, going)
        met = 0
        for t in range(n_times):
            if np.isnan(z[t]):
                continue
            met += 1
            if met <= BURN_IN:
                continue
            level = loud[t] / (1.0 + loud[t]) + (1.0 if going[t] else 0.0)
            out[0, row, t] = begins[t] if begins[t] >= LEAST_RARITY else level
            out[1, row, t] = 10.0 ** -rare[t]
            for end in range(3):
                plain = COMPRESS * np.sinh(band[end, t] / COMPRESS)
                out[2 + end, row, t] = centre[row] + plain * scale[row]


@compiled
def _loudness_of_all(z: Float32, train: int, loud: Float64) -> None:
    """Write the mean loudness over the lengths of which training holds four windows."""
    own = np.empty_like(z)
    loud[:] = 0.0
    count = 0
    for length in LENGTHS:
        if length <= max(LENGTHS[0], train // WINDOWS_IN_TRAINING):
            loudness(z, length, own)
            loud += own
            count += 1
    loud /= count
