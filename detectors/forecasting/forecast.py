"""Forecasts of a panel: when each series passes its threshold, or why that cannot be told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidPanelError, InvalidParameterError
from detectors.forecasting.kernels import METHODS
from detectors.forecasting.passage import pass_rows
from detectors.memory.kernels import over_rows

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]

COLUMNS = 48
"""Columns that a horizon should have: finer ones cost, and tell little more."""

# Past origins: one each eighth of the horizon, and from the fifteenth on ever further apart.
STRIDES = 8
ORIGINS = 60
GROWTH = 1.07
# Errors of the newest third of a horizon count most, those of all others together as much.
HALF_LIFE = 1 / 3
POWER = 3.0
POWER_LONG = 2.0
POWER_END = 4.0
# Error paths of six horizons ago count half.
PATH_LIFE = 3.0
NEAR_SHARE = 0.5
NEAR_FLOOR = 0.02
# Simulated beyond the horizon, so that the upper end of an interval may lie there.
FAR = 3
LEVELS = (0.165, 0.5, 0.835)
# A passage that is this likely is foretold; between the two it cannot be told.
LIKELY = 0.45
DOUBTFUL = 0.3
# A value that is older than this part of the horizon says nothing about now.
STALE = 0.25
LEAST_VALUES = 12
LEAST_SPAN = 1.0


COLUMN_TELLS = 1.5
"""Columns before the end of its own that a passage may have been: a column's mean is at the level
where the value has been so for half of it, which is since half a column before it began, if the
column before was not yet at the level."""


class Reason(IntEnum):
    """Why there is no time, or none can be told."""

    NONE = 0
    NO_VALUE = 1
    ALREADY_PASSED = 2
    NEGATIVE = 3
    SHORT_HISTORY = 4
    FEW_VALUES = 5
    DOUBTFUL = 6
    SHRINKING = 7
    NOT_WITHIN = 8

    @property
    def abstains(self) -> bool:
        """Whether nothing can be told, as opposed to that nothing passes."""
        return self not in (Reason.NONE, Reason.SHRINKING, Reason.NOT_WITHIN)

    @property
    def text(self) -> str:
        """For people."""
        return _TEXTS[self]


_TEXTS = {
    Reason.NONE: "",
    Reason.NO_VALUE: "no recent value",
    Reason.ALREADY_PASSED: "threshold already passed",
    Reason.NEGATIVE: "a negative value cannot be compared with a positive threshold",
    Reason.SHORT_HISTORY: "history is shorter than the horizon",
    Reason.FEW_VALUES: "too few values",
    Reason.DOUBTFUL: "noise is larger than the trend: it may pass or may not",
    Reason.SHRINKING: "shrinking",
    Reason.NOT_WITHIN: "not expected within the horizon",
}


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """What is foretold of each series from the panel's last column.

    Attributes:
        eta: float64 `[n]`, hours until the threshold is passed first, as ends of columns, NaN = not
            expected within the horizon, or cannot be told.
        eta_lower: `[n]`, in 80 % of cases it is not before,
        eta_upper: and not after; may be beyond the horizon.
        chance: `[n]`, how likely it is within the horizon; NaN = cannot be told.
        expected: `[n]`, the value at the horizon.
        reason: int8 `[n]`, a `Reason`.
        weights: `[n, methods]`, how much each of `METHODS` counts.
        heavier: `[n]`, the name of the model that took the place of `METHODS`, None = none did.
    """

    eta: Float64
    eta_lower: Float64
    eta_upper: Float64
    chance: Float64
    expected: Float64
    reason: Int8
    weights: Float64
    heavier: npt.NDArray[np.object_]

    @property
    def method(self) -> npt.NDArray[np.object_]:
        """`[n]`, what counts most: a heavier model's name or one of `METHODS`, None = none."""
        named = self.heavier.copy()
        light = (named == None) & (self.weights.sum(axis=1) > 0.0)  # noqa: E711 - of each
        named[light] = np.array(METHODS, dtype=object)[self.weights[light].argmax(axis=1)]
        return named

    def replace(self, row: int, other: Forecasts, name: str) -> None:
        """Let a heavier model's forecast, of one row, take the place of a row; in place."""
        for mine, its in (
            (self.eta, other.eta),
            (self.eta_lower, other.eta_lower),
            (self.eta_upper, other.eta_upper),
            (self.chance, other.chance),
            (self.expected, other.expected),
            (self.reason, other.reason),
        ):
            mine[row] = its[0]
        self.heavier[row] = name

    @property
    def abstained(self) -> Bool:
        """Where nothing can be told."""
        return np.array([Reason(code).abstains for code in Reason], dtype=bool)[self.reason]

    def earliest(self, step_hours: float, *, means: bool = True) -> Float64:
        """Hours, `[n]`, until the soonest that the column of `eta_lower` can mean.

        To be told to people in its place: where all futures pass in one column, an interval from
        the end of that column to its end claims what no column can tell.

        Args:
            step_hours: hours a column.
            means: whether columns are means of samples between them; else a column is one sample,
                at its end, and all that is not known is since when after the one before.
        """
        if means:
            return np.maximum(0.0, self.eta_lower - COLUMN_TELLS * step_hours)
        return np.maximum(0.0, np.minimum(self.eta_lower, self.eta_upper - step_hours))


def forecast(
    values: Float64, threshold: float | Float64, *, step_hours: float, horizon_hours: float
) -> Forecasts:
    """Foretell when series pass a threshold from below, from the last column on.

    Every method's path from now, with each of its errors from past origins on it, is one possible
    future; methods count by how small their errors were, recently and always. When half of these
    futures have passed is the time, when a tenth and nine tenths have are its interval.

    Args:
        values: `[n, width]`, NaN = no data, a regular step; the last column is now.
        threshold: one, or `[n]`.
        step_hours: hours a column.
        horizon_hours: hours within which a passage is foretold.

    Raises:
        InvalidPanelError: not two dimensions, or infinite values.
        InvalidParameterError: a step or horizon that is not positive, or a horizon of no column.

    Example:
        >>> disk = 50.0 + 2.0 * np.arange(-47, 1) / 4 + 0.1 * np.sin(np.arange(48.0))
        >>> told = forecast(disk[None], 54.0, step_hours=0.25, horizon_hours=4.0)
        >>> float(told.eta[0])
        2.0
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise InvalidPanelError("forecast takes finite values [n, width], NaN where there are none")
    if not step_hours > 0.0:
        raise InvalidParameterError("step_hours", step_hours, "must be positive")
    horizon = round(horizon_hours / step_hours)
    if not horizon_hours > 0.0 or horizon < 1:
        raise InvalidParameterError("horizon_hours", horizon_hours, "must be one step at least")
    n = len(values)
    limits = np.broadcast_to(np.asarray(threshold, dtype=np.float64), (n,)).copy()
    reason = _refused(values, limits, horizon)
    chance, expected = np.full(n, np.nan), np.full(n, np.nan)
    quantiles, weights = np.full((n, 3), np.nan), np.zeros((n, len(METHODS)))
    asked = np.flatnonzero(reason == Reason.NONE)
    panel, limit = values[asked], limits[asked]
    outs = (
        np.empty(len(asked)),
        np.empty((len(asked), 3)),
        np.empty(len(asked)),
        np.empty((len(asked), len(METHODS))),
    )

    def work(rows: slice) -> None:
        pass_rows(
            panel[rows],
            limit[rows],
            1.0 / step_hours,
            horizon,
            FAR * horizon,
            max(1, horizon // STRIDES),
            ORIGINS,
            max(1.0, HALF_LIFE * horizon),
            POWER,
            POWER_LONG,
            GROWTH,
            PATH_LIFE * horizon,
            NEAR_SHARE,
            NEAR_FLOOR,
            POWER_END,
            outs[0][rows],
            outs[1][rows],
            np.array(LEVELS),
            outs[2][rows],
            outs[3][rows],
        )

    over_rows(work, len(asked))
    chance[asked], quantiles[asked], expected[asked], weights[asked] = outs
    return outcome(values, reason, chance, quantiles * step_hours, expected, weights)


def _refused(values: Float64, limits: Float64, horizon: int) -> Int8:
    """What cannot be foretold, whatever a backtest would say."""
    n, width = values.shape
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    first = np.where(count > 0, known.argmax(axis=1), width)
    since = np.where(count > 0, known[:, ::-1].argmax(axis=1), width)
    newest = values[np.arange(n), np.maximum(width - 1 - since, 0)] if width else np.zeros(n)
    reason = np.zeros(n, dtype=np.int8)
    # The last assignment wins: the reason that weighs most comes last.
    span = width - first
    reason[count < min(LEAST_VALUES, horizon)] = Reason.FEW_VALUES
    reason[span < LEAST_SPAN * horizon] = Reason.SHORT_HISTORY
    reason[(newest < 0.0) & (limits > 0.0)] = Reason.NEGATIVE
    reason[newest >= limits] = Reason.ALREADY_PASSED
    reason[(since > max(2, STALE * horizon)) | np.isnan(limits)] = Reason.NO_VALUE
    return reason


def outcome(
    values: Float64,
    reason: Int8,
    chance: Float64,
    quantiles: Float64,
    expected: Float64,
    weights: Float64,
) -> Forecasts:
    """What is said of chances: a time, none within the horizon, or that it cannot be told.

    Args:
        values: `[n, width]`, as they were foretold from.
        reason: `[n]`, `NONE` where it was tried; written.
        chance: `[n]`, of a passage within the horizon.
        quantiles: `[n, 3]`, hours: lower end, middle, upper end of the passages; written.
        expected: `[n]`, at the horizon.
        weights: `[n, methods]`.
    """
    asked = reason == Reason.NONE
    reason[asked & np.isnan(chance)] = Reason.FEW_VALUES
    asked &= ~np.isnan(chance)
    likely = asked & (chance >= LIKELY)
    unlikely = asked & ~likely
    reason[unlikely] = np.where(chance[unlikely] >= DOUBTFUL, Reason.DOUBTFUL, Reason.NOT_WITHIN)
    with np.errstate(invalid="ignore"):
        falls = expected < values[:, -1] - 1e-9 * np.abs(values[:, -1])
    reason[(reason == Reason.NOT_WITHIN) & falls] = Reason.SHRINKING
    quantiles[~likely] = np.nan
    lower, eta, upper = quantiles.T.copy()
    light = np.full(len(values), None, dtype=object)
    return Forecasts(eta, lower, upper, chance, expected, reason, weights, light)
