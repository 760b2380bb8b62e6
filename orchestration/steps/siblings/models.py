"""What is usual between siblings, fitted at set times, and how columns are judged by it.

What is usual is learned anew at every multiple of `refit_every` since 1970, from the history before
it. So a column is judged alike whether it is looked at minute by minute, in one pass, or after a
restart; and a workload is judged from the first such time on at which it has `least_history`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from detectors import Intervals, Panel, Scores
from detectors.abnormal_cells import AbnormalCells, abnormal_cells
from detectors.families import HARMLESS_SCORE, gate
from detectors.siblings import LOOK_BACK, Usual, learn
from detectors.thresholds import Calibration
from lake import TimeRange
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps.anomaly_rows import thing
from orchestration.steps.panels import align
from orchestration.steps.siblings.members import Members
from orchestration.steps.siblings.rows import read_rows
from orchestration.steps.training import Flagged, learnable

CHOSEN = DetectorSettings(name="siblings")
"""Its name in `anomalies`, as of a detector."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a block's rows did over a range, as trailing means, and how that is judged.

    `fit` is of the newest columns.
    """

    rows: Panel
    scores: Scores
    fit: Calibration


@dataclass(frozen=True, slots=True)
class Departures:
    """The intervals of a block, and the cell of each one's peak."""

    cells: AbnormalCells
    intervals: Intervals
    peaks: npt.NDArray[np.int64]


def fitted_for(between: TimeRange, refit_every: timedelta) -> Iterator[tuple[datetime, TimeRange]]:
    """When the models were fitted that judge a range, and what of it each judges.

    >>> from lake.timerange import from_micros
    >>> hour = 3_600_000_000
    >>> range_ = TimeRange(from_micros(5 * hour), from_micros(7 * hour))
    >>> for at, part in fitted_for(range_, timedelta(hours=6)):
    ...     print(f"{at:%H}: {part.start:%H} to {part.end:%H}")
    00: 05 to 06
    06: 06 to 07
    """
    start = between.start
    while start < between.end:
        fitted = align(start, refit_every)
        end = min(fitted + refit_every, between.end)
        yield fitted, TimeRange(start, end)
        start = end


def fit(
    snapshot: Snapshot,
    block: Members,
    settings: DetectionSettings,
    until: datetime,
    known: Flagged,
    rate: float,
) -> Usual:
    """Learn what is usual in a block from the history before a time, but for what was flagged."""
    start = align(until - settings.history, settings.step)
    reach = TimeRange(start - LOOK_BACK * settings.step, align(until, settings.step))
    rows, _ = read_rows(snapshot, block, reach, settings.step)
    panel = rows.steady.window(to_micros(start), rows.steady.end)
    things = [
        thing({"cluster": cluster, "detector": CHOSEN.name, "series_id": one})
        for cluster, one in zip(block.clusters(), block.row_id.tolist(), strict=True)
    ]
    clean = learnable(panel, things, known, settings.least_history)
    return learn(clean, block.bounds, rate)


def judge(
    snapshot: Snapshot,
    block: Members,
    settings: DetectionSettings,
    between: TimeRange,
    usual: Callable[[datetime, Judged | None], Usual],
) -> Judged:
    """Score a block's rows over a range.

    Args:
        snapshot: where the samples are.
        block: whole groups.
        settings: which step, and how often models are fitted.
        between: whole columns.
        usual: gives the model that was fitted at a time, told what of the range was judged before.
    """
    reach = TimeRange(between.start - LOOK_BACK * settings.step, between.end)
    rows, _ = read_rows(snapshot, block, reach, settings.step)
    limits = block.limits()
    done: Judged | None = None
    for at, part in fitted_for(between, settings.refit_every):
        own = rows.steady.window(to_micros(part.start), to_micros(part.end))
        scores, fit = usual(at, done).judge(own, block.bounds)
        # Trailing means move too little from column to column for a harm to be held.
        scores = gate(scores, own, limits, fit.p_values_at(HARMLESS_SCORE))
        one = Judged(own, scores, fit)
        done = one if done is None else _after(done, one)
    assert done is not None  # noqa: S101 - bug: a range has columns
    return done


def _after(first: Judged, second: Judged) -> Judged:
    def both(
        one: npt.NDArray[np.float32] | None, other: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.float32]:
        assert one is not None and other is not None  # noqa: S101, PT018 - bug: all are known
        return np.concatenate([one, other], axis=1)

    one, other = first.scores, second.scores
    scores = Scores(
        both(one.score, other.score),
        both(one.p_value, other.p_value),
        both(one.expected, other.expected),
        both(one.lower, other.lower),
        both(one.upper, other.upper),
    )
    values = both(first.rows.values, second.rows.values)
    rows = Panel(values, first.rows.start, first.rows.step, first.rows.series_id)
    return Judged(rows, scores, second.fit)


def departures(judged: Judged, settings: DetectionSettings) -> Departures:
    """Which rows depart, and when."""
    scores = judged.scores
    # Thresholds stay where they are: the siblings of a row are in other clusters, so that what is
    # wrong in one of them is no sign of the same fault in another row.
    cells = abnormal_cells(scores, scores, scores, judged.rows, judged.fit)
    return Departures(cells, *cells.intervals(settings.min_length, settings.merge_gap))


def with_found(
    known: Flagged, block: Members, judged: Judged | None, settings: DetectionSettings
) -> Flagged:
    """What was flagged before, and what is found in the same pass: the lake does not hold it."""
    if judged is None:
        return known
    found = departures(judged, settings)
    stretches = {one: list(spans) for one, spans in known.stretches.items()}
    clusters = block.clusters()
    start, step = judged.rows.start, settings.step // MICROSECOND
    rows = found.cells.row[found.peaks]
    spans = (rows, found.intervals.start * step + start, found.intervals.end * step + start)
    for row, low, high in zip(*(each.tolist() for each in spans), strict=True):
        own = {
            "cluster": clusters[row],
            "detector": CHOSEN.name,
            "series_id": int(block.row_id[row]),
        }
        stretches.setdefault(thing(own), []).append((low, high))
    return Flagged(stretches, known.digest)
