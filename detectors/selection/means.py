"""What candidates come to on the whole: means of their figures, and who is no louder than whom."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.selection.judge import Judged

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def kind_means(figures: Float64) -> Float64:
    """Return the mean of `[C, K, n, rounds]` by candidate and kind, NaN where there was none."""
    has = np.isfinite(figures)
    count = has.sum(axis=(2, 3))
    total = np.where(has, figures, 0.0).sum(axis=(2, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def overall_means(means: Float64) -> Float64:
    """Return the mean over the kinds that there are, the second axis."""
    has = np.isfinite(means)
    count = has.sum(axis=1)
    total = np.where(has, means, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def no_louder(judged: Judged, own: int) -> Bool:
    """Return who raises no more false alarms than one of them, and none for longer.

    What is called false here may be true: the history is clean as far as anyone knows. So what
    counts is the difference.
    """
    quiet: Bool = (judged.false <= judged.false[own]) & (judged.alarmed <= judged.alarmed[own])
    return quiet
