"""Detection on one file, without a lake: whole, or in parts where it is larger than memory."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from lake.external import ROW, Part, count_rows, read_samples
from orchestration.errors import DetectFileError
from orchestration.steps.file_columns import (
    Job,
    labels_of,
    naming,
    splitting,
    trained_later,
)
from orchestration.steps.file_scores import Progress, check, score_frame

Warn = Callable[[str], None]

PART_ROWS = 4_000_000
"""Rows of a file that are in memory at once: with their panels and scores about a gigabyte."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        rows: of the file.
        flagged: rows at or over the threshold.
        silent: every score is 0.
    """

    rows: int
    flagged: int
    silent: bool


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
        DetectorsError: an unknown detector, or one that breaks a law.
    """
    check(job)
    return _Reader(job, warn).scored(None, progress).drop(ROW)


def detect_file_to(
    job: Job,
    out: Path,
    progress: Progress = lambda _: None,
    warn: Warn = lambda _: None,
    part_rows: int = PART_ROWS,
) -> Written:
    """Write what `detect_file` returns to a file, in bounded memory.

    A file of more than `part_rows` rows is read in several passes. Each takes all rows of some of
    the series, or entities, so that scores are the same; a single one of more rows is not divided.
    What a pooled detector learns from is then the part.

    Args:
        job: what to score and how.
        out: .parquet or .csv; appears when it is complete.
        progress: told the share that is done.
        warn: told what is odd.
        part_rows: rows in memory at once, about.

    Raises:
        FileFormatError, QueryError, DetectFileError, DetectorsError: see `detect_file`.
    """
    check(job)
    # Beside the target: a reader never meets half a file.
    ready = out.with_name(f".{out.name}.part")
    reader = _Reader(job, warn)
    many = -(-count_rows(job.path) // part_rows)
    keys = reader.keys() if many > 1 else []
    try:
        if not keys:
            scores = reader.scored(None, progress)
            _write(scores.drop(ROW).lazy(), ready)
            written = _counted([scores])
        else:
            written = _in_parts(
                reader, [Part(one, many, keys) for one in range(many)], ready, progress
            )
        ready.replace(out)
    finally:
        ready.unlink(missing_ok=True)
    return written


def _in_parts(reader: "_Reader", parts: list[Part], ready: Path, progress: Progress) -> Written:
    with TemporaryDirectory(prefix=f".{ready.name}", dir=ready.parent) as folder:
        paths, counts = [], []
        for part in parts:

            def told(share: float, done: int = part.which) -> None:
                progress((done + share) / len(parts))

            scores = reader.scored(part, told)
            paths.append(Path(folder) / f"{part.which}.parquet")
            scores.write_parquet(paths[-1])
            counts.append(_counted([scores]))
        # Each part is in the file's order already: merged, not sorted.
        scans = [pl.scan_parquet(path) for path in paths]
        merged = reduce(lambda one, two: one.merge_sorted(two, ROW), scans)
        _write(merged.drop(ROW), ready)
    return Written(
        sum(one.rows for one in counts),
        sum(one.flagged for one in counts),
        all(one.silent for one in counts),
    )


def _counted(frames: list[pl.DataFrame]) -> Written:
    scores = pl.concat([frame.select("score") for frame in frames])["score"]
    return Written(len(scores), int((scores >= 1.0).sum()), not (scores > 0.0).any())


def _write(scores: pl.LazyFrame, path: Path) -> None:
    if path.name.endswith(".csv.part"):
        scores.sink_csv(path)
    else:
        scores.sink_parquet(path)


class _Reader:
    """Reads and scores a file, whole or part by part; warns of each oddity once."""

    def __init__(self, job: Job, warn: Warn) -> None:
        self._job = job
        self._warn = warn
        self._told: set[str] = set()
        self._no_labels: list[str] | None = None

    def keys(self) -> list[str]:
        """Columns whose values say which rows belong together; none where all do."""
        job = self._job
        labels = labels_of(read_samples(job.path, predicate=job.train_where, first=0), job)
        if job.by is not None:
            return [job.by]
        # What the predicate names may part a series into clean rows and the rest.
        return [name for name in labels if not naming(job, name)]

    def scored(self, part: Part | None, progress: Progress) -> pl.DataFrame:
        """Scores of the file or a part of it, with `ROW`."""
        job = self._job
        rows = read_samples(job.path, predicate=job.train_where, part=part)
        labels = labels_of(rows, job)
        frame = pl.DataFrame(rows)
        del rows
        empty = frame["timestamp"].null_count()
        if empty:
            raise DetectFileError(f"{job.path}: {empty} rows have no time")
        if part is None:
            frame = frame.with_row_index(ROW)
        if self._no_labels is None and frame.height:
            # Decided by the first rows that there are: all parts shall have the same columns.
            self._no_labels = splitting(frame, labels, job)
        for name in self._no_labels or ():
            self._say(
                f"column {name!r} parts every series into training and the rest: it is no label"
            )
            labels.remove(name)
        late = trained_later(frame, [job.by] if job.by else labels) if job.train_where else 0
        if late:
            self._say(
                f"{late} {job.by or 'series'} learn from rows after ones that are scored: "
                "their scores are not causal"
            )
        return score_frame(frame, labels, job, progress)

    def _say(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._warn(text)
