"""What the columns of a file mean: times, values, labels, and what only tells clean rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from orchestration.errors import DetectFileError

SELECTED = "selected"
"""What `read_samples` calls the column of the predicate."""

BANDS = ("expected", "lower", "upper")
OUTCOMES = ("score", *BANDS)

TEXT = (pl.String, pl.Categorical)


@dataclass(frozen=True, slots=True)
class Job:
    """What to score and how.

    Attributes:
        path: Parquet or CSV.
        by: score all series of one value of this label together.
        ignore: text columns that are no labels.
        train_where: SQL predicate that selects clean history.
        detector: a name of `detectors.build`, or "novelty"; None = the one for the scope, and
            for series without `train_where` "novelty".
    """

    path: Path
    by: str | None = None
    ignore: Sequence[str] = ()
    train_where: str | None = None
    detector: str | None = None


def labels_of(rows: pa.Table, job: Job) -> list[str]:
    """The columns that name a series.

    Raises:
        DetectFileError: a column that the job names is not there or cannot be that, or a label is
            called like an outcome.
    """
    columns: list[str] = rows.column_names
    for name in (*job.ignore, *([job.by] if job.by else [])):
        if name not in columns:
            raise DetectFileError(f"{job.path} has no column {name!r}, only {', '.join(columns)}")
    if job.by in ("timestamp", "value"):
        raise DetectFileError(f"column {job.by!r} names no entity: it cannot be scored by")
    if job.by in job.ignore:
        raise DetectFileError(f"column {job.by!r} cannot be both ignored and scored by")
    if columns.count(SELECTED) > 1:
        raise DetectFileError(
            f"{job.path} has a column {SELECTED!r} of its own: rename it to train by a predicate"
        )
    text = [name for name, kind in pl.DataFrame(rows[:0]).schema.items() if kind in TEXT]
    labels = [name for name in text if name not in job.ignore]
    shown, outcomes = (labels, OUTCOMES) if job.by is None else ([job.by], OUTCOMES[:1])
    ours = next((name for name in shown if name in outcomes), None)
    if ours:
        raise DetectFileError(
            f"{job.path} has a label {ours!r}, which is also the name of an outcome: ignore it, "
            "or rename it"
        )
    return labels


def naming(job: Job, name: str) -> bool:
    """Whether the predicate may depend on a column of this name."""
    return job.train_where is not None and name in job.train_where


def splitting(frame: pl.DataFrame, labels: Sequence[str], job: Job) -> list[str]:
    """Labels that say which rows are clean, and nothing of what the series is.

    One that the predicate names, with which no series has both kinds of rows and without which some
    series has, while no two rows fall on one time that did not before.
    """
    found = []
    for name in labels if job.train_where else ():
        others = [label for label in labels if label != name]
        if name == job.by or not naming(job, name) or _mixed(frame, labels):
            continue
        times = (frame.select(*names, "timestamp").n_unique() for names in (labels, others))
        if _mixed(frame, others) and len(set(times)) == 1:
            found.append(name)
    return found


def _mixed(frame: pl.DataFrame, labels: Sequence[str]) -> bool:
    """Whether a series has training rows and others."""
    both = pl.col(SELECTED).any() & ~pl.col(SELECTED).all()
    grouped = frame.group_by(labels).agg(both) if labels else frame.select(both)
    return bool(grouped[SELECTED].any())


def trained_later(frame: pl.DataFrame, keys: Sequence[str]) -> int:
    """How many series or entities have a training row after a row that is scored."""
    time, selected = pl.col("timestamp"), pl.col(SELECTED)
    spans = [
        time.filter(selected).max().alias("last"),
        time.filter(~selected).min().alias("first"),
    ]
    grouped = frame.group_by(keys).agg(spans) if keys else frame.select(spans)
    return grouped.filter(pl.col("first") < pl.col("last")).height
