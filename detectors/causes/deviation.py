"""How far each series is from its own baseline: the simplest scorer, and the hardest to beat.

On published faults, the size of the deviation finds causes as well as any causal discovery (a
re-test of eleven methods on 1,430 failures, arXiv 2510.04711), as long as two traps are avoided:

* a scale that the incident itself has widened: an incident is noticed late, and its first minutes
  are then baseline. Median and quartiles bear a fifth of such rows, mean and deviation none: a
  deviation counts as far as the baseline without its newest part bears it out;
* a scale of nothing: a series that never moved is not infinitely odd when it moves a little. So a
  scale is at least a share of what is usual for the metric elsewhere, of the series' own level, and
  of its standard deviation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.memory.kernels import over_rows

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LEAST_BASELINE = 3
"""Rows from which a baseline is one."""

SD_SHARE = 0.75
"""Of the standard deviation: a series that rests most of the time and jumps now and then has
quartiles that are equal."""

NEWEST_SHARE = 0.25
"""Of a baseline, which may already be of the incident."""

BORNE_OUT = 3.0
"""Times the deviation of the rows before the newest that the whole baseline's is believed."""

DOUBTED_SD_SHARE = 0.1
"""Of the deviation where it is not believed: what jumped lately may have been no incident."""

OWN_SHARE = 0.01
"""Of the series' own level."""

PEERS_SHARE = 0.1
"""Of what the metric usually is elsewhere. Among metrics of one unit, such as shares of a limit,
less than that seldom matters."""

ONSET_SHARE = 0.3
"""An incident has begun in a series where it is this far on its way to the peak."""

_NORMAL_QUARTILES = 1.349
"""Distance of a normal distribution's quartiles in standard deviations."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples of many series, one after the other.

    Attributes:
        values: finite.
        starts: `[n_series + 1]`, where each series begins; within it rows are in order of time.
        is_baseline: rows of the baseline.
        weight: what a row of the incident counts, 0 for all others.
        rest: rows of the incident in a second look, where all count the same; `None` = no second.
    """

    values: Float64
    starts: Int64
    is_baseline: npt.NDArray[np.bool_]
    weight: Float64
    rest: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Deviations:
    """Of each series; 0 where there is no baseline or no row of the incident.

    Attributes:
        size: of the deviation in scales.
        expected: the baseline's median.
        actual: the incident's weighted mean.
        scale: what is usual.
        known: whether there is a baseline and an incident.
    """

    size: Float64
    expected: Float64
    actual: Float64
    scale: Float64
    known: npt.NDArray[np.bool_]


def deviations(rows: Rows, metric: Int64) -> Deviations:
    """How far each series is from its own baseline.

    The size is the geometric mean of the largest and the mean deviation in the incident, so that
    neither a single row nor a long faint shift decides alone. Of two looks the larger counts: a
    short incident is lost in all that came after, a long one has hardly begun in its first minutes.

    Args:
        rows: the samples.
        metric: `[n_series]`, which series are the same metric of different entities.
    """
    rest = np.zeros(0, np.bool_) if rows.rest is None else rows.rest
    stats = np.zeros((len(rows.starts) - 1, 9))

    def work(series: slice) -> None:
        # One more: where the last of them ends.
        starts = rows.starts[series.start : series.stop + 1]
        _stats(rows.values, starts, rows.is_baseline, rows.weight, rest, stats[series])

    over_rows(work, len(stats))
    known = stats[:, _KNOWN] > 0
    usual = np.zeros(len(known))
    order = np.argsort(metric[known], kind="stable")
    levels, groups = stats[known, _LEVEL][order], metric[known][order]
    medians = np.empty(len(groups))
    begins = np.flatnonzero(np.diff(groups)) + 1
    for places, own in zip(np.split(order, begins), np.split(levels, begins), strict=True):
        if len(own):
            medians[places] = np.median(own)
    usual[known] = medians
    believed = np.minimum(stats[:, _SD], BORNE_OUT * stats[:, _EARLY_SD])
    scale = np.maximum.reduce(
        [
            (stats[:, _UPPER] - stats[:, _LOWER]) / _NORMAL_QUARTILES,
            SD_SHARE * believed,
            DOUBTED_SD_SHARE * stats[:, _SD],
            OWN_SHARE * np.abs(stats[:, _MEDIAN]),
            PEERS_SHARE * usual,
        ]
    )
    # All is zero in the baseline, here and elsewhere: whatever comes is as odd as it is large.
    scale = np.where(scale > 0, scale, np.maximum(np.abs(stats[:, _ACTUAL]), 1.0))
    size = np.where(known, stats[:, _RAW] / scale, 0.0)
    return Deviations(size, stats[:, _MEDIAN], stats[:, _ACTUAL], scale, known)


_KNOWN, _MEDIAN, _LOWER, _UPPER, _SD, _LEVEL, _RAW, _ACTUAL, _EARLY_SD = range(9)


@compiled
def _stats(
    values: Float64,
    starts: Int64,
    is_baseline: npt.NDArray[np.bool_],
    weight: Float64,
    rest: npt.NDArray[np.bool_],
    out: Float64,
) -> None:
    for series in range(starts.size - 1):
        first, end = starts[series], starts[series + 1]
        in_time = values[first:end][is_baseline[first:end]]
        if in_time.size < LEAST_BASELINE:
            continue
        early = in_time[: max(LEAST_BASELINE, int((1.0 - NEWEST_SHARE) * in_time.size))]
        base = np.sort(in_time)
        median = _quantile(base, 0.5)
        raw, actual, weights = _look(values, weight, first, end, median)
        if rest.size:
            whole, mean, counted = _look(values, rest, first, end, median)
            if whole > raw:
                raw, actual = whole, mean
            weights += counted
        if weights == 0.0:
            continue
        out[series, 0] = 1.0
        out[series, 1] = median
        out[series, 2] = _quantile(base, 0.25)
        out[series, 3] = _quantile(base, 0.75)
        out[series, 4] = np.std(base)
        out[series, 5] = median if base[0] >= 0.0 else np.median(np.abs(base))
        out[series, 6] = raw
        out[series, 7] = actual
        out[series, 8] = np.std(early)


@compiled
def _look(
    values: Float64, weight: npt.NDArray[Any], first: int, end: int, median: float
) -> tuple[float, float, float]:
    """A series' size before it is scaled, its weighted mean, and all weight."""
    most, total, weights, mean = 0.0, 0.0, 0.0, 0.0
    for row in range(first, end):
        if weight[row] > 0:
            off = abs(values[row] - median) * weight[row]
            most = max(most, off)
            total += off
            weights += weight[row]
            mean += values[row] * weight[row]
    if weights == 0.0:
        return 0.0, 0.0, 0.0
    return np.sqrt(most) * np.sqrt(total / weights), mean / weights, weights


@compiled
def _quantile(ordered: Float64, share: float) -> float:
    place = share * (ordered.size - 1)
    low = int(place)
    high = min(low + 1, ordered.size - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def onset_of(values: Float64, expected: float, scale: float, begin: int = 0) -> int | None:
    """The row from which a series is clearly off, if it is at all.

    Args:
        values: in order of time.
        expected: by the baseline.
        scale: what is usual.
        begin: where the incident begins; one that was noticed late has begun before.

    >>> onset_of(np.array([5.0, 5.1, 9.0, 20.0]), expected=5.0, scale=0.5)
    3
    >>> onset_of(np.array([5.0, 5.1, 18.0, 20.0]), expected=5.0, scale=0.5, begin=3)
    2
    """
    off = np.abs(values - expected)
    if off[begin:].size == 0 or off[begin:].max() < scale:
        return None
    clear = off >= max(scale, ONSET_SHARE * off[begin:].max())
    first = begin + int(np.argmax(clear[begin:]))
    while first > 0 and clear[first - 1]:
        first -= 1
    return first
