"""Scores of a file's rows: panels in blocks, each series or entity by its own order of rows.

The time axis is the order of a series' rows: irregular files need no grid, and a row's score can
depend on nothing that stands after it. With `by`, the axis is the distinct times of an entity.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors import Detector, DetectorsError, Panel, Scores
from detectors.borrowed import PooledDetector
from detectors.catalogue import build_for
from detectors.novelty import score_online
from lake.external import ROW
from orchestration.adapters import holdable
from orchestration.detection_settings import DetectorSettings
from orchestration.errors import DetectFileError
from orchestration.steps.file_columns import BANDS, OUTCOMES, SELECTED, Job
from orchestration.steps.lawful import require_lawful

Progress = Callable[[float], None]
Mask = npt.NDArray[np.bool_]
ScoreBlock = Callable[[np.ndarray, Mask], Scores]
"""Values `[n_series, n_rows]` and which of them are training; returns their scores."""

TRAIN_SHARE = 0.15
"""Without `train_where`, the first 15 % of each series are taken as clean: NAB's rule."""

MOST_TRAINING = 750
"""Rows that are taken as clean for what goes on learning: the rest of NAB's rule. A model that
learns once has more of a longer beginning."""

BLOCK_CELLS = 20_000_000
"""Cells of a panel at once: 80 MB of float32, a few times that while it is scored."""

# Our own columns beside the file's: a leading double underscore keeps clear of its names.
SERIES, ENTITY = "__series", "__entity"

FAMILY = "metric"
"""The label that says which series one pooled model is for."""

STEP_US = 60_000_000
"""Columns are ordinal; a panel still wants a step."""

NOVELTY = "novelty"
"""Names what scores a series that nobody has said more about: it learns as it goes, so that the
beginning need not stand for all of it. Where clean history is selected, a model of that is used."""


def _number(frame: pl.DataFrame, labels: Sequence[str], name: str) -> pl.DataFrame:
    """Number the distinct values of some columns in order of appearance."""
    if not labels:
        return frame.with_columns(pl.lit(0, pl.Int64).alias(name))
    distinct = frame.select(labels).unique(maintain_order=True)
    distinct = distinct.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(name))
    return frame.join(distinct, on=labels, how="left", nulls_equal=True, maintain_order="left")


def score_frame(
    frame: pl.DataFrame, labels: list[str], job: Job, progress: Progress
) -> pl.DataFrame:
    """Scores of every row, by `ROW`; see `detect_file`.

    Args:
        frame: the file's rows, or all rows of some of its series, numbered in the column `ROW`.
        labels: columns that name a series.
        job: what to score and how.
        progress: told the share that is done.
    """
    if job.by is None:
        return _per_series(frame, labels, job, progress)
    return _per_entity(frame, labels, job.by, job, progress)


def _per_series(
    frame: pl.DataFrame, labels: list[str], job: Job, progress: Progress
) -> pl.DataFrame:
    frame = _number(frame, labels, SERIES).sort(SERIES, "timestamp", maintain_order=True)
    series = frame[SERIES].to_numpy()
    starts = np.flatnonzero(np.diff(series, prepend=-1))
    lengths = np.diff(np.append(starts, len(series)))
    column = np.arange(len(series)) - np.repeat(starts, lengths)
    values = holdable(frame["value"].to_numpy())
    training = _training(frame, column, np.repeat(lengths, lengths), job)
    results = {name: np.full(len(series), np.nan, np.float32) for name in OUTCOMES}
    rows_done = 0
    for block, score in _work(frame, labels, starts, lengths, job):
        inside = np.isin(series, block)
        place = np.searchsorted(block, series[inside])
        panel_values = np.full((len(block), int(lengths[block].max())), np.nan, np.float32)
        panel_values[place, column[inside]] = values[inside]
        mask = np.zeros(panel_values.shape, bool)
        mask[place, column[inside]] = training[inside]
        scores = score(panel_values, mask)
        for name in results:
            array = getattr(scores, name)
            if array is not None:
                results[name][inside] = array[place, column[inside]]
        rows_done += int(inside.sum())
        progress(rows_done / len(series))
    return _assemble(frame, labels, training, results).sort(ROW)


def _work(
    frame: pl.DataFrame, labels: Sequence[str], starts: np.ndarray, lengths: np.ndarray, job: Job
) -> Iterator[tuple[np.ndarray, ScoreBlock]]:
    """Series to be scored at once, and how."""
    if _is_novelty(job):
        yield from ((block, score_online) for block in _blocks(lengths))
        return

    def alone(values: np.ndarray, mask: Mask) -> Scores:
        return _fit_and_score(_build(job, "series"), values, mask, job)

    if not isinstance(_build(job, "series"), PooledDetector):
        yield from ((block, alone) for block in _blocks(lengths))
        return
    for family in _families(frame, labels, starts):
        pool = _Pool(job)
        yield from ((family[block], pool.score) for block in _blocks(lengths[family]))


def _families(frame: pl.DataFrame, labels: Sequence[str], starts: np.ndarray) -> list[np.ndarray]:
    """Numbers of the series of each metric, or of all where no label is called so."""
    if FAMILY not in labels or not len(starts):
        return [np.arange(len(starts))] if len(starts) else []
    of = frame[FAMILY][starts].rank("dense").fill_null(0).to_numpy()
    return [np.flatnonzero(of == one) for one in np.unique(of)]


class _Pool:
    """One model of a family: learned from the first block of it, which has the longest series."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._model: PooledDetector | None = None

    def score(self, values: np.ndarray, mask: Mask) -> Scores:
        train, whole = _panels(values, mask)
        if self._model is None:
            found = _fitted(_build(self._job, "series"), train, self._job)
            assert isinstance(found, PooledDetector)  # noqa: S101 - as `_work` has seen
            self._model = found
        return self._model.adopt(train).score(whole)


def _assemble(
    frame: pl.DataFrame, labels: list[str], training: Mask, results: dict[str, np.ndarray]
) -> pl.DataFrame:
    columns = [pl.Series("score", _settled(results["score"], training))]
    for name in BANDS:
        band = pl.Series(name, results[name].astype(np.float64)).fill_nan(None)
        columns.append(band.set(pl.Series(training), None))
    return frame.select(ROW, *labels, "timestamp").with_columns(columns)


def _settled(score: npt.NDArray[np.float32], training: Mask) -> npt.NDArray[np.float64]:
    return np.where(training | ~np.isfinite(score), 0.0, score.astype(np.float64))


def _per_entity(
    frame: pl.DataFrame, labels: list[str], by: str, job: Job, progress: Progress
) -> pl.DataFrame:
    frame = _number(frame, [by], ENTITY)
    frame = _number(frame, labels, SERIES)
    parts = frame.partition_by(ENTITY, maintain_order=True)
    done = [frame[:0].select(ROW, by, "timestamp", score=pl.lit(0.0))]
    for number, part in enumerate(parts, start=1):
        done.append(_one_entity(part, by, job))
        progress(number / len(parts))
    return pl.concat(done).sort(ROW)


def _one_entity(part: pl.DataFrame, by: str, job: Job) -> pl.DataFrame:
    times, column = np.unique(part["timestamp"].dt.epoch("us").to_numpy(), return_inverse=True)
    ids, place = np.unique(part[SERIES].to_numpy(), return_inverse=True)
    values = np.full((len(ids), len(times)), np.nan, np.float32)
    values[place, column] = holdable(part["value"].to_numpy())
    if job.train_where is not None:
        selected = np.zeros(len(times), bool)
        selected[column[part[SELECTED].to_numpy()]] = True
    else:
        selected = np.arange(len(times)) < _train_length(len(times))
    mask = np.broadcast_to(selected, values.shape)
    scores = _fit_and_score(_build(job, "entity"), values, mask, job)
    settled = _settled(scores.score[0], selected)
    first = part.unique("timestamp", keep="first", maintain_order=True)
    at = np.searchsorted(times, first["timestamp"].dt.epoch("us").to_numpy())
    return first.select(ROW, by, "timestamp").with_columns(pl.Series("score", settled[at]))


def _training(frame: pl.DataFrame, column: np.ndarray, length: np.ndarray, job: Job) -> Mask:
    if job.train_where is not None:
        return frame[SELECTED].to_numpy()
    clean = np.ceil(TRAIN_SHARE * length)
    return column < (np.minimum(clean, MOST_TRAINING) if _is_novelty(job) else clean)


def _train_length(n_times: int) -> int:
    return int(np.ceil(TRAIN_SHARE * n_times))


def _blocks(lengths: np.ndarray) -> list[np.ndarray]:
    """Series numbers in blocks of about `BLOCK_CELLS`, long ones with long ones."""
    order = np.argsort(-lengths, kind="stable")
    blocks, start = [], 0
    while start < len(order):
        many = max(1, BLOCK_CELLS // int(lengths[order[start]]))
        blocks.append(np.sort(order[start : start + many]))
        start += many
    return blocks


def _build(job: Job, scope: Literal["series", "entity"]) -> Detector:
    detector = build_for(scope, _name(job, scope))
    if detector.scope != scope:
        hint = "without --by" if scope == "entity" else "with --by COLUMN"
        raise DetectFileError(f"detector {job.detector!r} scores {detector.scope}s: use it {hint}")
    return detector


def _name(job: Job, scope: str) -> str:
    return job.detector or ("window_memory" if scope == "series" else "entity_memory")


def check(job: Job) -> None:
    """Refuse a detector that does not score what the job wants scored, or breaks a law.

    Raises:
        DetectFileError: it scores entities and is to score series, or the other way round.
        DetectorsError: it cannot be made, or breaks a law.
    """
    scope: Literal["series", "entity"] = "entity" if job.by else "series"
    if job.by and job.detector == NOVELTY:
        raise DetectFileError(
            f"detector {job.detector!r} scores single series: use it without --by COLUMN"
        )
    if not _is_novelty(job):
        _build(job, scope)
        require_lawful(DetectorSettings(name=_name(job, scope), by="pod" if job.by else None))


def _is_novelty(job: Job) -> bool:
    default = None if job.train_where or job.by else NOVELTY
    return (job.detector or default) == NOVELTY


def _panels(values: np.ndarray, mask: Mask) -> tuple[Panel, Panel]:
    """The panel to learn from, and the whole."""
    ids = np.arange(len(values))
    train = Panel(np.where(mask, values, np.nan), 0, STEP_US, ids)
    return train, Panel(values, 0, STEP_US, ids)


def _fitted(detector: Detector, train: Panel, job: Job) -> Detector:
    try:
        return detector.fit(train)
    except DetectorsError as error:
        raise DetectFileError(f"cannot learn from {job.path}: {error}") from error


def _fit_and_score(detector: Detector, values: np.ndarray, mask: Mask, job: Job) -> Scores:
    train, whole = _panels(values, mask)
    return _fitted(detector, train, job).score(whole)
