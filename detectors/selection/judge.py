"""How well candidates find known faults in a family's own history.

Each candidate is fitted on the first part of a clean history and scores the second: once as it is,
where every interval is a false alarm, and once for each kind of fault that is put into it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from detectors.base import Scores
from detectors.errors import InvalidParameterError
from detectors.evaluation.events import EventCounts, count_events
from detectors.evaluation.vus import vus_pr
from detectors.families import Limits
from detectors.intervals import Intervals, find_intervals
from detectors.selection.faults import KINDS, FaultKind, Injected, inject
from detectors.selection.scorers import Candidate, Fold, Kept, Sample, scorer_of
from detectors.selection.shape import Shape, shape_of

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

# Correlation with a sibling over the history that makes a decoupling from it visible.
LEAST_COUPLING = 0.5
# A row with fewer columns with data to fit on says nothing of a detector.
LEAST_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """How to judge.

    Attributes:
        seed: of the faults.
        rounds: times that each kind is put into every series anew.
        events: faults a series and round.
        buffer: widest buffer of the VUS-PR, in columns: half of it is how early or late is fine.
        stride: of the buffer's widths, every such one.
        min_length: columns over the threshold that make an interval.
        merge_gap: columns between intervals that still are one.
        columns_a_day: to tell false alarms a day.
    """

    seed: int = 0
    rounds: int = 1
    events: int = 2
    buffer: int = 60
    stride: int = 10
    min_length: int = 5
    merge_gap: int = 30
    columns_a_day: float = 1440.0


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What each candidate made of the faults.

    Attributes:
        candidates: their names, C of them.
        kinds: of fault, K of them.
        vus: VUS-PR `[C, K, n_targets, rounds]`, NaN where there was no such fault.
        recall: share of the faults that an interval touches, same shape.
        false: intervals in the untouched part, `[C]`.
        alarmed: columns within them, `[C]`.
        days: series-days of that part.
        seconds: of processor time to fit and to score the untouched part, `[C]`.
        values: how many values that were.
        failures: of candidates that raised something, which claim nothing then, the first.
    """

    candidates: tuple[str, ...]
    kinds: tuple[FaultKind, ...]
    vus: Float64
    recall: Float64
    false: Int64
    alarmed: Int64
    days: float
    seconds: Float64
    values: int
    failures: Mapping[str, str] = field(default_factory=dict)

    def only(self, names: Sequence[str]) -> Judged:
        """The figures of some of the candidates."""
        rows = np.array([self.candidates.index(name) for name in names], np.int64)
        return replace(
            self,
            candidates=tuple(names),
            vus=self.vus[rows],
            recall=self.recall[rows],
            false=self.false[rows],
            alarmed=self.alarmed[rows],
            seconds=self.seconds[rows],
        )


def judge(
    sample: Sample,
    candidates: Sequence[Candidate],
    fold: Fold,
    plan: Plan,
    clock: Callable[[], float],
    told: Callable[[float], None] = lambda _: None,
    kept: Kept | None = None,
) -> Judged:
    """Fit every candidate, and score what is clean and what has faults.

    Args:
        sample: of the family.
        candidates: at least one; each sees the same faults.
        fold: columns of the sample's panel.
        plan: how many faults, and what counts as found.
        clock: seconds of processor time.
        told: the share that is done.
        kept: models of entities that other families of the same history have been judged by; those
            of this one are added. Their cost counts for the family that fits them.

    Raises:
        InvalidParameterError: if the fold is not part of the panel or has too few columns to fit.
        DetectorsError: a candidate cannot be built.
    """
    if not 0 <= fold.begin < fold.split - LEAST_COLUMNS < fold.end <= sample.panel.n_times:
        rule = f"needs {LEAST_COLUMNS} columns to fit of the {sample.panel.n_times} of the panel"
        raise InvalidParameterError("fold", fold, rule)
    clean = sample.panel.values[sample.targets, fold.begin : fold.end]
    faults = _faults(sample, clean, fold, plan)
    shape = (len(candidates), len(KINDS), len(sample.targets), plan.rounds)
    vus, recall = np.full(shape, np.nan), np.full(shape, np.nan)
    false, alarmed = np.zeros((2, len(candidates)), dtype=np.int64)
    seconds = np.zeros(len(candidates))
    failures: dict[str, str] = {}
    for number, candidate in enumerate(candidates):
        began = clock()
        models = {} if kept is None else kept
        scorer = scorer_of(candidate, sample, fold, models, failures.setdefault, plan.min_length)
        untouched = scorer(clean)
        seconds[number] = clock() - began
        raised = _intervals(untouched, plan)
        false[number], alarmed[number] = len(raised), int((raised.end - raised.start).sum())
        for (kind, turn), injected in faults.items():
            labels = injected.labels[:, fold.split - fold.begin :]
            scores = scorer(injected.values)
            place = (number, KINDS.index(kind), slice(None), turn)
            vus[place] = _vus(scores, labels, plan)
            recall[place] = [one.recall for one in _events(scores, labels, plan)]
        told((number + 1) / len(candidates))
    days = len(sample.targets) * (fold.end - fold.split) / plan.columns_a_day
    names = tuple(candidate.name for candidate in candidates)
    return Judged(names, KINDS, vus, recall, false, alarmed, days, seconds, clean.size, failures)


def _faults(
    sample: Sample, clean: Float32, fold: Fold, plan: Plan
) -> dict[tuple[FaultKind, int], Injected]:
    first = fold.split - fold.begin
    shape: Shape = shape_of(clean[:, :first], _limits(sample))
    coupled = coupled_rows(sample, fold)
    faults = {}
    for kind in KINDS:
        for turn in range(plan.rounds):
            # Rounds of one seed never meet those of the next: 1,000 are more than anyone has.
            seed = 1000 * plan.seed + turn
            found = inject(kind, clean, first, shape, seed, events=plan.events, coupled=coupled)
            if found.labels.any():
                faults[kind, turn] = found
    return faults


def _limits(sample: Sample) -> Limits | None:
    if sample.limits is None:
        return None
    return sample.limits.take(sample.limits.rows_of(sample.panel.series_id[sample.targets]))


def coupled_rows(sample: Sample, fold: Fold) -> Bool:
    """Return which targets go along with a sibling of an entity of theirs."""
    values = sample.panel.values[:, fold.begin : fold.split].astype(np.float64)
    coupled = np.zeros(len(sample.targets), dtype=np.bool_)
    for entities in sample.entities.values():
        for place, (target, rows) in enumerate(zip(sample.targets, entities, strict=True)):
            others = rows[rows != target]
            if others.size and not coupled[place]:
                found = _correlations(values[target], values[others])
                coupled[place] = bool((np.abs(found) >= LEAST_COUPLING).any())
    return coupled


def _correlations(one: Float64, others: Float64) -> Float64:
    both = np.isfinite(one) & np.isfinite(others)
    count = np.maximum(both.sum(axis=1), 1)

    def centred(values: Float64) -> Float64:
        held = np.where(both, values, 0.0)
        return np.where(both, held - (held.sum(axis=1) / count)[:, None], 0.0)

    first, second = centred(np.broadcast_to(one, others.shape)), centred(others)
    power = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    found: Float64 = (first * second).sum(axis=1) / np.where(power > 0.0, power, np.inf)
    return found


def _vus(scores: Float32, labels: Bool, plan: Plan) -> Float64:
    found = np.full(len(scores), np.nan)
    # Where a detector cannot tell, it claims nothing.
    claimed = np.where(np.isfinite(scores), scores, np.float32(0.0))
    for row in np.flatnonzero(labels.any(axis=1)):
        found[row] = vus_pr(labels[row], claimed[row], plan.buffer, plan.stride)
    return found


def _intervals(scores: Float32, plan: Plan) -> Intervals:
    return find_intervals(Scores(scores, np.ones_like(scores)), plan.min_length, plan.merge_gap)


def _events(scores: Float32, labels: Bool, plan: Plan) -> list[EventCounts]:
    """Return what each row's intervals make of its labels."""
    found = _intervals(scores, plan)
    counts = []
    for row in range(len(scores)):
        own = found.row == row
        counts.append(
            count_events(found.start[own], found.end[own], labels[row], plan.columns_a_day)
        )
    return counts
