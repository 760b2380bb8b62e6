"""Too many denials among decisions: the share counts, so more traffic is no anomaly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from detectors.events import tails
from detectors.events.baseline import WIDTHS
from detectors.events.cells import Cells, score_of
from detectors.events.counts import Counts
from detectors.events.kernels import HALF_AN_EVENT, OF_ITS_OWN, leave_out
from detectors.events.rates import FAIR_PART, GATED_FROM, LEAST_EXCESS, LEAST_RATIO, QUARTER

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# Decisions of a history that say nothing about a share of them yet.
LEAST_DECISIONS = 100
# Spread of denials of which nothing is known: a client that is denied tries again.
USUAL_SPREAD = 4.0
# Streams at once: there are few paths, but a fleet may have thousands.
BLOCK = 256
_TINY = 1e-9


def denials(
    denied: Counts,
    decided: Counts,
    began: Int64,
    first: int,
    end: int,
    history: int,
    least: int,
    rate: float,
) -> Cells:
    """The columns in `[first, end)` at which some window ends with too large a share of denials.

    Args:
        denied: denials of each stream.
        decided: decisions of each, denials among them.
        began: int64 `[n_streams]`, the column where the history of each begins.
        first: the first column to score; the history ends before it.
        end: the column after the last.
        history: columns of the history, at most.
        least: columns of history that a stream needs.
        rate: how often a normal column may be abnormal.

    Returns:
        Cells whose values are shares, 0 to 1, sorted by stream, then column.
    """
    begin = max(0, first - history)
    tried = np.flatnonzero((first - began >= least) & (denied.total(first - WIDTHS[-1], end) > 0))
    parts = []
    for low in range(0, tried.size, BLOCK):
        chosen = tried[low : low + BLOCK]
        x, n = denied.take(chosen).dense(begin, end), decided.take(chosen).dense(begin, end)
        out = np.zeros(x[:, : first - begin].shape, np.bool_)
        for row in range(chosen.size):
            leave_out(x[row, : first - begin], out[row])
        parts.append(_denials(x, n, out, first - begin, rate).of(chosen))
    found = Cells.joined(parts)
    return replace(found, column=found.column + begin)


def _denials(x: Float64, n: Float64, out: Bool, first: int, rate: float) -> Cells:
    past = _Past.of(x[:, :first], n[:, :first], out)
    shape = (len(WIDTHS), x.shape[0], x.shape[1] - first)
    p, part, whole = np.ones(shape), np.zeros(shape), np.zeros(shape)
    spread = np.ones((len(WIDTHS), x.shape[0]))
    for index, width in enumerate(WIDTHS):
        parts, wholes = _windows(x, width), _windows(n, width)
        clean = _windows(out.astype(np.float64), width) == 0.0
        own, most = past.spread_and_most(parts[:, :first], wholes[:, :first], clean, width)
        spread[index] = np.maximum(own, spread[max(index - 1, 0)])
        part[index], whole[index] = parts[:, first:], wholes[:, first:]
        odd = past.too_many(part[index], whole[index], most)
        if width >= GATED_FROM:
            quarter = width // QUARTER
            newest = past.excess(_windows(x, quarter), _windows(n, quarter))[:, first:]
            odd &= newest >= FAIR_PART * past.excess(part[index], whole[index])
        where = np.nonzero(odd)
        p[index][where] = np.minimum(1.0, len(WIDTHS) * tails.share_at_least(
            part[index][where],
 whole[index][where],
 past.share[where[0]],
 spread[index, where[0]],
        ))  # fmt: skip
    best = p.argmin(axis=0)
    row, at = np.nonzero(p.min(axis=0) <= rate)
    of = (best[row, at], row, at)
    expected = past.share[row]
    low, high = tails.share_bounds(rate / len(WIDTHS), whole[of], expected, spread[of[0], row])
    return Cells(
        row, at + first, p[of], score_of(p[of], rate), part[of] / whole[of], expected,
        low / whole[of], high / whole[of],
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Past:
    """What the history says of each stream.

    Attributes:
        denied: denials.
        share: of denials among decisions.
        known: there were decisions enough to say.
    """

    denied: Float64
    share: Float64
    known: Bool

    @classmethod
    def of(cls, x: Float64, n: Float64, out: Bool) -> Self:
        denied, decided = (np.where(out, 0.0, values).sum(axis=1) for values in (x, n))
        share = (denied + HALF_AN_EVENT) / (decided + 1.0)
        return cls(denied, share, decided >= LEAST_DECISIONS)

    def excess(self, part: Float64, whole: Float64) -> Float64:
        """Denials beyond those that the share makes."""
        return part - whole * self.share[:, None]

    def strength(self, part: Float64, whole: Float64) -> Float64:
        """Excess of denials in standard deviations of independent ones."""
        share = self.share[:, None]
        return self.excess(part, whole) / np.sqrt(whole * share * (1.0 - share) + 1.0)

    def spread_and_most(
        self, part: Float64, whole: Float64, clean: Bool, width: int
    ) -> tuple[Float64, Float64]:
        """The spread in windows of the history, and the greatest strength there."""
        share = self.share
        squares = np.where(clean, self.excess(part, whole) ** 2, 0.0).sum(axis=1)
        alone = np.where(clean, whole, 0.0).sum(axis=1) * share * (1.0 - share)
        own = squares / np.maximum(alone, _TINY)
        own *= 1.0 + 2.0 * np.sqrt(2.0 * width / max(part.shape[1], 1))
        mixed = (OF_ITS_OWN * USUAL_SPREAD + self.denied * own) / (OF_ITS_OWN + self.denied)
        most = np.where(clean, self.strength(part, whole), 0.0).max(axis=1, initial=0.0)
        return np.maximum(mixed, 1.0), most

    def too_many(self, part: Float64, whole: Float64, most: Float64) -> Bool:
        """Where denials are more than a matter of taste, and more than there ever were."""
        usual = whole * self.share[:, None]
        enough = np.maximum(LEAST_RATIO * usual, usual + LEAST_EXCESS)
        more = self.strength(part, whole) > most[:, None]
        return np.asarray((part >= enough) & more & self.known[:, None])


def _windows(values: Float64, width: int) -> Float64:
    """Sums of the last `width` columns, of as many as there are."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    past = np.maximum(np.arange(values.shape[1]) + 1 - width, 0)
    return np.asarray(sums[:, 1:] - sums[:, past])
