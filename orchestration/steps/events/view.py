"""The counts that one look needs, as streams: who they are, and when each began to be observed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.events import Counts
from lake.timerange import DAY, EPOCH, MICROSECOND, from_micros
from orchestration.steps.events.counting import LOG
from orchestration.steps.events.memory import Memory, columns_of
from orchestration.steps.look import Look

Int64 = npt.NDArray[np.int64]

STREAM = ("cluster", "source", "key", "namespace")
"""What tells streams apart; `key` is a reason, or the template of a line."""

BEFORE = 60
"""Columns before those that are scored: the longest window, and how long news are news."""

MINED_EVERY = timedelta(hours=6)
"""How often the templates of lines are learned anew."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Counts around the columns that are looked at; columns count from `origin`, a midnight.

    Attributes:
        frame: as `counting.SCHEMA`, nothing from `end` on.
        known: (cluster, source, key) of the days before `origin`.
        since: (cluster, source, since), the column at which each began.
        origin: the column, numbered from 1970, that is 0 here.
        first: the first column to score.
        end: the column after the last.
        step: width of a column.
        history: columns to learn from.
        least: columns of history that a stream needs.
        block: columns that are scored by one baseline.
        period: columns whose lines are scored by one set of templates.
    """

    frame: pl.DataFrame
    known: pl.DataFrame
    since: pl.DataFrame
    origin: int
    first: int
    end: int
    step: timedelta
    history: int
    least: int
    block: int
    period: int

    @property
    def columns_a_day(self) -> float:
        """As the name says."""
        return DAY / self.step

    def pieces(self, every: int, first: int | None = None) -> list[tuple[int, int, int]]:
        """(begin, first, end) of what is to be scored, cut where `every` columns begin."""
        start = self.first if first is None else first
        begin = (self.origin + start) // every * every - self.origin
        return [
            (at, max(at, start), min(at + every, self.end)) for at in range(begin, self.end, every)
        ]

    def moment(self, column: int) -> Any:
        """When a column begins."""
        return from_micros((self.origin + int(column)) * (self.step // MICROSECOND))


def view(look: Look, memory: Memory) -> View:
    """Read what a look needs, as far as memory has it not."""
    settings, step = look.settings, look.settings.step
    first, end = ((moment - EPOCH) // step for moment in (look.between.start, look.between.end))
    history, period = columns_of(settings.history, step), columns_of(MINED_EVERY, step)
    reach = min(first - BEFORE, first // period * period) - history
    midnight = EPOCH + reach * step // DAY * DAY
    origin = -(-(midnight - EPOCH) // step)
    frame = memory.counts(look.snapshot, origin, end).with_columns(pl.col("column") - origin)
    known = memory.reasons(look.snapshot, midnight)
    since = _since(frame, known, midnight, step)
    return View(
        frame, known.select("cluster", "source", "key").unique(), since,
        origin, first - origin, end - origin, step, history,
        columns_of(settings.least_history, step), memory.block, period,
    )  # fmt: skip


def _since(
    frame: pl.DataFrame, known: pl.DataFrame, midnight: Any, step: timedelta
) -> pl.DataFrame:
    of_source = ["cluster", "source"]
    days = (pl.col("date").cast(pl.Datetime("us", "UTC")) - midnight).dt.total_microseconds()
    before = known.select(*of_source, since=days // (step // MICROSECOND))
    every = pl.concat([before, frame.select(*of_source, since="column")])
    return every.group_by(of_source).agg(pl.col("since").min())


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """Streams and their counts.

    Attributes:
        labels: (cluster, source, key, namespace) of each, a row a stream, in order.
        events: all events.
        loud: the warnings among them.
        began: int64 `[n_streams]`, the column from which each is observed: its source's first.
        kinds: int64 `[n_streams]`, streams with one reason are of one kind.
    """

    labels: pl.DataFrame
    events: Counts
    loud: Counts
    began: Int64
    kinds: Int64

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Streams":
        """Some of them."""
        rows = np.flatnonzero(chosen)
        return Streams(
            self.labels[rows], self.events.take(rows), self.loud.take(rows),
            self.began[rows], self.kinds[rows],
        )  # fmt: skip


def streams(frame: pl.DataFrame, seen: View) -> Streams:
    """The streams of some counts."""
    labels = frame.select(STREAM).unique().sort(STREAM, nulls_last=False)
    numbered = labels.with_columns(number=pl.int_range(pl.len()))
    # Rows of one stream and column (lines of one template) are added up by `Counts`.
    cells = frame.join(numbered, on=STREAM, how="left", nulls_equal=True)
    number, column = cells["number"].to_numpy(), cells["column"].to_numpy()
    events, loud = (
        Counts.of(number, column, cells[name].to_numpy(), len(labels), seen.end)
        for name in ("events", "loud")
    )
    # A left join keeps no order that it does not promise: sorted by the streams' own.
    began = numbered.join(seen.since, on=("cluster", "source"), how="left").sort("number")
    kinds = numbered.select(
        pl.struct("source", pl.col("key").fill_null("")).rank("dense").cast(pl.Int64) - 1
    )
    return Streams(
        labels, events, loud, np.maximum(began["since"].to_numpy(), 0), kinds.to_series().to_numpy()
    )


def is_line() -> pl.Expr:
    """Whether a row is of a text of a log."""
    return (pl.col("source") == LOG) & pl.col("key").is_not_null()
