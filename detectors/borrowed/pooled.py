"""One borrowed model for all series of a metric, each in its own scale."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from detectors.base import Arrays, Decision, Detector
from detectors.borrowed import points as shown
from detectors.borrowed.features import BINS
from detectors.borrowed.per_row import LEAST_LIMIT
from detectors.borrowed.point_model import PointModel
from detectors.borrowed.pool import Pool, Shape, by_row, chunks, scores_of, upper_quantile
from detectors.borrowed.pool_fit import Rule, fit_pool, widened
from detectors.borrowed.source import source
from detectors.errors import InvalidParameterError, ModelFailedError
from detectors.memory.scale import Scale, fit_scale
from detectors.panel import Panel
from detectors.thresholds import LEAST_SCORES, Calibration, calibrate

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

PARAMETERS = (
    "name",
    "window",
    "smooth",
    "train_size",
    "held_out",
    "young",
    "grown",
    "false_alarm_rate",
    "least_change",
    "seed",
)


class PooledDetector(Detector):
    """One PyOD model for a whole family of series, as all series of one metric.

    A point is a trailing window of any of the series, as a few numbers in the series' own scale
    (`detectors.borrowed.features`): level, spread, slope, newest value. The model learns from an
    even sample of all of them, so it knows more windows than any series has, and costs one fit
    instead of one each. The score of a column is the mean over the last `smooth` windows.

    The limit is the family's: of every series a stretch in either half of the range is scored by
    a model of the other half, and the tail is fitted to all of them. A series that is restless
    among its kind has its limit raised in proportion; none has it lowered.

    A series that has just begun is scored by what its family is like: its scale is what little
    is known of it, its spread at least a typical one, and its limit that of stretches of other
    series that were scored with as little known, up to some two hours after it. `adopt` gives
    the same model other rows, or the same ones when more is known of them.

    Where the model cannot be fitted, all rows are NaN and `failures_` says why.

    Cost: one fit; for scoring about what PyOD's model costs a point.

    Limits: what the window is too short for; shapes that are normal for one series of the family
    are normal for all.

    Args:
        name: PyOD class name, as "IForest".
        window: columns in a window, a multiple of 8.
        smooth: windows whose scores are averaged; None = as many as `window`.
        train_size: windows that the model learns from.
        held_out: columns of each series that its limit is placed by.
        young: columns with data that a series needs to be scored at all.
        grown: columns with data from which on a series counts by what is known of itself.
        false_alarm_rate: chance that a normal column reaches the threshold.
        least_change: floor under the spread, as a fraction of the mean magnitude.
        seed: of the sample, and of models that draw random numbers.
        **params: the model's own parameters.

    Raises:
        UnknownDetectorError: if PyOD has no such detector or an extra of it is missing.
        InvalidParameterError: if an argument is out of range or the class refuses it.
    """

    scope: Literal["series", "entity"] = "series"
    own: ClassVar[type | None] = None
    """A user's class in place of PyOD's; see `own_pooled`."""

    def __init__(
        self,
        name: str,
        window: int = 16,
        smooth: int | None = None,
        train_size: int = 10_000,
        held_out: int = 240,
        young: int = 60,
        grown: int = 240,
        false_alarm_rate: float = 1e-4,
        least_change: float = 0.02,
        seed: int = 0,
        **params: Any,
    ) -> None:
        self.name = name
        self.window = window
        self.smooth = window if smooth is None else smooth
        self.train_size = train_size
        self.held_out = held_out
        self.young = young
        self.grown = grown
        self.false_alarm_rate = false_alarm_rate
        self.least_change = least_change
        self.seed = seed
        self.params = params
        if window < BINS or window % BINS:
            raise InvalidParameterError("window", window, f"must be a multiple of {BINS}")
        if self.smooth < 1:
            raise InvalidParameterError("smooth", smooth, "must be positive")
        for what, count in (("train_size", train_size), ("held_out", held_out), ("young", young)):
            if count < LEAST_SCORES:
                raise InvalidParameterError(what, count, f"must be at least {LEAST_SCORES}")
        if grown < young:
            raise InvalidParameterError("grown", grown, f"must be at least young={young}")
        self._source = source(name, self.own, seed, params)
        self._shape = Shape(window, self.smooth, held_out)

    @property
    def context(self) -> int:
        """Columns of history a score looks back on."""
        return self._shape.before

    def get_params(self) -> dict[str, Any]:
        """Return the constructor's arguments, the model's own among them."""
        return {key: getattr(self, key) for key in PARAMETERS} | self.params

    @property
    def has_learned(self) -> bool:
        """Whether there is a model that rows can be given to."""
        self._need_fit()
        return self._pool is not None

    def adopt(self, panel: Panel) -> Self:
        """Return this family's model for other series of it, whose history the panel is.

        Raises:
            NotFittedError: before `fit`.
            PanelMismatchError: if the panel's step is not the fitted one.
        """
        self._rows_of(panel)
        other = copy.copy(self)
        other.calibration_ = other._take_rows(panel)
        other.series_id_ = panel.series_id.copy()
        return other

    def _learn(self, panel: Panel) -> Calibration:
        self._pool: Pool | None = None
        self._why: str | None = None
        # By id, so that the order of rows decides nothing.
        order = np.argsort(panel.series_id, kind="stable")
        known = np.count_nonzero(~np.isnan(panel.values[order]), axis=1)
        order = order[known >= self.grown]
        if order.size:
            try:
                self._pool = self._fit_pool(panel.values[order], panel.series_id[order])
            except ModelFailedError as error:
                self._why = str(error)
        return self._take_rows(panel)

    def _fit_pool(self, values: Float32, ids: Int64) -> Pool | None:
        rule = Rule(
            self._shape,
            self.young,
            self.train_size,
            self.false_alarm_rate,
            self.least_change,
            self.seed,
        )
        return fit_pool(values, ids, rule, self._point_model)

    def _point_model(self, train: Float64) -> PointModel:
        return PointModel(self._source, train, self.seed)

    def _take_rows(self, panel: Panel) -> Calibration:
        """Set scale and limit of the panel's rows from their history and the pool."""
        known = np.count_nonzero(~np.isnan(panel.values), axis=1)
        old = known >= self.grown
        self._scale = fit_scale(panel.values, self.least_change)
        self.failures_: dict[int, str] = {}
        factor = np.where(known >= self.young, 1.0, np.nan)
        if self._pool is None:
            if self._why is not None:
                told = panel.series_id[~np.isnan(factor)].tolist()
                self.failures_ = dict.fromkeys(told, self._why)
            return by_row(_nothing(), np.full(panel.n_series, np.nan))
        wide = widened(self._scale, self._pool.spread)
        spread = np.where(old, self._scale.scale, wide.scale)
        self._scale = Scale(self._scale.centre, spread, self._scale.least, self._scale.floor)
        young = by_row(self._pool.young, factor)
        factor[old] = self._restlessness(panel, np.flatnonzero(old))
        usual = by_row(self._pool.usual, factor)
        return replace(
            usual,
            body=np.where(old[:, None], usual.body, young.body),
            spread=np.where(old, usual.spread, young.spread),
            threshold=np.where(old, usual.threshold, young.threshold),
            floor=np.where(old, usual.floor, young.floor),
        )

    def _restlessness(self, panel: Panel, rows: Int64) -> Float64:
        """Return how much more than its family each row scores when all is well, at least 1."""
        assert self._pool is not None  # noqa: S101 - for the type checker
        try:
            z = shown.rounded(self._scale, panel.values[rows], rows)
            own = self._pool.held_out(z, panel.series_id[rows], self._shape)
        except ModelFailedError:
            return np.ones(rows.size)
        enough = np.count_nonzero(~np.isnan(own), axis=1) >= LEAST_SCORES
        family = max(float(self._pool.usual.body[0, -1]), LEAST_LIMIT)
        return np.where(enough, np.maximum(upper_quantile(own) / family, 1.0), 1.0)

    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        out = np.full(panel.values.shape, np.nan, dtype=np.float32)
        expected = out.copy()
        failures: dict[int, str] = {}
        known = rows >= 0
        known[known] = ~np.isnan(self.calibration_.threshold[rows[known]])
        places = np.flatnonzero(known)
        for part in chunks(places.size, panel.n_times):
            here = places[part]
            self._score_rows(panel, here, rows[here], out, failures)
        centre = self._scale.centre[rows[places], None]
        expected[places] = np.where(np.isnan(out[places]), np.nan, centre)
        return Decision(out, expected, failures=failures)

    def _score_rows(
        self, panel: Panel, here: Int64, rows: Int64, out: Float32, failures: dict[int, str]
    ) -> None:
        assert self._pool is not None  # noqa: S101 - without a pool no row has a threshold
        z = shown.rounded(self._scale, panel.values[here], rows)
        model = self._pool.models[0]
        try:
            out[here] = self._pool.counted(scores_of(model.ask, z, self._shape))
        except ModelFailedError as error:
            if here.size == 1:
                failures[int(panel.series_id[here[0]])] = str(error)
                return
            # One row that the model cannot bear must not cost the others their score.
            for one in range(here.size):
                only = slice(one, one + 1)
                self._score_rows(panel, here[only], rows[only], out, failures)

    def _state(self) -> Arrays:
        state: Arrays = {
            "failures": np.array(json.dumps({str(k): v for k, v in self.failures_.items()})),
            "why": np.array(json.dumps(self._why)),
            "pooled": np.array(self._pool is not None),
        }
        pool = {} if self._pool is None else self._pool.to_arrays()
        return state | pool | self._scale.to_arrays()

    def _restore(self, arrays: Arrays) -> None:
        self._scale = Scale.from_arrays(arrays)
        self._why = json.loads(str(arrays["why"]))
        self.failures_ = {int(k): v for k, v in json.loads(str(arrays["failures"])).items()}
        self._pool = None
        if bool(arrays["pooled"]):
            self._pool = Pool.from_arrays(arrays, self._point_model)


def _nothing() -> Calibration:
    return calibrate(np.empty((1, 0), dtype=np.float32), 1e-3)


@cache
def own_pooled(path: str, own: type[Any]) -> type[PooledDetector]:
    """Return `PooledDetector` with a user's class for its model; see `own_model`."""
    return type(f"{PooledDetector.__name__}[{path}]", (PooledDetector,), {"own": own})
