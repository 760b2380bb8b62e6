"""The profile of a week, learned from hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from detectors.season.hours import WEEK, Hours, in_periods
from detectors.thresholds import TAIL_FRACTION, Calibration, calibrate

Bool = npt.NDArray[np.bool_]
Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

DAY = 24

# One day is what models learn from anyway; of two, nobody knows which is the usual one.
LEAST_DAYS = 3
# An hour of the week was there twice: once could have been anything.
LEAST_WEEKS = 2
# Part of the variance of hours that the other days or weeks foretell. Below it, what the hours
# have in common is little beside what they have not: there is no season to judge by.
LEAST_FORETOLD = 0.5
# Part of the hours that may be as unlike the others as they like when this is judged: a morning's
# incident does not take a month's season away.
INCIDENTS = 0.01
# No hour's range is narrower than this part of the usual one of the series: nights on which nothing
# at all happened would make the first event an alarm.
LEAST_WIDTH = 0.25
# Factor on the fitted limit: next week is a week of its own.
MARGIN = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Season:
    """What each hour of the week holds, of the series that have a season; 1 kB each.

    Attributes:
        series_id: int64 `[n]`, ascending.
        profile: float16 `[n, 3, 168]`: middle, least, greatest of each hour, in units of `unit`
            above `base`; NaN = unknown. Least and greatest are what at least two days or weeks
            came to, so that one incident is no habit.
        base: float32 `[n]`.
        unit: float32 `[n]`, positive.
        calibration: `[n]`, of how far hours are from the middle of the others, in half widths.
        alarms: bool `[n]`, known for long enough to say that an hour is unusual.
        shift: float32 `[n]`, how far the last day was above its profile throughout.
        factor: float32 `[n]`, by what it was greater throughout.
    """

    series_id: Int64
    profile: Float16
    base: Float32
    unit: Float32
    calibration: Calibration
    alarms: Bool
    shift: Float32
    factor: Float32

    def rows_of(self, series_id: Int64) -> Int64:
        """The row of each series here, -1 where it has none."""
        if not self.series_id.size:
            return np.full(series_id.shape, -1, np.int64)
        spot = np.minimum(np.searchsorted(self.series_id, series_id), self.series_id.size - 1)
        return np.where(self.series_id[spot] == series_id, spot, -1)

    def take(self, rows: Int64) -> Self:
        """The season of rows, none of which is -1."""
        return type(self)(
            self.series_id[rows],
            self.profile[rows],
            self.base[rows],
            self.unit[rows],
            self.calibration.take(rows),
            self.alarms[rows],
            self.shift[rows],
            self.factor[rows],
        )

    def of_week(self) -> Float32:
        """Middle, least and greatest of each hour of the week, float32 `[n, 3, 168]`."""
        out: Float32 = self.profile.astype(np.float32)
        out *= self.unit[:, None, None]
        out += self.base[:, None, None]
        return out


@dataclass(frozen=True, slots=True, eq=False)
class _Habit:
    """What the periods of one length have in common; hours are those of a week, `[n, 168]`."""

    middle: Float32
    low: Float32
    high: Float32
    away: Float32  # [n, n_hours], of each hour from the middle of the same hour of other periods
    foretold: Float32  # [n]


def fit_season(hours: Hours, flagged: Bool, rate: float) -> Season:
    """Learn the season of every series that has one.

    A series has one if other days, or other weeks, foretell most of what moves its hours; weeks are
    taken where they foretell more. Only whole sets of both weekdays and weekends (two weeks) can
    tell that an hour is unusual.

    Args:
        hours: at most some weeks; what is long past is no habit any more.
        flagged: bool `[n_series, n_hours]`, hours with anomalies, which are not learned.
        rate: chance that a usual hour is taken for an unusual one.
    """
    clean = [
        np.where(flagged, np.float32(np.nan), values)
        for values in (hours.mean, hours.low, hours.high)
    ]
    days = _habit(clean, hours.phase, DAY, LEAST_DAYS)
    weeks = _habit(clean, hours.phase, WEEK, LEAST_WEEKS)
    weekly = np.nan_to_num(weeks.foretold, nan=-1.0) > np.nan_to_num(days.foretold, nan=-1.0)
    best = np.fmax(days.foretold, weeks.foretold)
    rows = np.flatnonzero(np.nan_to_num(best, nan=-1.0) >= LEAST_FORETOLD)
    rows = rows[np.argsort(hours.series_id[rows], kind="stable")]

    def chosen(name: str) -> Float32:
        one, other = getattr(weeks, name)[rows], getattr(days, name)[rows]
        picked: Float32 = np.where(weekly[rows, None], one, other)
        return picked

    middle, low, high = chosen("middle"), chosen("low"), chosen("high")
    half = half_width(low, high)
    # Of each hour that there was, how wide the same hour of the week is.
    at = (hours.phase + np.arange(hours.mean.shape[1])) % WEEK
    away = np.abs(chosen("away")) / np.where(half > 0.0, half, np.float32(np.nan))[:, at]
    fit = calibrate(away.astype(np.float32), min(rate, TAIL_FRACTION), floor=1.0, margin=MARGIN)
    known = np.isfinite(hours.mean[rows])
    span = np.where(known.any(axis=1), known.shape[1] - known.argmax(axis=1), 0)
    shift, factor = _last_day(hours.mean[rows], middle[:, at])
    profile, base, unit = _packed(np.stack([middle, low, high], axis=1))
    return Season(
        hours.series_id[rows],
        profile,
        base,
        unit,
        fit,
        span >= LEAST_WEEKS * WEEK,
        shift,
        factor,
    )


def half_width(low: Float32, high: Float32) -> Float32:
    """Half of the range of each hour, `[n, 168]`, of none less than a part of the usual one."""
    half = (high - low) / 2.0
    usual = _nanmedian(half, axis=1)[:, None]
    wide: Float32 = np.fmax(half, LEAST_WIDTH * usual).astype(np.float32)
    return wide


def _habit(clean: list[Float32], phase: int, period: int, least: int) -> _Habit:
    mean, low, high = (in_periods(values, phase, period) for values in clean)
    enough = np.count_nonzero(~np.isnan(mean), axis=1) >= least
    middle = np.where(enough, _nanmedian(mean, axis=1), np.float32(np.nan))
    # Where there are fewer values than two, these are NaN, which sorts last.
    second_low = np.sort(low, axis=1)[:, 1] if low.shape[1] > 1 else np.full_like(middle, np.nan)
    second_high = (
        -np.sort(-high, axis=1)[:, 1] if high.shape[1] > 1 else np.full_like(middle, np.nan)
    )
    away = np.stack(
        [
            mean[:, each] - _nanmedian(np.delete(mean, each, axis=1), axis=1)
            for each in range(mean.shape[1])
        ],
        axis=1,
    )
    away[~np.broadcast_to(enough[:, None], away.shape)] = np.nan
    both = ~np.isnan(away) & ~np.isnan(mean) & _all_but_incidents(away)
    foretold = 1.0 - _variance(away, both, around_zero=True) / _variance(mean, both)
    length = clean[0].shape[1]
    before = phase % period
    flat = away.reshape(len(mean), -1)[:, before : before + length]
    # Days repeat to a week, whose first hour is the first of a day.
    centre, least_usual, most_usual = (
        np.tile(np.where(enough, one, np.float32(np.nan)), WEEK // period)
        for one in (middle, second_low, second_high)
    )
    return _Habit(centre, least_usual, most_usual, flat, foretold.astype(np.float32))


def _all_but_incidents(away: Float32) -> Bool:
    """Of each series, all hours but the few that are furthest from those of other periods."""
    size = np.abs(away).reshape(len(away), -1)
    count = np.count_nonzero(~np.isnan(size), axis=1)
    most = np.sort(size, axis=1)
    spot = np.maximum(np.ceil((1.0 - INCIDENTS) * count).astype(np.int64) - 1, 0)
    limit = np.take_along_axis(most, spot[:, None], axis=1) if most.shape[1] else most
    return (size <= limit).reshape(away.shape)


def _variance(values: Float32, used: Bool, around_zero: bool = False) -> npt.NDArray[np.float64]:
    """Of each series, over its periods and hours; NaN where there is nothing, or nothing moves."""
    filled = np.where(used, values, 0.0).astype(np.float64)
    count = np.count_nonzero(used, axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = 0.0 if around_zero else (filled.sum(axis=(1, 2)) / count)[:, None, None]
        square = (np.where(used, filled - centre, 0.0) ** 2).sum(axis=(1, 2)) / count
    return square if around_zero else np.where(square > 0.0, square, np.nan)


def _last_day(mean: Float32, middle: Float32) -> tuple[Float32, Float32]:
    """By how much, and by what factor, the last day was above its profile in most of its hours."""
    newest, usual = mean[:, -DAY:], middle[:, -DAY:]
    shift = np.nan_to_num(_nanmedian(newest - usual, axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(usual != 0.0, newest / usual, np.float32(np.nan))
    factor = np.nan_to_num(_nanmedian(ratio, axis=1), nan=1.0)
    return shift.astype(np.float32), factor.astype(np.float32)


def _packed(values: Float32) -> tuple[Float16, Float32, Float32]:
    """Float16 holds three digits: enough of the part of a range, too few of a value far from 0."""
    least = np.fmin.reduce(values, axis=(1, 2), initial=np.inf)
    most = np.fmax.reduce(values, axis=(1, 2), initial=-np.inf)
    base = np.where(np.isfinite(least), least, 0.0).astype(np.float32)
    unit = np.where(most > least, most - least, 1.0).astype(np.float32)
    parts = (values - base[:, None, None]) / unit[:, None, None]
    return parts.astype(np.float16), base, unit


def _nanmedian(values: Float32, axis: int) -> Float32:
    """NaN, without a warning, where there are none."""
    ranked = np.sort(values, axis=axis)
    count = np.count_nonzero(~np.isnan(values), axis=axis, keepdims=True)
    if not values.shape[axis]:
        return np.full(count.squeeze(axis).shape, np.nan, np.float32)
    low = np.take_along_axis(ranked, np.maximum((count - 1) // 2, 0), axis)
    high = np.take_along_axis(ranked, np.minimum(count // 2, values.shape[axis] - 1), axis)
    middle: Float32 = ((low + high) / 2.0).squeeze(axis).astype(np.float32)
    return middle
