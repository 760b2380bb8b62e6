"""One borrowed model: fitted on points, asked about points, and never trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.borrowed.registry import quiet, seeded
from detectors.borrowed.source import Source
from detectors.errors import LawBrokenError, ModelFailedError

Float64 = npt.NDArray[np.float64]

# Points scored together and alone when a model is asked whether its batch matters to it.
PROBES = 3
# Rounding of a matrix product differs with its shape; a true dependence is far above this.
SAME = 1e-4
# Spreads away: nobody would call such a point normal.
FAR = 100.0
# A score that is the same so many times as far out has reached its bound.
FARTHER = 10.0
BOUND = 1e-6
# Scores beyond are all alike, and some models answer infinity.
MOST = 1e30
# Of a bounded score, what is left to the bound at least: its logarithm is finite.
NEAREST = 1e-6
# Dimensions that are moved alone to find the bound; beyond, many at once tell it.
MOST_AXES = 16


class PointModel:
    """A model and the points it was fitted on.

    Whatever the model raises, or answers that is no score of each point, is a `ModelFailedError`.

    Scores of forests, ranks and histograms have an upper bound, and a limit that is extrapolated
    from normal scores may lie beyond it, where no fault can get. `open_ended` takes such a score
    to the logarithm of what is left to the bound: then its tail has no end, and if it was of
    Pareto's kind with the end at the bound, it is exponential, which `thresholds` expects.

    Args:
        origin: where the model comes from.
        train: points `[n, n_dims]`, no NaN.
        seed: of numpy's global generator while the model works.

    Raises:
        ModelFailedError: the model cannot be fitted on these points.
    """

    def __init__(self, origin: Source, train: Float64, seed: int) -> None:
        self.train = train
        self._origin = origin
        self._seed = seed
        self._model: Any = None
        if origin.frozen is None:
            self._model = self._guarded(self._fitted)
        if (train == train[0]).all():
            self._refuse_blindness()

    def ask(self, points: Float64) -> Float64:
        """Return one score a point, higher = more abnormal, finite or NaN.

        Raises:
            ModelFailedError: the model raises, or does not answer with a number a point.
        """
        if not points.shape[0]:
            return np.empty(0)
        answer: Float64 = self._guarded(lambda: self._answer(points))
        if answer.shape != (points.shape[0],):
            raise ModelFailedError(
                self._origin.title,
                f"decision_function answers shape {answer.shape} to {points.shape[0]} points",
            )
        clipped: Float64 = np.clip(answer, -MOST, MOST)
        return clipped

    def bound(self) -> float:
        """Return the score that no point exceeds, infinity where there is none or no answer."""
        ways = _directions(self.train.shape[1])
        try:
            answer = self.ask(np.concatenate([FAR * ways, FARTHER * FAR * ways]))
        except ModelFailedError:
            return float("inf")
        near, far = np.split(answer, 2)
        if not np.isfinite(near).all() or not np.allclose(near, far, rtol=BOUND, atol=BOUND):
            return float("inf")
        return float(near.max())

    def refuse_batch_dependence(self) -> None:
        """Raise `LawBrokenError` if a point's score changes with the points it is asked with."""
        law = "no_batch_neighbours"
        together = self.ask(self.train)[:PROBES]
        try:
            alone = np.concatenate([self.ask(self.train[i : i + 1]) for i in range(PROBES)])
        except ModelFailedError as error:
            raise LawBrokenError(law, f"asked about one point alone, {error}") from error
        if not np.allclose(together, alone, rtol=SAME, atol=SAME, equal_nan=True):
            raise LawBrokenError(
                law,
                f"{self._origin.title} scores a point {alone[0]:g} alone, {together[0]:g} in a "
                "batch",
            )

    def _fitted(self) -> Any:
        model = self._origin.new()
        model.fit(self.train)
        return model

    def _answer(self, points: Float64) -> Float64:
        if self._origin.frozen is not None:
            return self._origin.frozen(self.train, points)
        return np.asarray(self._model.decision_function(points), dtype=np.float64)

    def _refuse_blindness(self) -> None:
        ends = self.ask(np.stack([self.train[0], self.train[0] + FAR]))
        if not ends[1] > ends[0]:
            raise ModelFailedError(
                self._origin.title, "constant training range: it sees no move from it"
            )

    def _guarded(self, act: Callable[[], Any]) -> Any:
        try:
            with quiet(), seeded(self._seed):
                return act()
        except Exception as error:
            raise ModelFailedError(
                self._origin.title, f"{type(error).__name__}: {error}"
            ) from error


def open_ended(scores: Float64, zero: float, bound: float) -> Float64:
    """Return scores counted from `zero`, without an upper end where they have a bound.

    >>> open_ended(np.array([0.0, 0.5, 0.9]), 0.0, float("inf"))
    array([0. , 0.5, 0.9])
    >>> open_ended(np.array([0.5, 0.9, 2.0]), 0.0, 1.0).round(2)
    array([ 0.69,  2.3 , 13.82])
    """
    above = scores - zero
    span = bound - zero
    if not np.isfinite(span) or span <= 0.0:
        return above
    left: Float64 = np.maximum(1.0 - above / span, NEAREST)
    return -span * np.log(left)


def _directions(n_dims: int) -> Float64:
    """Return `[n, n_dims]`: all dimensions up, all down, in turn, and each alone both ways."""
    ones = np.ones(n_dims)
    turns = np.where(np.arange(n_dims) % 2, -1.0, 1.0)
    axes = np.eye(n_dims)[:MOST_AXES]
    return np.concatenate([[ones, -ones, turns, -turns], axes, -axes])
