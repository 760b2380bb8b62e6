"""Detection on one file, without a lake.

The time axis is the order of a series' rows: irregular files need no grid, and a row's score can
depend on nothing that stands after it. With `by`, the axis is the distinct times of an entity.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors import Detector, DetectorsError, Panel, Scores, build
from detectors.novelty import score_online
from lake.external import read_samples
from orchestration.adapters import holdable
from orchestration.errors import DetectFileError
from orchestration.steps.file_columns import (
    BANDS,
    OUTCOMES,
    SELECTED,
    Job,
    labels_of,
    splitting,
    trained_later,
)

Progress = Callable[[float], None]
Warn = Callable[[str], None]
Mask = npt.NDArray[np.bool_]

TRAIN_SHARE = 0.15
"""Without `train_where`, the first 15 % of each series are taken as clean: NAB's rule."""

MOST_TRAINING = 750
"""Rows that are taken as clean for what goes on learning: the rest of NAB's rule. A model that
learns once has more of a longer beginning."""

BLOCK_CELLS = 20_000_000
"""Cells of a panel at once: 80 MB of float32, a few times that while it is scored."""

# Our own columns beside the file's: a leading double underscore keeps clear of its names.
ROW, SERIES, ENTITY = "__row", "__series", "__entity"

STEP_US = 60_000_000
"""Columns are ordinal; a panel still wants a step."""

NOVELTY = "novelty"
"""Names what scores a series that nobody has said more about: it learns as it goes, so that the
beginning need not stand for all of it. Where clean history is selected, a model of that is used."""


def detect_file(
    job: Job, progress: Progress = lambda _: None, warn: Warn = lambda _: None
) -> pl.DataFrame:
    """Scores for every row of the file, in its order.

    A row's score depends on earlier rows and itself only, as long as the training rows come first.
    Where `train_where` selects rows after ones that are scored, `warn` is told.

    Returns:
        Per series: the label columns, `timestamp`, `score` (1.0 = threshold; 0 = nothing to say:
        training rows, warm-up, no data), `expected`, `lower`, `upper` (null where unknown). With
        `by`: one row an entity and time, with the entity, `timestamp`, `score`.

    Raises:
        FileFormatError, QueryError: see `lake.external.read_samples`.
        DetectFileError: a column named by `by` or `ignore` is not there or cannot be that, a label
            is called like one of ours, a row has no time, or nothing can be learned from.
        DetectorsError: an unknown detector.
    """
    rows = read_samples(job.path, predicate=job.train_where)
    labels = labels_of(rows, job)
    frame = pl.DataFrame(rows)
    if frame["timestamp"].null_count():
        raise DetectFileError(f"{job.path}: {frame['timestamp'].null_count()} rows have no time")
    for name in splitting(frame, labels, job):
        warn(f"column {name!r} parts every series into training and the rest: it is no label")
        labels.remove(name)
    late = trained_later(frame, [job.by] if job.by else labels) if job.train_where else 0
    if late:
        warn(
            f"{late} {job.by or 'series'} learn from rows after ones that are scored: "
            "their scores are not causal"
        )
    frame = frame.with_row_index(ROW)
    if job.by is None:
        return _per_series(frame, labels, job, progress)
    return _per_entity(frame, labels, job.by, job, progress)


def _number(frame: pl.DataFrame, labels: Sequence[str], name: str) -> pl.DataFrame:
    """Number the distinct values of some columns in order of appearance."""
    if not labels:
        return frame.with_columns(pl.lit(0, pl.Int64).alias(name))
    distinct = frame.select(labels).unique(maintain_order=True)
    distinct = distinct.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(name))
    return frame.join(distinct, on=labels, how="left", nulls_equal=True, maintain_order="left")


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
    for block in _blocks(lengths):
        inside = np.isin(series, block)
        place = np.searchsorted(block, series[inside])
        panel_values = np.full((len(block), int(lengths[block].max())), np.nan, np.float32)
        panel_values[place, column[inside]] = values[inside]
        mask = np.zeros(panel_values.shape, bool)
        mask[place, column[inside]] = training[inside]
        if _is_novelty(job):
            scores = score_online(panel_values, mask)
        else:
            scores = _fit_and_score(_build(job, "series"), panel_values, mask, job)
        for name in results:
            array = getattr(scores, name)
            if array is not None:
                results[name][inside] = array[place, column[inside]]
        rows_done += int(inside.sum())
        progress(rows_done / len(series))
    return _assemble(frame, labels, training, results).sort(ROW).drop(ROW)


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
    return pl.concat(done).sort(ROW).drop(ROW)


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


def _build(job: Job, scope: str) -> Detector:
    name = job.detector or ("window_memory" if scope == "series" else "entity_memory")
    if name == NOVELTY:
        raise DetectFileError(f"detector {name!r} scores single series: use it without --by COLUMN")
    detector = build(name, scope=scope) if name.startswith("pyod.") else build(name)
    if detector.scope != scope:
        hint = "without --by" if scope == "entity" else "with --by COLUMN"
        raise DetectFileError(f"detector {name!r} scores {detector.scope}s: use it {hint}")
    return detector


def _is_novelty(job: Job) -> bool:
    return (job.detector or (None if job.train_where else NOVELTY)) == NOVELTY


def _fit_and_score(detector: Detector, values: np.ndarray, mask: Mask, job: Job) -> Scores:
    ids = np.arange(len(values))
    train = Panel(np.where(mask, values, np.nan), 0, STEP_US, ids)
    try:
        detector.fit(train)
    except DetectorsError as error:
        raise DetectFileError(f"cannot learn from {job.path}: {error}") from error
    return detector.score(Panel(values, 0, STEP_US, ids))
