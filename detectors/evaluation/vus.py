"""VUS-PR: area under the precision-recall surface over label buffers.

Point-wise labels punish a detector that fires a few columns early or late. VUS-PR widens each
labelled range by a buffer whose credit fades with distance, takes the area under the
precision-recall curve, and averages over all buffer widths from 0 to the series' period. It is
the headline measure of the TSB-AD benchmark, and this module follows the benchmark's details
(250 thresholds, buffers of half the width on each side, recall weighted by the share of ranges
touched) so that figures compare with its published tables.

Source: Paparrizos et al., "Volume under the surface", VLDB 2022; Liu and Paparrizos, "The
elephant in the room", NeurIPS 2024.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# The benchmark's own constants; other values give figures that compare with nothing.
N_THRESHOLDS = 250
DEFAULT_PERIOD = 125
LONGEST_LAG = 400
SHORTEST_LAG = 3
LONGEST_PEAK = 300
LONGEST_SERIES = 20_000


def series_period(values: npt.ArrayLike) -> int:
    """Return the lag of the greatest peak of the autocorrelation, 125 where there is none.

    Args:
        values: `[n_times]`; only the first 20,000 are looked at.

    >>> series_period(np.sin(2 * np.pi * np.arange(1000) / 50))
    50
    """
    x = np.asarray(values, dtype=np.float64).ravel()[:LONGEST_SERIES]
    # Too short for a lag with a neighbour on both sides.
    if x.size < SHORTEST_LAG + 3:
        return DEFAULT_PERIOD
    x = x - x.mean()
    spectrum = np.fft.rfft(x, 2 * x.size)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[: min(LONGEST_LAG, x.size - 1) + 1]
    if correlation[0] <= 0.0:
        return DEFAULT_PERIOD
    # Divided by the variance before comparing: near-ties round as in the benchmark.
    lags = (correlation / correlation[0])[SHORTEST_LAG:]
    inner = lags[1:-1]
    peaks = np.flatnonzero((inner > lags[:-2]) & (inner > lags[2:])) + 1
    if not peaks.size:
        return DEFAULT_PERIOD
    best = int(peaks[np.argsort(lags[peaks])[-1]])
    if not SHORTEST_LAG <= best <= LONGEST_PEAK:
        return DEFAULT_PERIOD
    return best + SHORTEST_LAG


def vus_pr(labels: npt.ArrayLike, scores: npt.ArrayLike, window: int, stride: int = 1) -> float:
    """Return VUS-PR in [0, 1], higher = better.

    Args:
        labels: 0/1 `[n_times]`, with at least one 1.
        scores: `[n_times]`, higher = more abnormal, finite.
        window: widest buffer in columns, usually `series_period` of the values.
        stride: of the widths, every such one; more than 1 is that many times as fast, and compares
            with no published figure.

    Raises:
        InvalidParameterError: if the shapes differ, nothing is labelled, or a score is not finite.

    >>> labels = np.repeat([0, 1, 0], [60, 10, 60])
    >>> bool(vus_pr(labels, labels, 10) > vus_pr(labels, 1 - labels, 10))
    True
    """
    truth = np.asarray(labels).astype(bool)
    given = np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != given.shape:
        raise InvalidParameterError(
            "scores", given.shape, f"must be one row like labels {truth.shape}"
        )
    if not truth.any():
        raise InvalidParameterError("labels", 0, "must mark at least one column")
    if not np.isfinite(given).all():
        raise InvalidParameterError("scores", "nan or inf", "must be finite")
    return float(np.mean(_areas(truth, given, window, stride)))


def _areas(truth: Bool, scores: Float64, window: int, stride: int) -> list[float]:
    """Return the area under the precision-recall curve for buffer widths 0 … window."""
    n = truth.size
    starts, ends = _ranges(truth)
    ranked = np.sort(scores)
    limits = ranked[::-1][np.linspace(0, n - 1, N_THRESHOLDS).astype(np.int64)]
    flagged = n - np.searchsorted(ranked, limits, side="left")
    # Only columns within the widest buffer can earn credit: sort those once by score.
    zone = np.flatnonzero(_mark(n, *_buffered(starts, ends, window, n)))
    zone = zone[np.argsort(-scores[zone], kind="stable")]
    hits = np.searchsorted(-scores[zone], -limits, side="right")
    areas = []
    for width in range(0, window + 1, stride):
        credit = _credit(truth, starts, ends, width)
        wide_starts, wide_ends = _buffered(starts, ends, width, n)
        buffer = _mark(n, wide_starts, wide_ends) & ~truth
        found = _running(credit[zone])[hits]
        # A labelled column always counts as positive, a buffer column once it is flagged.
        outside = np.where(truth | ~buffer, credit, 0.0)[zone].sum()
        positives = outside + _running(np.where(buffer, credit, 0.0)[zone])[hits]
        peaks = np.array(
            [scores[a : b + 1].max() for a, b in zip(wide_starts, wide_ends, strict=True)]
        )
        touched = (peaks[None, :] >= limits[:, None]).mean(axis=1)
        recall = np.minimum(found / ((truth.sum() + positives) / 2.0), 1.0) * touched
        precision = found / flagged
        areas.append(float(np.dot(np.diff(np.r_[0.0, recall]), precision)))
    return areas


def _ranges(truth: Bool) -> tuple[Int64, Int64]:
    """Return first and last column of each labelled range."""
    edges = np.diff(np.r_[0, truth.astype(np.int8), 0])
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def _buffered(starts: Int64, ends: Int64, width: int, n: int) -> tuple[Int64, Int64]:
    """Return the ranges widened by half the width on both sides, touching ones joined."""
    half = width // 2
    parted = ends[:-1] + half < starts[1:] - half
    first = np.r_[starts[0], starts[1:][parted]] - half
    last = np.r_[ends[:-1][parted], ends[-1]] + half
    first[0] = max(first[0], 0)
    last[-1] = min(last[-1], n - 1)
    return first, last


def _mark(n: int, starts: Int64, ends: Int64) -> Bool:
    """Return a mask of the columns within the ranges, ends included."""
    steps = np.zeros(n + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends + 1, -1)
    return np.cumsum(steps[:-1]) > 0


def _credit(truth: Bool, starts: Int64, ends: Int64, width: int) -> Float64:
    """Return 1 on labels, fading to both sides as the square root, at most 1 in sum."""
    credit = truth.astype(np.float64)
    away = np.arange(1, width // 2 + 1)
    if away.size:
        fade = np.sqrt(1.0 - away / width)
        spots = np.concatenate([(ends[:, None] + away).ravel(), (starts[:, None] - away).ravel()])
        gains = np.tile(fade, 2 * starts.size)
        inside = (spots >= 0) & (spots < truth.size)
        np.add.at(credit, spots[inside], gains[inside])
    return np.minimum(credit, 1.0)


def _running(x: Float64) -> Float64:
    """Return cumulative sums with a leading 0."""
    total: Float64 = np.concatenate([[0.0], np.cumsum(x)])
    return total
