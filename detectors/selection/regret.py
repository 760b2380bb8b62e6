"""What a choice costs against the best in hindsight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.selection.faults import FaultKind
from detectors.selection.judge import Judged
from detectors.selection.means import kind_means, no_louder, overall_means


@dataclass(frozen=True, slots=True)
class Regret:
    """What a choice costs on faults that it was not made on.

    Attributes:
        best: the candidate with the best mean there: the best in hindsight.
        overall: VUS-PR of that one above the chosen one's, 0 = it was chosen.
        quiet: the same, against the best of those that raise no more false alarms there.
        by_kind: the same for each kind of fault alone, whose best may be another each.
    """

    best: str
    overall: float
    quiet: float
    by_kind: Mapping[FaultKind, float]


def regret(held_out: Judged, chosen: str) -> Regret:
    """What the choice costs, by faults of another seed in another range than it was made on.

    The best in hindsight is the greatest of several noisy means, so that a regret is on average
    too large rather than too small.
    """
    own = held_out.candidates.index(chosen)
    means = kind_means(held_out.vus)
    overall = np.nan_to_num(overall_means(means), nan=0.0)
    best = int(overall.argmax())
    by_kind = {
        kind: float(means[:, place].max() - means[own, place])
        for place, kind in enumerate(held_out.kinds)
        if np.isfinite(means[:, place]).all()
    }
    best_quiet = np.where(no_louder(held_out, own), overall, -np.inf).max()
    return Regret(
        best=held_out.candidates[best],
        overall=float(overall[best] - overall[own]),
        quiet=float(best_quiet - overall[own]),
        by_kind=by_kind,
    )
