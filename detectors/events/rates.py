"""Too many events: a tall short burst, or a rise that lasts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.events import tails
from detectors.events.baseline import WIDTHS, Baseline
from detectors.events.cells import Cells, score_of
from detectors.events.counts import Counts
from detectors.events.kernels import fill, hour_of

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

# However surely: a rise by less than half, or by a handful of events, is nobody's alert.
LEAST_RATIO = 1.5
LEAST_EXCESS = 5.0
# In windows from this width on, the newest quarter must hold a fair part of what is too many: else
# an interval would last as long as the window after its burst is over.
GATED_FROM = 15
QUARTER = 4
FAIR_PART = 1.0 / 8.0


def exceedances(
    counts: Counts,
    baseline: Baseline,
    first: int,
    end: int,
    rate: float,
    columns_a_day: float,
) -> Cells:
    """The columns in `[first, end)` at which some window ends that holds too many events.

    Args:
        counts: with `WIDTHS[-1]` columns before `first`, as far as there are any.
        baseline: of the same streams, learned from columns before `first`.
        first: the first column to score.
        end: the column after the last.
        rate: how often a normal column may be abnormal.
        columns_a_day: as in `learn`.

    Returns:
        One cell a stream and column, of the window that is rarest; sorted by stream, then column.
    """
    reach = max(0, first - WIDTHS[-1] + 1)
    busy = np.flatnonzero(baseline.known & (counts.total(reach, end) >= LEAST_EXCESS))
    stream, column, index, total, mean = _windows(
        counts, baseline, busy, reach, first, end, columns_a_day
    )
    spread = baseline.spread[stream, index]
    p = np.minimum(tails.at_least(total, mean, spread) * len(WIDTHS), 1.0)
    kept = _rarest(stream, column, p, rate)
    width = np.array(WIDTHS)[index[kept]]
    low, high = tails.bounds(rate / len(WIDTHS), mean[kept], spread[kept])
    return Cells(
        stream[kept],
        column[kept],
        p[kept],
        score_of(p[kept], rate),
        total[kept] / width,
        mean[kept] / width,
        low / width,
        np.maximum(high, mean[kept] + baseline.most[stream[kept], index[kept]]) / width,
    )


def _windows(
    counts: Counts,
    baseline: Baseline,
    streams: Int64,
    reach: int,
    first: int,
    end: int,
    columns_a_day: float,
) -> tuple[Int64, Int64, Int64, Float64, Float64]:
    """Windows worth a p-value: stream, last column, index of the width, events, their mean."""

    def found(size: int) -> tuple[int, tuple[Int64, Int64, Int64, Float64, Float64]]:
        stream, column, index = (np.empty(size, np.int64) for _ in range(3))
        out = (stream, column, index, np.empty(size), np.empty(size))
        there = _exceed(
            counts.begin, counts.column, counts.count, streams, reach, first, end,
            np.array(WIDTHS, np.int64), baseline.mean, baseline.hours, baseline.most,
            columns_a_day, *out,
        )  # fmt: skip
        return there, out

    size, _ = found(0)
    return found(size)[1]


def normal_range(
    baseline: Baseline, first: int, end: int, rate: float, columns_a_day: float
) -> tuple[Float64, Float64, Float64]:
    """What is expected of one stream in each column, and the range that passes, for a chart.

    Args:
        baseline: of one stream.
        first: the first column.
        end: the column after the last.
        rate: as in `exceedances`.
        columns_a_day: likewise.

    Returns:
        Expected, lower and upper, float64 `[end - first]`.
    """
    hours = np.arange(first, end) % columns_a_day * 24 / columns_a_day
    mean = baseline.mean[0] * baseline.hours[0, hours.astype(np.int64) % 24]
    low, high = tails.bounds(rate / len(WIDTHS), mean, np.full(mean.shape, baseline.spread[0, 0]))
    return mean, low, np.maximum(high, mean + baseline.most[0, 0])


def _rarest(stream: Int64, column: Int64, p: Float64, rate: float) -> Int64:
    """Of those at or below the rate, the least p-value of each stream and column."""
    rare = np.flatnonzero(p <= rate)
    order = rare[np.lexsort((p[rare], column[rare], stream[rare]))]
    if not order.size:
        return order
    new = (np.diff(stream[order]) != 0) | (np.diff(column[order]) != 0)
    return np.asarray(order[np.r_[True, new]])


@compiled
def _exceed(
    begin: Int64,
    column: Int64,
    count: Float64,
    streams: Int64,
    reach: int,
    first: int,
    end: int,
    widths: Int64,
    means: Float64,
    hours: Float64,
    most: Float64,
    columns_a_day: float,
    out_stream: Int64,
    out_column: Int64,
    out_width: Int64,
    out_total: Float64,
    out_mean: Float64,
) -> int:
    """Write the windows worth a p-value, as far as there is room; how many there are."""
    row = np.empty(end - reach)
    sums, expected = np.zeros(row.size + 1), np.zeros(row.size + 1)
    size = 0
    for s in streams:
        fill(begin, column, count, s, reach, row)
        for t in range(row.size):
            sums[t + 1] = sums[t] + row[t]
            mean = means[s] * hours[s, hour_of(reach + t, columns_a_day)]
            expected[t + 1] = expected[t] + mean
        for at in range(first - reach, end - reach):
            for index in range(widths.size):
                width = widths[index]
                if at + 1 < width:
                    continue
                total = sums[at + 1] - sums[at + 1 - width]
                mean = expected[at + 1] - expected[at + 1 - width]
                enough = max(LEAST_RATIO * mean, mean + LEAST_EXCESS, mean + most[s, index] + 1e-9)
                if total < enough:
                    continue
                if width >= GATED_FROM:
                    recent = at + 1 - width // QUARTER
                    newest = sums[at + 1] - sums[recent] - expected[at + 1] + expected[recent]
                    if newest < FAIR_PART * (total - mean):
                        continue
                if size < out_stream.size:
                    out_stream[size], out_column[size], out_width[size] = s, reach + at, index
                    out_total[size], out_mean[size] = total, mean
                size += 1
    return size
