"""The state of tier 0: what is remembered of every series between two ticks."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidPanelError, InvalidParameterError, InvalidStateError
from detectors.memory.kernels import over_rows
from detectors.online import recurrence
from detectors.online.fields import N_FIELDS
from detectors.online.rule import Rule

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

# Version of the arrays that `to_arrays` writes; raise it when the fields or their meaning change.
LEVEL_VERSION = 2
# Series dealt to a thread at once: a tick of a million in sixteen parts, and whole cache lines.
TICK_BLOCK = 65_536
REPLAY_BLOCK = 256


class LevelState:
    """Level, noise and limits of many series, moved by one value of each at a time.

    Series are positions; whoever holds the state holds their ids beside it. A value that is
    NaN or infinite is no data: it leaves the series as it was and scores NaN.

    Legal calls: any, in any order. One thread at a time may move a state.

    Cost: 64 bytes a series; a tick is linear in series, some 60 ns each on one core.

    Limits: knows no hour of the day; a daily wave widens its limits instead. A shift that
    lasts is an alarm for `rule.relearn` columns and normal from then on. Of a run of abnormal
    columns it learns from the first two, clipped; a spike that begins an alarm raises its
    test's limit for a while (at the default rate half of that is forgotten in a week).

    Source: exponentially weighted control charts (Roberts 1959) with clipped residuals
    (Gelper, Fried and Croux 2010); limits as in `detectors.online.recurrence`.

    Attributes:
        rule: what is taken for normal.
        fields: float32 `[n_series, N_FIELDS]`, columns as named by
            `detectors.online.fields.FIELDS`: a row is one line of the processor's cache, and a
            series that has seen nothing is all 0.

    >>> state = LevelState(2, Rule(warm_up=60))
    >>> noise = np.random.default_rng(0).normal(100.0, 5.0, (2, 500)).astype("f4")
    >>> bool(np.nanmax(state.replay(noise)) < 1.0)
    True
    >>> score = state.tick(np.array([160.0, np.nan], dtype="f4"))
    >>> bool(score[0] > 1.0), bool(np.isnan(score[1]))
    (True, True)
    """

    rule: Rule
    fields: Float32

    def __init__(self, n_series: int, rule: Rule | None = None) -> None:
        self.rule = rule or Rule()
        self.fields = np.zeros((n_series, N_FIELDS), dtype=np.float32)

    @property
    def n_series(self) -> int:
        """Number of series."""
        return int(self.fields.shape[0])

    def tick(self, values: Float32) -> Float32:
        """Move every series by one value; return scores, 1.0 = the threshold.

        Args:
            values: float32 `[n_series]`, NaN = no data.

        Returns:
            float32 `[n_series]`; NaN without data or before `rule.warm_up` values.

        Raises:
            InvalidPanelError: if there is not one value a series.
        """
        row = np.ascontiguousarray(values, dtype=np.float32)
        if row.shape != (self.n_series,):
            raise InvalidPanelError(f"values of shape {row.shape} for {self.n_series} series")
        score = np.empty(self.n_series, dtype=np.float32)
        gains = self.rule.gains

        def work(rows: slice) -> None:
            recurrence.tick(self.fields, row, gains, rows.start, rows.stop, score)

        over_rows(work, self.n_series, TICK_BLOCK)
        return score

    def replay(self, values: Float32) -> Float32:
        """Move every series by many values; the same bytes as a tick a column.

        Args:
            values: float32 `[n_series, n_times]`, a panel's, columns in order of time.

        Returns:
            float32 of the same shape, as from `tick`.

        Raises:
            InvalidPanelError: if there is not one row a series.
        """
        nothing = np.empty((0, 0), dtype=np.float32)
        return self._replay(values, nothing, nothing)

    def replay_bands(self, values: Float32) -> tuple[Float32, Float32, Float32]:
        """Replay, and return what was expected too.

        Returns:
            (score, expected, reach), all float32 of the values' shape: a column that is
            `reach` away from `expected` scores 1. Where the last few columns alarm together,
            these are their mean's, from which a single column may lie farther.

        Raises:
            InvalidPanelError: if there is not one row a series.
        """
        expected, reach = np.empty_like(values), np.empty_like(values)
        return self._replay(values, expected, reach), expected, reach

    def take(self, positions: npt.ArrayLike) -> LevelState:
        """Return a new state of the series at these positions; -1 = one that is new.

        Raises:
            InvalidParameterError: if a position is neither -1 nor one of these series'.
        """
        picked = np.asarray(positions, dtype=np.int64)
        if picked.size and not -1 <= picked.min() <= picked.max() < self.n_series:
            rule = f"must lie in -1 to {self.n_series - 1}"
            raise InvalidParameterError("positions", (picked.min(), picked.max()), rule)
        out = LevelState(picked.size, self.rule)
        known = picked >= 0
        out.fields[known] = self.fields[picked[known]]
        return out

    def extend(self, n_new: int) -> LevelState:
        """Return a new state with so many series that are new after those there are."""
        out = LevelState(self.n_series + n_new, self.rule)
        out.fields[: self.n_series] = self.fields
        return out

    def copy(self) -> LevelState:
        """Return a state that moves on its own."""
        return self.extend(0)

    def to_arrays(self) -> Arrays:
        """Return the state as plain arrays, no objects; from them the same bytes go on."""
        return {
            "level_version": np.array(LEVEL_VERSION),
            "level_rule": np.array(json.dumps(asdict(self.rule))),
            "level_fields": self.fields,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the state that wrote these arrays.

        Raises:
            InvalidStateError: if they are incomplete, misshapen or of another version.
        """
        try:
            version = int(arrays["level_version"])
            rule = Rule(**json.loads(str(arrays["level_rule"])))
            fields = arrays["level_fields"]
        except KeyError as error:
            raise InvalidStateError(f"state without the array {error}") from error
        except (ValueError, TypeError) as error:
            raise InvalidStateError(f"state with a rule that is none: {error}") from error
        if version != LEVEL_VERSION:
            raise InvalidStateError(f"state of version {version}, this is {LEVEL_VERSION}")
        if fields.ndim != 2 or fields.shape[1] != N_FIELDS:
            raise InvalidStateError(f"state of shape {fields.shape}, {N_FIELDS} fields are needed")
        state = cls(0, rule)
        # A copy of its own: it will be moved in place.
        state.fields = np.array(fields, dtype=np.float32, order="C")
        return state

    def _replay(self, values: Float32, expected: Float32, reach: Float32) -> Float32:
        if values.ndim != 2 or values.shape[0] != self.n_series:
            raise InvalidPanelError(f"values of shape {values.shape} for {self.n_series} series")
        score = np.empty(values.shape, dtype=np.float32)
        gains = self.rule.gains
        given = np.ascontiguousarray(values, dtype=np.float32)

        def work(rows: slice) -> None:
            first, last = rows.start, rows.stop
            recurrence.replay(self.fields, given, gains, first, last, score, expected, reach)

        over_rows(work, self.n_series, REPLAY_BLOCK)
        return score
