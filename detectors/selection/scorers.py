"""Candidates fitted on a clean history, as functions from a family's values to their scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.base import Detector, Scores
from detectors.errors import NoTrainingDataError
from detectors.families import Limits, gate
from detectors.panel import Panel

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to score the family.

    Attributes:
        name: what a report calls it.
        make: gives it unfitted, at the false-alarm rate that it would have when it is used.
        by: the kind of entity that it scores as one, None = each series alone.
    """

    name: str
    make: Callable[[], Detector]
    by: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Series of one family, with the siblings that entity detectors look at.

    Attributes:
        panel: all of them, NaN where a model must not learn.
        targets: int64, the rows of the family; faults are put into these alone.
        entities: by kind of entity, of each target the rows of its entity, itself among them.
        limits: of the panel's series, which deviations do harm; None = all.
    """

    panel: Panel
    targets: Int64
    entities: Mapping[str, Sequence[Int64]]
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """Columns `[begin, split)` are fitted on, `[split, end)` are scored."""

    begin: int
    split: int
    end: int


Scorer = Callable[[Float32], Float32]
"""Of the targets' values over the fold, `[n_targets, end - begin]`, the scores of its scored part:
each row's faults as if it were the only one with any."""

Told = Callable[[str, str], object]
"""Told of a candidate what it raised."""

Kept = dict[tuple[str, Fold, bytes], Detector | None]
"""Fitted models of entities, None = it could not be fitted, by candidate, fold and series."""


def scorer_of(
    candidate: Candidate, sample: Sample, fold: Fold, kept: Kept, told: Told, hold: int = 1
) -> Scorer:
    """Fit a candidate on the fold's first part; return what scores its second.

    Scores are those that would be told: what does no harm reaches no threshold.

    Args:
        candidate: unfitted.
        sample: of the family.
        fold: columns of its panel.
        kept: models of entities, see `Kept`.
        told: of what it raises; it claims nothing then.
        hold: columns for which harm lasts, see `detectors.families.gate`.
    """
    shape = (len(sample.targets), fold.end - fold.split)

    def nothing(error: Exception) -> Float32:
        told(candidate.name, f"{type(error).__name__}: {error}")
        return np.full(shape, np.nan, dtype=np.float32)

    # What cannot be made at all is an error of the caller's.
    candidate.make()
    try:
        if candidate.by is None:
            scorer = _alone(candidate, sample, fold, hold)
        else:
            scorer = _together(candidate, sample, fold, kept, hold)
    except Exception as error:  # noqa: BLE001 - a user's detector may raise anything
        why = error
        return lambda values: nothing(why)

    def sheltered(values: Float32) -> Float32:
        try:
            return scorer(values)
        except Exception as error:  # noqa: BLE001 - see above
            return nothing(error)

    return sheltered


def _told(detector: Detector, panel: Panel, limits: Limits | None, hold: int) -> Scores:
    scores = detector.score(panel)
    if limits is None:
        return scores
    # P-values are not asked for.
    return gate(scores, panel, limits, np.ones(len(scores.score), np.float32), hold)


def _alone(candidate: Candidate, sample: Sample, fold: Fold, hold: int) -> Scorer:
    ids = sample.panel.series_id[sample.targets]
    step = sample.panel.step

    def panel(values: Float32, first: int, end: int) -> Panel:
        return Panel(values[:, first:end], first * step, step, ids)

    split, end = fold.split - fold.begin, fold.end - fold.begin
    clean = sample.panel.values[sample.targets, fold.begin : fold.end]
    detector = candidate.make().fit(panel(clean, 0, split))
    first = max(split - detector.context - hold + 1, 0)

    def scorer(values: Float32) -> Float32:
        told = _told(detector, panel(values, first, end), sample.limits, hold)
        return told.score[:, split - first :]

    return scorer


def _together(candidate: Candidate, sample: Sample, fold: Fold, kept: Kept, hold: int) -> Scorer:
    split, end = fold.split - fold.begin, fold.end - fold.begin
    whole, step = sample.panel.values[:, fold.begin : fold.end], sample.panel.step
    entities = sample.entities.get(candidate.by or "", [])

    def panel(values: Float32, rows: Int64, first: int, last: int) -> Panel:
        return Panel(values[:, first:last], first * step, step, sample.panel.series_id[rows])

    def key(rows: Int64) -> tuple[str, Fold, bytes]:
        return candidate.name, fold, sample.panel.series_id[rows].tobytes()

    for rows in entities:
        if key(rows) not in kept:
            kept[key(rows)] = _fitted(candidate, panel(whole[rows], rows, 0, split))

    def scorer(values: Float32) -> Float32:
        out = np.full((len(sample.targets), end - split), np.nan, dtype=np.float32)
        for place, rows in enumerate(entities):
            detector = kept[key(rows)]
            if detector is None:
                continue
            own = whole[rows]
            own[rows == sample.targets[place]] = values[place]
            first = max(split - detector.context - hold + 1, 0)
            told = _told(detector, panel(own, rows, first, end), sample.limits, hold)
            out[place] = told.score[0, split - first :]
        return out

    return scorer


def _fitted(candidate: Candidate, panel: Panel) -> Detector | None:
    """Return the entity's model; None where none of its columns can be learned from."""
    if panel.n_series == 0:
        return None
    try:
        return candidate.make().fit(panel)
    except NoTrainingDataError:
        return None
