"""What every detector promises."""

from __future__ import annotations

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from detectors.errors import (
    InvalidParameterError,
    InvalidStateError,
    NotFittedError,
    PanelMismatchError,
)
from detectors.panel import Panel
from detectors.thresholds import Calibration

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

# Version of the arrays that `to_arrays` writes; raise it when their meaning changes.
STATE_VERSION = 3


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """A panel's verdict; every array is `[n_rows, n_times]`, all but `driver` float32.

    Attributes:
        score: decision over threshold, so 1.0 = the threshold; NaN = cannot tell.
        p_value: probability that a normal column scores at least this; NaN as in `score`.
        expected: value the detector takes as normal here, in the unit of the series; None where
            it knows none.
        lower: least value that would pass as normal, finite wherever `score` is; None where the
            detector cannot tell.
        upper: greatest such value, None as `lower`.
        driver: int32, of an entity the row of the panel that is furthest off, -1 = none; then
            the three before it are of that series. None where each row is a series.
        failures: why a row has no score although it was learned, by series id (of an entity that
            of its panel's first row): its model raised.
    """

    score: Float32
    p_value: Float32
    expected: Float32 | None = None
    lower: Float32 | None = None
    upper: Float32 | None = None
    driver: Int32 | None = None
    failures: Mapping[int, str] = field(default_factory=dict)

    def from_column(self, first: int) -> Scores:
        """Return the columns from `first` on."""
        cut = {
            name: array[:, first:]
            for name in ("score", "p_value", "expected", "lower", "upper", "driver")
            if (array := getattr(self, name)) is not None
        }
        return replace(self, **cut)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Raw outcome of a detector, before thresholds; rows as in `Scores`.

    The normal band is `reach` times the threshold to either side of what is expected, or `band`
    where its sides differ: (lower, upper).
    """

    decision: Float32
    expected: Float32 | None = None
    reach: Float32 | None = None
    band: tuple[Float32, Float32] | None = None
    driver: Int32 | None = None
    failures: Mapping[int, str] = field(default_factory=dict)

    def from_column(self, first: int) -> Decision:
        """Return the columns from `first` on."""
        if first == 0:
            return self
        return Decision(
            self.decision[:, first:],
            None if self.expected is None else self.expected[:, first:],
            None if self.reach is None else self.reach[:, first:],
            None if self.band is None else (self.band[0][:, first:], self.band[1][:, first:]),
            None if self.driver is None else self.driver[:, first:],
            self.failures,
        )


class Detector(ABC):
    """A model of normal behaviour that scores what comes after.

    Order of calls: `fit` once, then `decision_function` or `score` as often as wanted.
    Scoring never changes the model, the score of a column depends on no later column and on
    no other row, and the same model and data give the same bytes (`detectors.checks` states
    these laws as code).

    Rows are matched by `series_id`: the panel to score may hold fewer, more or reordered
    series. Rows the model has not seen are NaN. Columns before a panel's first count as no
    data, so give `context` columns before the range of interest.

    Attributes:
        scope: "series": row i of the outcome is series i of the panel; "entity": the panel is
            one entity and the outcome has one row.
        context: columns of history that a score looks back on.
        least_rate: least false-alarm rate that its threshold can be set for.
        threshold_: float32 `[n_fitted_rows]`, NaN where there was too little to learn from.
        series_id_: int64, the series fitted on.
        step_: µs, the step fitted on.
    """

    scope: Literal["series", "entity"]
    least_rate: float = 0.0
    series_id_: Int64
    step_: int
    calibration_: Calibration

    @property
    @abstractmethod
    def context(self) -> int:
        """Columns of history a score looks back on."""

    @abstractmethod
    def _learn(self, panel: Panel) -> Calibration:
        """Set the model from the panel; return how its rows score when all is well."""

    @abstractmethod
    def _decide(self, panel: Panel, rows: Int64) -> Decision:
        """Score a panel whose row i is row `rows[i]` of the one fitted on, -1 = unknown."""

    @abstractmethod
    def _state(self) -> Arrays:
        """Return the model's arrays."""

    @abstractmethod
    def _restore(self, arrays: Arrays) -> None:
        """Set the model from arrays; KeyError where one is missing."""

    @property
    def threshold_(self) -> Float32:
        """Decision value that a normal column reaches with the false-alarm rate asked for."""
        self._need_fit()
        return self.calibration_.threshold

    def fit(self, panel: Panel) -> Self:
        """Learn what is normal; values that shall not be learned from are NaN.

        Raises:
            NoTrainingDataError: an entity with no usable column. Series rows with too little data
                raise nothing: they get a NaN threshold and NaN scores.
        """
        self.calibration_ = self._learn(panel)
        self.series_id_ = panel.series_id.copy()
        self.step_ = panel.step
        return self

    def decision_function(self, panel: Panel) -> Float32:
        """Return raw scores, float32 `[n_rows, n_times]`.

        Higher = more abnormal, NaN = cannot tell.

        Raises:
            NotFittedError: before `fit`.
            PanelMismatchError: if the panel's step is not the fitted one.
        """
        return self._decide(panel, self._rows_of(panel)).decision

    def _decide_newest(self, panel: Panel, rows: Int64, first: int) -> Decision:
        """Score the columns from `first` on alone; the result has only these.

        Override where that saves work.
        """
        return self._decide(panel, rows).from_column(first)

    def score(self, panel: Panel, newest: int | None = None) -> Scores:
        """Return scores in units of the threshold with p-values and, if known, a normal band.

        Args:
            panel: with `context` columns before those of interest.
            newest: score so many last columns; the result has only these. None = all.

        Raises:
            InvalidParameterError: if the panel has fewer columns than `newest`.
            NotFittedError: before `fit`.
            PanelMismatchError: if the panel's step is not the fitted one.
        """
        rows = self._rows_of(panel)
        if newest is None:
            newest = panel.n_times
        if not 0 <= newest <= panel.n_times:
            raise InvalidParameterError("newest", newest, f"must lie in 0 to {panel.n_times}")
        found = self._decide_newest(panel, rows, panel.n_times - newest)
        fit = self.calibration_of(panel)
        score = found.decision / fit.threshold[:, None]
        p_value = fit.p_values(found.decision)
        if found.expected is None:
            return Scores(score, p_value, failures=found.failures)
        if found.band is not None:
            lower, upper = found.band
        elif found.reach is not None:
            half = found.reach * fit.threshold[:, None]
            lower, upper = found.expected - half, found.expected + half
        else:
            return Scores(score, p_value, found.expected, failures=found.failures)
        return Scores(score, p_value, found.expected, lower, upper, found.driver, found.failures)

    def calibration_of(self, panel: Panel) -> Calibration:
        """Return the fit of each row of the panel's outcome, NaN of rows that are unknown.

        Raises:
            NotFittedError, PanelMismatchError: as of `score`.
        """
        rows = self._rows_of(panel)
        one = np.zeros(1, dtype=np.int64)
        return self.calibration_.take(one if self.scope == "entity" else rows)

    def get_params(self) -> dict[str, Any]:
        """Return the constructor's arguments; `type(d)(**d.get_params())` is an unfitted clone."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def to_arrays(self) -> Arrays:
        """Return the fitted state as plain arrays (no objects), to be given to `from_arrays`.

        Raises:
            NotFittedError: before `fit`.
        """
        self._need_fit()
        head: Arrays = {
            "version": np.array(STATE_VERSION),
            "detector": np.array(type(self).__name__),
            "params": np.array(json.dumps(self.get_params())),
            "step": np.array(self.step_),
            "series_id": self.series_id_,
            "body": self.calibration_.body,
            "spread": self.calibration_.spread,
            "threshold": self.calibration_.threshold,
            "floor": self.calibration_.floor,
            "rate": np.array(self.calibration_.rate),
            "margin": np.array(self.calibration_.margin),
        }
        return head | self._state()

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the detector that wrote these arrays.

        Raises:
            InvalidStateError: if they are not of this class and version, or incomplete.
        """
        try:
            written = (str(arrays["detector"]), int(arrays["version"]))
            if written != (cls.__name__, STATE_VERSION):
                raise InvalidStateError(
                    f"state of {written[0]} version {written[1]} given to {cls.__name__} "
                    f"version {STATE_VERSION}"
                )
            detector = cls(**json.loads(str(arrays["params"])))
            detector.step_ = int(arrays["step"])
            detector.series_id_ = arrays["series_id"]
            detector.calibration_ = Calibration(
                arrays["body"],
                arrays["spread"],
                arrays["threshold"],
                arrays["floor"],
                float(arrays["rate"]),
                float(arrays["margin"]),
            )
            detector._restore(arrays)
        except KeyError as error:
            raise InvalidStateError(f"state without the array {error}") from error
        return detector

    def _need_fit(self) -> None:
        if not hasattr(self, "calibration_"):
            raise NotFittedError(type(self).__name__)

    def _rows_of(self, panel: Panel) -> Int64:
        """Return the fitted row of every row of the panel, -1 where there is none."""
        self._need_fit()
        if panel.step != self.step_:
            raise PanelMismatchError(f"step {panel.step} µs, fitted on {self.step_} µs")
        if not self.series_id_.size:
            return np.full(panel.n_series, -1, dtype=np.int64)
        order = np.argsort(self.series_id_, kind="stable")
        spot = np.searchsorted(self.series_id_, panel.series_id, sorter=order)
        rows = order[np.minimum(spot, order.size - 1)]
        return np.where(self.series_id_[rows] == panel.series_id, rows, -1)
