"""One model for a family of series: what it was trained on, and how the family scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from detectors.borrowed.features import N_FEATURES, window_features
from detectors.borrowed.point_model import PointModel, open_ended
from detectors.borrowed.smoothing import trailing_mean
from detectors.thresholds import TAIL_FRACTION, Calibration

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Asked = Callable[[Float64], Float64]

# Cells whose features are in memory at once: some 20 MB.
CELLS = 1 << 18
# Stretches of the range that are held out of each series: one in either half.
HALVES = 2
# Takes a series' id to where its stretches lie (Fibonacci hashing): series of a family that share
# a schedule are held out at different hours, the same ones whatever other series there are.
HASH, HASH_BITS = np.uint64(0x9E3779B97F4A7C15), 64


@dataclass(frozen=True, slots=True)
class Shape:
    """How windows become scores.

    Attributes:
        window: columns in a window.
        smooth: windows whose scores are averaged.
        held_out: columns of each series that are scored to place its limit.
    """

    window: int
    smooth: int
    held_out: int

    @property
    def before(self) -> int:
        """Columns that a score needs before its own."""
        return self.window + self.smooth - 2


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A family's models and how its series score when all is well.

    Attributes:
        models: the one that scores, and one of either half of the range for what is held out.
        zero: the least normal score, from which all are counted.
        bound: the greatest that the model can give.
        usual: of a series with history enough; one row.
        young: of one that has just begun; one row.
        spread: of a typical series, as a part of its magnitude.
    """

    models: tuple[PointModel, PointModel, PointModel]
    zero: float
    bound: float
    usual: Calibration
    young: Calibration
    spread: float

    def counted(self, scores: Float64) -> Float64:
        """Return scores from `zero` on, open-ended."""
        return open_ended(scores, self.zero, self.bound)

    def held_out(self, z: Float64, ids: Int64, shape: Shape) -> Float64:
        """Return each row's counted scores by a model that has not seen them, `[n_rows, n]`."""
        return self.counted(held_out_scores(self.models, z, ids, shape))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the training points and figures: no model is ever stored."""
        lengths = [len(model.train) for model in self.models]
        parts = [self.usual.body, self.young.body]
        return {
            "points": np.concatenate([model.train for model in self.models]),
            "lengths": np.array(lengths, dtype=np.int64),
            "figures": np.array([self.zero, self.bound, self.spread, self.usual.rate]),
            "family_body": np.concatenate(parts),
            "family_spread": np.concatenate([self.usual.spread, self.young.spread]),
            "family_threshold": np.concatenate([self.usual.threshold, self.young.threshold]),
            "family_floor": np.concatenate([self.usual.floor, self.young.floor]),
        }

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, npt.NDArray[Any]], make: Callable[[Float64], PointModel]
    ) -> Self:
        """Return the pool that wrote these, its models fitted again on the same points."""
        trains = np.split(arrays["points"], np.cumsum(arrays["lengths"])[:-1])
        one, two, three = (make(np.ascontiguousarray(train)) for train in trains)
        zero, bound, spread, rate = arrays["figures"].tolist()
        usual, young = (
            Calibration(
                arrays["family_body"][row : row + 1],
                arrays["family_spread"][row : row + 1],
                arrays["family_threshold"][row : row + 1],
                arrays["family_floor"][row : row + 1],
                rate,
            )
            for row in (0, 1)
        )
        return cls((one, two, three), zero, bound, usual, young, spread)


def chunks(n_rows: int, n_times: int) -> list[slice]:
    """Rows whose features fit into memory together."""
    size = max(1, CELLS // max(1, n_times))
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def scores_of(ask: Asked, z: Float64, shape: Shape) -> Float64:
    """Return smoothed scores `[n_rows, n_times]` of standardised rows, NaN = cannot tell."""
    points = window_features(z, shape.window)
    usable = ~np.isnan(points[..., 0])
    raw = np.full(z.shape, np.nan)
    if usable.any():
        raw[usable] = ask(points[usable])
    return trailing_mean(raw, shape.smooth)


def sampled(z: Float64, window: int, most: int, seed: int) -> Float64:
    """Return windows of all rows, at most so many and about as many of each, `[n, N_FEATURES]`.

    Which ones depends on the seed and on the number of rows and columns alone.
    """
    rng = np.random.default_rng(seed)
    n_rows, n_times = z.shape
    if n_rows == 0 or n_times == 0:
        return np.empty((0, N_FEATURES))
    rows = np.sort(rng.permutation(n_rows)[:most])
    each = min(max(1, most // rows.size), n_times)
    # Evenly spaced from a place of each row's own.
    first = rng.uniform(0.0, 1.0, size=(rows.size, 1))
    columns = ((np.arange(each) + first) * n_times / each).astype(np.int64)
    found = []
    for part in chunks(rows.size, n_times):
        points = window_features(z[rows[part]], window)
        picked = np.take_along_axis(points, columns[part, :, None], axis=1)
        found.append(picked.reshape(-1, N_FEATURES))
    whole = np.concatenate(found)
    return np.ascontiguousarray(whole[~np.isnan(whole[:, 0])])


def held_out_scores(
    models: tuple[PointModel, PointModel, PointModel], z: Float64, ids: Int64, shape: Shape
) -> Float64:
    """Return smoothed scores of a stretch of either half, by the other half's model."""
    n_rows, n_times = z.shape
    half = n_times // HALVES
    length = max(1, min(shape.held_out // HALVES, half - shape.before))
    room = max(half - shape.before - length, 0)
    part_of_one = (ids.astype(np.uint64) * HASH) / 2.0**HASH_BITS
    place = np.minimum((part_of_one * (room + 1)).astype(np.int64), room)
    wide = min(length + shape.before, half)
    out = np.full((n_rows, HALVES, length), np.nan)
    for part in chunks(n_rows, wide) if wide else []:
        rows = np.arange(n_rows)[part]
        for which, known in ((0, models[2]), (1, models[1])):
            columns = which * half + place[part, None] + np.arange(wide)
            found = scores_of(known.ask, z[rows[:, None], columns], shape)
            out[part, which] = found[:, wide - length :]
    return out.reshape(n_rows, HALVES * length)


def by_row(known: Calibration, factor: Float64) -> Calibration:
    """Return a family's calibration for rows that score so many times as much, NaN = unknown."""
    return replace(
        known,
        body=known.body * factor[:, None],
        spread=known.spread * factor,
        threshold=(known.threshold * factor).astype(np.float32),
        floor=(known.floor * factor).astype(np.float32),
    )


def upper_quantile(scores: Float64) -> Float64:
    """Return each row's score that its tail begins at, NaN where there is none."""
    ranked = np.sort(scores, axis=1)
    count = np.count_nonzero(~np.isnan(scores), axis=1)
    spot = np.maximum(np.ceil((1.0 - TAIL_FRACTION) * count).astype(np.int64) - 1, 0)
    if not scores.shape[1]:
        return np.full(scores.shape[0], np.nan)
    return np.take_along_axis(ranked, spot[:, None], axis=1)[:, 0]
