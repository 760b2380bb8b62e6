"""Whether a change has done good elsewhere: the same in clusters where it is set otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.errors import InvalidParameterError

Float64 = npt.NDArray[np.float64]
Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

DIFFERS = 0.1
"""Settings that are apart by less than this share are the same."""

BETTER = 0.5
"""An outcome is better elsewhere where it is at most this share of the own."""


class Backing(IntEnum):
    """What other clusters say of a proposal."""

    NONE = 0
    """In no other cluster is it set so."""
    AGREES = 1
    """Where it is set so, the outcome is better."""
    DISAGREES = 2
    """Where it is set so, the outcome is no better."""


@dataclass(frozen=True, slots=True, eq=False)
class Backed:
    """Of each row.

    Attributes:
        verdict: int8[n], of `Backing`.
        best: int64[n], of the rows that are set so the one with the best outcome, -1 = none.
    """

    verdict: Int8
    best: Int64


def backed(group: Int64, setting: Float64, outcome: Float64, *, more: bool = True) -> Backed:
    """Compare each row with the others of its group that are set further in a direction.

    >>> told = backed(np.zeros(3, int), np.array([0.2, 0.4, 0.41]), np.array([0.3, 0.1, 0.02]))
    >>> told.verdict.tolist(), told.best.tolist()
    ([1, 0, 0], [2, -1, -1])

    Args:
        group: int64[n], the thing that is the same, a row a cluster.
        setting: float64[n], NaN = it is not set or not known: such a row is not compared.
        outcome: float64[n], less is better, NaN = not known.
        more: whether more of the setting is proposed, or less.

    Raises:
        InvalidParameterError: the arrays are not of one length.
    """
    if not len(group) == len(setting) == len(outcome):
        lengths = (len(group), len(setting), len(outcome))
        raise InvalidParameterError("setting", lengths, "must be one a row")
    order = np.argsort(group, kind="stable").astype(np.int64)
    sign = 1.0 if more else -1.0
    verdict, best = np.zeros(len(group), np.int8), np.full(len(group), -1, np.int64)
    known = np.isfinite(setting) & np.isfinite(outcome)
    _compare(order, np.asarray(group, np.int64), setting, outcome, known, sign, verdict, best)
    return Backed(verdict, best)


@compiled
def _compare(
    order: Int64,
    group: Int64,
    setting: Float64,
    outcome: Float64,
    known: npt.NDArray[np.bool_],
    sign: float,
    verdict: Int8,
    best: Int64,
) -> None:
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and group[order[end]] == group[order[begin]]:
            end += 1
        for one in order[begin:end]:
            for other in order[begin:end]:
                if not known[one] or not known[other]:
                    continue
                apart = sign * (setting[other] - setting[one])
                if apart <= DIFFERS * abs(setting[one]):
                    continue
                if best[one] < 0 or outcome[other] < outcome[best[one]]:
                    best[one] = other
            if best[one] >= 0:
                better = outcome[best[one]] <= BETTER * outcome[one]
                verdict[one] = 1 if better and outcome[one] > 0.0 else 2
        begin = end
