"""Any PyOD detector under this package's laws."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detectors.base import Arrays, Decision, Detector
from detectors.errors import InvalidParameterError, LawBrokenError
from detectors.memory.scale import Scale, fit_scale
from detectors.panel import Panel
from detectors.pyod_frozen import FROZEN
from detectors.pyod_registry import make_model, quiet, seeded
from detectors.thresholds import LEAST_SCORES, Calibration, calibrate

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# What numerical code raises on singular or too few data; anything else is a bug and passes.
SINGULAR = (ValueError, ArithmeticError, IndexError, RuntimeError, np.linalg.LinAlgError)
# Points scored together and alone when a model is asked whether its batch matters to it.
PROBES = 4
# Rounding of a matrix product differs with its shape; a true dependence is far above this.
SAME = 1e-4
# Part of the least change below which values count as equal.
GRAIN = 0.25
# Scales away: nobody would call such a point normal.
FAR = 100.0
# Scores beyond are all alike, and some models answer infinity.
MOST = 1e30


class PyODDetector(Detector):
    """A PyOD model per series (on trailing windows) or one for an entity (on its columns).

    PyOD's models see points, not time. For series, a point is the trailing window of values;
    for an entity, the column of its metrics. Values are standardised by the training range
    with a floor under the spread, as PyOD itself does not. Points with a gap are not scored.

    ECOD and COPOD, which PyOD scores against the batch at hand, are frozen to the training set
    (`detectors.pyod_frozen`). Any other model whose score of a point changes with its batch is
    refused at `fit`.

    The limit comes from two extra fits, each on half of the training points and scored on the
    other half: PyOD's own training scores know their points.

    A row whose fit or scoring fails (singular data) is NaN, and `failures_` says why; the
    other rows go on.

    Cost: a Python loop over series, 1 ms (HBOS) to .3 s (IForest) each; for candidates, not
    for a fleet.

    Args:
        name: PyOD class name, as "IForest".
        scope: "series" or "entity".
        window: columns in a point of a series; 1 = the value alone. Unused for an entity.
        train_size: most training points, evenly spaced; PyOD's costs grow faster than linearly.
        false_alarm_rate: chance that a normal column reaches the threshold. Scores of forests
            and ranks are bounded: a much smaller rate puts the limit where no score can get.
        least_change: floor under the spread, as a fraction of the mean magnitude.
        seed: for models that draw random numbers.
        **params: the model's own parameters.

    Raises:
        UnknownDetectorError: if PyOD has no such detector or an extra of it is missing.
        InvalidParameterError: if an argument is out of range or the class refuses it.
    """

    def __init__(
        self,
        name: str,
        scope: Literal["series", "entity"] = "series",
        window: int = 8,
        train_size: int = 2000,
        false_alarm_rate: float = 1e-3,
        least_change: float = 0.02,
        seed: int = 0,
        **params: Any,
    ) -> None:
        self.name = name
        self.scope = scope
        self.window = window
        self.train_size = train_size
        self.false_alarm_rate = false_alarm_rate
        self.least_change = least_change
        self.seed = seed
        self.params = params
        if scope not in ("series", "entity"):
            raise InvalidParameterError("scope", scope, "must be 'series' or 'entity'")
        if window < 1:
            raise InvalidParameterError("window", window, "must be positive")
        if train_size < LEAST_SCORES:
            raise InvalidParameterError(
                "train_size", train_size, f"must be at least {LEAST_SCORES}"
            )
        make_model(name, seed, params)

    @property
    def context(self) -> int:
        """Columns of history a score looks back on."""
        return self.window - 1 if self.scope == "series" else 0

    def get_params(self) -> dict[str, Any]:
        """Return the constructor's arguments, the model's own among them."""
        own = {
            key: getattr(self, key)
            for key in (
                "name",
                "scope",
                "window",
                "train_size",
                "false_alarm_rate",
                "least_change",
                "seed",
            )
        }
        return own | self.params

    def _learn(self, panel: Panel) -> Calibration:
        self._scale = fit_scale(panel.values, self.least_change)
        self.failures_: dict[int, str] = {}
        self._train: list[Float64] = []
        self._models: list[Any] = []
        rows = np.arange(panel.n_series)
        held_out = []
        for row, points in enumerate(self._points(panel, rows)):
            train = self._sample(points)
            key = int(panel.series_id[row])
            model, scores = None, np.empty(0)
            try:
                model = self._fit_model(train)
                scores = self._cross_fit(train)
            except SINGULAR as error:
                self.failures_[key] = f"{type(error).__name__}: {error}"
            self._train.append(train)
            self._models.append(model)
            held_out.append(scores)
        width = max((scores.size for scores in held_out), default=0)
        padded = np.full((len(held_out), width), np.nan, dtype=np.float32)
        for row, scores in enumerate(held_out):
            padded[row, : scores.size] = scores
        # PyOD scores may be negative (higher still = more abnormal); `score` needs a positive
        # threshold to divide by, so scores are counted from the least held-out one.
        with quiet():
            self._zero = np.fmin.reduce(padded, axis=1, initial=np.inf).astype(np.float64)
        self._zero[~np.isfinite(self._zero)] = np.nan
        padded -= self._zero[:, None].astype(np.float32)
        least = 1e-3 * np.maximum(np.nan_to_num(np.abs(self._zero)), 1.0)
        return calibrate(padded, self.false_alarm_rate, floor=least)

    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        if self.scope == "entity":
            out = np.full((1, panel.n_times), np.nan, dtype=np.float32)
            self._score_row(0, self._points(panel, rows)[0], out[0])
            return Decision(out)
        out = np.full(panel.values.shape, np.nan, dtype=np.float32)
        for place, points in enumerate(self._points(panel, rows)):
            if rows[place] >= 0:
                self._score_row(int(rows[place]), points, out[place])
        return Decision(out)

    def _score_row(self, row: int, points: Float64, out: Float32) -> None:
        model = self._models[row]
        usable = ~np.isnan(points).any(axis=1)
        if model is None or np.isnan(self._zero[row]) or not usable.any():
            return
        try:
            scores = self._ask(model, self._train[row], points[usable])
        except SINGULAR:
            # Not remembered in `failures_`: scoring leaves the detector as it was.
            return
        out[usable] = scores - self._zero[row]

    def _points(self, panel: Panel, rows: Int64) -> list[Float64]:
        """Return one `[n_times, n_dims]` per outcome row; NaN where a point has a gap."""
        seen = rows >= 0
        if self.scope == "entity":
            z = np.full((self._scale.centre.size, panel.n_times), np.nan)
            z[rows[seen]] = self._rounded(panel.values[seen], rows[seen])
            # A metric without training data must not blind the entity.
            return [np.ascontiguousarray(z[~np.isnan(self._scale.centre)].T)]
        z = np.full((panel.n_series, self.window - 1 + panel.n_times), np.nan)
        z[seen, self.window - 1 :] = self._rounded(panel.values[seen], rows[seen])
        windows = np.lib.stride_tricks.sliding_window_view(z, self.window, axis=1)
        return list(windows)

    def _rounded(self, values: Float32, rows: Int64) -> Float64:
        """Return standardised values without differences far below the least change.

        A model that ranks or counts sees no sizes: to it, jitter of a millionth on a constant
        series is as far out as an outage.
        """
        z = self._scale.standardise(values, rows).astype(np.float64)
        grain = (GRAIN * self._scale.floor[rows] / self._scale.scale[rows])[:, None]
        rounded: Float64 = np.rint(z / grain) * grain
        return rounded

    def _sample(self, points: Float64) -> Float64:
        usable = points[~np.isnan(points).any(axis=1)]
        kept = min(usable.shape[0], self.train_size)
        picked = (np.arange(kept) * usable.shape[0]) // max(kept, 1)
        return np.ascontiguousarray(usable[picked])

    def _fit_model(self, train: Float64) -> Any:
        if train.shape[0] < LEAST_SCORES or not train.shape[1]:
            raise ValueError(f"{train.shape[0]} complete training points, {LEAST_SCORES} needed")
        model = make_model(self.name, self.seed, self.params)
        if self.name in FROZEN:
            return model
        with quiet(), seeded(self.seed):
            model.fit(train)
        self._refuse_batch_dependence(model, train)
        if (train == train[0]).all():
            ends = self._ask(model, train, np.stack([train[0], train[0] + FAR]))
            if not ends[1] > ends[0]:
                raise ValueError(f"constant training range: {self.name} sees no move from it")
        return model

    def _cross_fit(self, train: Float64) -> Float64:
        """Return held-out scores: each half of the range by a model of the other."""
        half = train.shape[0] // 2
        if half < LEAST_SCORES:
            return np.empty(0)
        parts = []
        for known, asked in ((train[half:], train[:half]), (train[:half], train[half:])):
            parts.append(self._ask(self._fit_model(known), known, asked))
        return np.concatenate(parts)

    def _ask(self, model: Any, train: Float64, points: Float64) -> Float64:
        if self.name in FROZEN:
            return FROZEN[self.name](train, points)
        with quiet(), seeded(self.seed):
            scores = np.asarray(model.decision_function(points), dtype=np.float64)
        return np.clip(scores, -MOST, MOST)

    def _refuse_batch_dependence(self, model: Any, train: Float64) -> None:
        together = self._ask(model, train, train)[:PROBES]
        try:
            alone = np.concatenate(
                [self._ask(model, train, train[i : i + 1]) for i in range(PROBES)]
            )
        except SINGULAR as error:
            raise LawBrokenError(
                "no_batch_neighbours", f"pyod.{self.name} alone: {error}"
            ) from error
        if not np.allclose(together, alone, rtol=SAME, atol=SAME, equal_nan=True):
            raise LawBrokenError(
                "no_batch_neighbours",
                f"pyod.{self.name} scores a point {alone[0]:g} alone, {together[0]:g} in a batch",
            )

    def _state(self) -> Arrays:
        # The training points, not the fitted model: fitting again from the same points and
        # seed gives the same model, and no foreign object is ever loaded.
        lengths = np.array([train.shape[0] for train in self._train], dtype=np.int64)
        flat = np.concatenate(self._train) if self._train else np.empty((0, 1))
        failures = np.array(json.dumps({str(k): v for k, v in self.failures_.items()}))
        state: Arrays = {"points": flat, "lengths": lengths, "failures": failures}
        return state | {"zero": self._zero} | self._scale.to_arrays()

    def _restore(self, arrays: Arrays) -> None:
        self._scale = Scale.from_arrays(arrays)
        self._zero = arrays["zero"]
        self.failures_ = {int(k): v for k, v in json.loads(str(arrays["failures"])).items()}
        ends = np.cumsum(arrays["lengths"])
        self._train = np.split(arrays["points"], ends[:-1]) if ends.size else []
        self._models = []
        for train in self._train:
            try:
                self._models.append(self._fit_model(train))
            except SINGULAR:
                self._models.append(None)
