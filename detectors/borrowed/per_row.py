"""Any model of PyOD, or of a user, for each series or entity."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from detectors.base import Arrays, Decision, Detector
from detectors.borrowed import points as shown
from detectors.borrowed.point_model import PointModel, open_ended
from detectors.borrowed.smoothing import trailing_mean
from detectors.borrowed.source import source
from detectors.errors import InvalidParameterError, ModelFailedError
from detectors.memory.scale import Scale, fit_scale
from detectors.panel import Panel
from detectors.thresholds import LEAST_SCORES, Calibration, calibrate

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# A limit never lies closer to the least normal score than this part of that score.
LEAST_LIMIT = 1e-3

PARAMETERS = (
    "name",
    "scope",
    "window",
    "smooth",
    "train_size",
    "false_alarm_rate",
    "least_change",
    "seed",
)


class PyODDetector(Detector):
    """A PyOD model per series (on trailing windows) or one for an entity (on its columns).

    PyOD's models see points, not time. For series, a point is the trailing window of values;
    for an entity, the column of its metrics. Values are standardised by the training range
    with a floor under the spread, as PyOD itself does not. Windows with a gap are not scored; of
    an entity a metric without data stands at its mean, as long as half of them have some. The
    score of a column is the mean over the last `smooth` points.

    ECOD and COPOD, which PyOD scores against the batch at hand, are frozen to the training set
    (`detectors.borrowed.frozen`). Any other model whose score of a point changes with its batch
    is refused at `fit`.

    The limit comes from two extra fits, each on half of the training points and scored on the
    other half: PyOD's own training scores know their points. A score with an upper bound is made
    open-ended first (`detectors.borrowed.point_model`).

    A row whose fit or scoring fails (singular data) is NaN, and `failures_` or `Scores.failures`
    say why; the other rows go on.

    Cost: a Python loop over series, 1 ms (HBOS) to .3 s (IForest) each; for candidates, not
    for a fleet.

    Args:
        name: PyOD class name, as "IForest".
        scope: "series" or "entity".
        window: columns in a point of a series; 1 = the value alone. Unused for an entity.
        smooth: points whose scores are averaged; None = as many as `window`.
        train_size: most training points, evenly spaced; PyOD's costs grow faster than linearly.
        false_alarm_rate: chance that a normal column reaches the threshold.
        least_change: floor under the spread, as a fraction of the mean magnitude.
        seed: for models that draw random numbers.
        **params: the model's own parameters.

    Raises:
        UnknownDetectorError: if PyOD has no such detector or an extra of it is missing.
        InvalidParameterError: if an argument is out of range or the class refuses it.
    """

    own: ClassVar[type | None] = None
    """A user's class in place of PyOD's; see `own_model`."""

    def __init__(
        self,
        name: str,
        scope: Literal["series", "entity"] = "series",
        window: int = 8,
        smooth: int | None = None,
        train_size: int = 2000,
        false_alarm_rate: float = 1e-3,
        least_change: float = 0.02,
        seed: int = 0,
        **params: Any,
    ) -> None:
        self.name = name
        self.scope = scope
        self.window = window
        self.smooth = window if smooth is None else smooth
        self.train_size = train_size
        self.false_alarm_rate = false_alarm_rate
        self.least_change = least_change
        self.seed = seed
        self.params = params
        if scope not in ("series", "entity"):
            raise InvalidParameterError("scope", scope, "must be 'series' or 'entity'")
        for what, columns in (("window", window), ("smooth", self.smooth)):
            if columns < 1:
                raise InvalidParameterError(what, columns, "must be positive")
        if train_size < LEAST_SCORES:
            raise InvalidParameterError(
                "train_size", train_size, f"must be at least {LEAST_SCORES}"
            )
        self._source = source(name, self.own, seed, params)

    @property
    def context(self) -> int:
        """Columns of history a score looks back on."""
        return (self.window if self.scope == "series" else 1) + self.smooth - 2

    def get_params(self) -> dict[str, Any]:
        """Return the constructor's arguments, the model's own among them."""
        return {key: getattr(self, key) for key in PARAMETERS} | self.params

    def _learn(self, panel: Panel) -> Calibration:
        self._scale = fit_scale(panel.values, self.least_change)
        self._used = shown.known_metrics(panel.values)
        self.failures_: dict[int, str] = {}
        self._models: list[PointModel | None] = []
        rows = self._points(panel, np.arange(panel.n_series))
        held_out = np.full((len(rows), panel.n_times), np.nan)
        self._bound = np.full(len(rows), np.inf)
        asked = False
        for row, points in enumerate(rows):
            model = None
            try:
                model = self._fit(points)
                if model is not None:
                    if not asked:
                        model.refuse_batch_dependence()
                    asked = True
                    self._bound[row] = model.bound()
                    held_out[row] = self._held_out(points)
            except ModelFailedError as error:
                model = None
                self.failures_[int(panel.series_id[row])] = str(error)
            self._models.append(model)
        # PyOD scores may be negative (higher still = more abnormal); `score` needs a positive
        # threshold to divide by, so scores are counted from the least held-out one.
        self._zero = np.fmin.reduce(held_out, axis=1, initial=np.inf)
        self._zero[~np.isfinite(self._zero)] = np.nan
        counted = np.full(held_out.shape, np.nan, dtype=np.float32)
        for row, scores in enumerate(held_out):
            counted[row] = self._counted(row, scores)
        least = LEAST_LIMIT * np.maximum(np.nan_to_num(np.abs(self._zero)), 1.0)
        return calibrate(counted, self.false_alarm_rate, floor=least)

    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        of = np.zeros(1, dtype=np.int64) if self.scope == "entity" else rows
        out = np.full((of.size, panel.n_times), np.nan, dtype=np.float32)
        failures: dict[int, str] = {}
        for place, points in enumerate(self._points(panel, rows)):
            row = int(of[place])
            if row < 0 or self._models[row] is None or np.isnan(self._zero[row]):
                continue
            try:
                smoothed = self._smoothed(self._models[row], points)
            except ModelFailedError as error:
                # Not remembered in `failures_`: scoring leaves the detector as it was.
                failures[int(panel.series_id[place])] = str(error)
                continue
            out[place] = self._counted(row, smoothed)
        if self.scope == "entity":
            return Decision(out, failures=failures)
        expected = np.where(np.isnan(out), np.nan, self._centre(rows)[:, None])
        return Decision(out, expected.astype(np.float32), failures=failures)

    def _centre(self, rows: Int64) -> Float64:
        if not self._scale.centre.size:
            return np.full(rows.size, np.nan)
        return np.where(rows >= 0, self._scale.centre[rows], np.nan)

    def _points(self, panel: Panel, rows: Int64) -> list[Float64]:
        """Return one `[n_times, n_dims]` per outcome row; NaN where a point has a gap."""
        if self.scope == "entity":
            return [shown.columns(self._scale, panel.values, rows, self._used)]
        return shown.windows(self._scale, panel.values, rows, self.window)

    def _fit(self, points: Float64) -> PointModel | None:
        """A model of the points; None where they are too few to say anything."""
        train = shown.sample(points, self.train_size)
        if train.shape[0] < LEAST_SCORES or not train.shape[1]:
            return None
        return PointModel(self._source, train, self.seed)

    def _smoothed(self, model: PointModel | None, points: Float64) -> Float64:
        scores = np.full(points.shape[0], np.nan)
        usable = shown.usable(points)
        if model is not None and usable.any():
            scores[usable] = model.ask(points[usable])
        return trailing_mean(scores, self.smooth)

    def _counted(self, row: int, scores: Float64) -> Float32:
        with np.errstate(over="ignore"):
            return open_ended(scores, self._zero[row], self._bound[row]).astype(np.float32)

    def _held_out(self, points: Float64) -> Float64:
        """Return smoothed scores of each half of the training range by a model of the other."""
        whole = np.flatnonzero(shown.usable(points))
        seam = int(whole[whole.size // 2])
        scores = np.full(points.shape[0], np.nan)
        for known, asked in (
            (slice(seam, None), slice(0, seam)),
            (slice(0, seam), slice(seam, None)),
        ):
            scores[asked] = self._smoothed(self._fit(points[known]), points[asked])
        return scores

    def _state(self) -> Arrays:
        # The training points, not the fitted model: fitting again from the same points and
        # seed gives the same model, and no foreign object is ever loaded.
        trains = [np.empty((0, 1)) if one is None else one.train for one in self._models]
        width = max((one.shape[1] for one in trains), default=1)
        flat = [one.reshape(-1, width) for one in trains]
        return {
            "points": np.concatenate(flat) if flat else np.empty((0, width)),
            "lengths": np.array([len(one) for one in flat], dtype=np.int64),
            "failures": np.array(json.dumps({str(k): v for k, v in self.failures_.items()})),
            "zero": self._zero,
            "bound": self._bound,
            "used": self._used,
        } | self._scale.to_arrays()

    def _restore(self, arrays: Arrays) -> None:
        self._scale = Scale.from_arrays(arrays)
        self._zero, self._bound = arrays["zero"], arrays["bound"]
        self._used = arrays["used"]
        self.failures_ = {int(k): v for k, v in json.loads(str(arrays["failures"])).items()}
        ends = np.cumsum(arrays["lengths"])
        trains = np.split(arrays["points"], ends[:-1]) if ends.size else []
        self._models = [
            PointModel(self._source, train, self.seed) if len(train) else None for train in trains
        ]


@cache
def own_model(path: str, own: type[Any]) -> type[PyODDetector]:
    """Return `PyODDetector` with a user's class for its model.

    Args:
        path: what the class is called, as "package.module:Class".
        own: has `fit(points)` and `decision_function(points)`, as PyOD's classes.
    """
    return type(f"{PyODDetector.__name__}[{path}]", (PyODDetector,), {"own": own})
