"""The history of a choice, cut into what is learned and three parts with faults."""

from dataclasses import dataclass

from detectors.selection import Fold
from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings
from orchestration.errors import ChoosingError
from orchestration.steps import clean_history
from orchestration.steps.panels import align

PARTS = 3
"""One to nominate, one to confirm, one to tell the regret: none is used twice."""

LEAST_PART = 112
"""Columns that a part with faults must have: a third of what half of 672 leaves."""


@dataclass(frozen=True, slots=True)
class History:
    """The range of a choice, and its parts in columns: each is scored by what is before it."""

    between: TimeRange
    folds: tuple[Fold, ...]


def parts_of(snapshot: Snapshot, settings: DetectionSettings, between: TimeRange) -> History:
    """Cut a range: `history` to learn from, at most half, and three equal parts.

    Args:
        snapshot: of the lake.
        settings: how much detection learns from, in which step.
        between: shortened to what there is, in whole columns.

    Raises:
        ChoosingError: there is too little.
    """
    first = clean_history.first_sample(snapshot)
    step = settings.step
    if first is None:
        raise ChoosingError("the lake holds no samples yet")
    end = align(between.end, step)
    start = max(align(between.start, step), align(first, step) + step)
    columns = max((end - start) // step, 0)
    trained = min(settings.history // step, columns // 2)
    part = (columns - trained) // PARTS
    if part < LEAST_PART or trained * step < settings.least_history / 2:
        needed = max(settings.least_history, 2 * PARTS * LEAST_PART * step)
        raise ChoosingError(
            f"{columns * step} of history, {needed} needed: half to learn from, and three parts to "
            "put faults into (to nominate a detector, confirm it, tell what the choice costs): ask "
            "for a longer range, or wait for it"
        )
    whole = TimeRange(end - (trained + PARTS * part) * step, end)
    folds = (
        Fold(number * part, number * part + trained, (number + 1) * part + trained)
        for number in range(PARTS)
    )
    return History(whole, tuple(folds))
