"""How a family's pool is fitted: an even sample of windows, and limits from what is held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.borrowed import points as shown
from detectors.borrowed.per_row import LEAST_LIMIT
from detectors.borrowed.point_model import PointModel, open_ended
from detectors.borrowed.pool import (
    HALVES,
    Pool,
    Shape,
    chunks,
    held_out_scores,
    sampled,
    scores_of,
)
from detectors.memory.scale import Scale, fit_scale
from detectors.thresholds import LEAST_SCORES, calibrate

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rule:
    """How to learn; the fields are those of `PooledDetector`."""

    shape: Shape
    young: int
    train_size: int
    false_alarm_rate: float
    least_change: float
    seed: int


def fit_pool(
    values: Float32, ids: Int64, rule: Rule, make: Callable[[Float64], PointModel]
) -> Pool | None:
    """Return a family's pool, None where there is too little to learn from.

    Args:
        values: `[n_series, n_times]` of series with history enough, by id.
        ids: of the rows.
        rule: how.
        make: fits a model on points.

    Raises:
        ModelFailedError: the model cannot be fitted.
        LawBrokenError: it scores a point by the batch it comes in.
    """
    scale = fit_scale(values, rule.least_change)
    z = shown.rounded(scale, values, np.arange(len(values)))
    half = values.shape[1] // HALVES
    trains = [
        sampled(part, rule.shape.window, rule.train_size, rule.seed)
        for part in (z, z[:, :half], z[:, half:])
    ]
    if min(len(train) for train in trains) < LEAST_SCORES:
        return None
    one, two, three = (make(train) for train in trains)
    one.refuse_batch_dependence()
    models = (one, two, three)
    usual = held_out_scores(models, z, ids, rule.shape)
    zero = float(np.fmin.reduce(usual, axis=None, initial=np.inf))
    if not np.isfinite(zero):
        return None
    typical = float(np.median(scale.scale / scale.floor))
    young = _young_scores(models, values, rule, typical)
    bound = one.bound()
    fits = [
        calibrate(
            open_ended(scores, zero, bound).reshape(1, -1).astype(np.float32),
            rule.false_alarm_rate,
            floor=LEAST_LIMIT * max(abs(zero), 1.0),
        )
        for scores in (usual, young)
    ]
    return Pool(models, zero, bound, fits[0], fits[1], typical)


def widened(scale: Scale, typical: float) -> Scale:
    """Return the scale with a spread that is at least the family's."""
    wide = np.maximum(scale.scale, typical * scale.floor)
    return Scale(scale.centre, wide, scale.least, scale.floor)


def _young_scores(
    models: tuple[PointModel, PointModel, PointModel],
    values: Float32,
    rule: Rule,
    typical: float,
) -> Float64:
    """Return scores of stretches as if the `young` columns before were all that is known."""
    n_rows, n_times = values.shape
    half = n_times // HALVES
    length = min(rule.young + rule.shape.before + rule.shape.held_out // HALVES, half)
    out = np.full((n_rows, max(length - rule.young, 0)), np.nan)
    for which, model in ((0, models[2]), (1, models[1])):
        rows = np.arange(which, n_rows, HALVES)
        own = values[rows, which * half : which * half + length]
        scale = widened(fit_scale(own[:, : rule.young], rule.least_change), typical)
        z = shown.rounded(scale, own, np.arange(len(rows)))
        for part in chunks(len(rows), length):
            found = scores_of(model.ask, z[part], rule.shape)
            out[rows[part]] = found[:, rule.young :]
    return out
