"""What a borrowed model is shown: a series' trailing windows, or an entity's columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.memory.scale import Scale

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# Part of the least change below which values count as equal.
GRAIN = 0.25
# Part of the columns that a metric, and of the metrics that a column, must have.
LEAST_SHARE = 0.5


def rounded(scale: Scale, values: Float32, rows: Int64) -> Float64:
    """Return standardised values without differences far below the least change.

    A model that ranks or counts sees no sizes: to it, jitter of a millionth on a constant
    series is as far out as an outage.
    """
    z = scale.standardise(values, rows).astype(np.float64)
    grain = (GRAIN * scale.floor[rows] / scale.scale[rows])[:, None]
    result: Float64 = np.rint(z / grain) * grain
    return result


def windows(scale: Scale, values: Float32, rows: Int64, window: int) -> list[Float64]:
    """Return one `[n_times, window]` a row; NaN where a window has a gap, or the row is -1."""
    seen = rows >= 0
    if not values.shape[1]:
        return [np.empty((0, window)) for _ in range(values.shape[0])]
    z = np.full((values.shape[0], window - 1 + values.shape[1]), np.nan)
    z[seen, window - 1 :] = rounded(scale, values[seen], rows[seen])
    return list(np.lib.stride_tricks.sliding_window_view(z, window, axis=1))


def known_metrics(values: Float32) -> Int64:
    """Return the rows of an entity's metrics that have data enough to be a dimension.

    One that has come just now, or comes now and then, must not blind the entity.
    """
    count = np.count_nonzero(~np.isnan(values), axis=1)
    return np.flatnonzero((count > 0) & (count >= LEAST_SHARE * count.max(initial=0)))


def columns(scale: Scale, values: Float32, rows: Int64, used: Int64) -> Float64:
    """Return `[n_times, n_used]`; NaN where fewer than half of the metrics have data.

    A metric that has none stands at its usual value: PyOD's models know no gaps, and of a host
    whose second exporter has died the first is still worth watching.

    Args:
        scale: of all metrics fitted on.
        values: of the panel.
        rows: of the panel's rows, the fitted metric, -1 = none.
        used: fitted metrics that are dimensions.
    """
    seen = rows >= 0
    z = np.full((scale.centre.size, values.shape[1]), np.nan)
    z[rows[seen]] = rounded(scale, values[seen], rows[seen])
    points = z[used].T
    missing = np.isnan(points)
    filled = np.where(missing, 0.0, points)
    filled[missing.sum(axis=1) > LEAST_SHARE * used.size] = np.nan
    return np.ascontiguousarray(filled)


def usable(points: Float64) -> npt.NDArray[np.bool_]:
    """Which points have no gap."""
    whole: npt.NDArray[np.bool_] = np.equal(np.isnan(points).sum(axis=1), 0)
    return whole


def sample(points: Float64, most: int) -> Float64:
    """Return at most so many of the points without a gap, evenly spaced."""
    whole = points[usable(points)]
    kept = min(whole.shape[0], most)
    picked = (np.arange(kept) * whole.shape[0]) // max(kept, 1)
    return np.ascontiguousarray(whole[picked])
