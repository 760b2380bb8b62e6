"""Who is expected to report, and how long each may be silent: learned at fixed hours.

Every 360 columns (six hours, of minutes) since 1970 the rhythms are learned anew from what lies
before. So they depend on the lake and the time alone: not on when a process started, nor on how it
ticks.
"""

from dataclasses import InitVar, dataclass, field, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.absence import WORD, Groups, Patience, elapsed, holds, patience, rhythms
from lake.timerange import MICROSECOND, from_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.absence import presence
from orchestration.steps.absence.levels import LEVELS, SCRAPES, TARGETS, Things, code_of
from orchestration.steps.absence.naming import Places, read_daemon_sets, read_series
from orchestration.steps.absence.presence import Presence
from orchestration.steps.budget import share
from orchestration.steps.look import Look

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

BLOCK = 6 * WORD
"""Columns between two times of learning."""

SLACK = 10
"""Columns that history may be short by, at either end: what lies between two scrapes."""


NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Grid:
    """Settings in columns."""

    step: timedelta
    history: int
    least_history: int
    least: int
    forget: int
    a_day: float

    @classmethod
    def of(cls, settings: DetectionSettings) -> "Grid":
        """The columns of these settings."""

        def columns(length: timedelta) -> int:
            return max(-(-length // settings.step), 1)

        return cls(
            settings.step,
            columns(settings.history),
            columns(settings.least_history),
            columns(settings.absence.least),
            columns(settings.absence.forget),
            timedelta(days=1) / settings.step,
        )

    def window(self, block: int) -> int:
        """Where what is learned from begins: history before whatever is not forgotten."""
        return max(block - self.history - self.forget, 0) // WORD * WORD


@dataclass(slots=True, eq=False)
class Watch:
    """What is known at the beginning of a block, and what was heard in it so far.

    Attributes:
        block: its first column.
        grid: settings in columns.
        first: column of the first bit of `live`: where the window begins.
        ids: series that the window knows, then those that have come since.
        series: what they are, `naming.Places.placed`.
        things: by level; what only new series tell of is none.
        scrapes: what scrapers made of each target.
        patience: by level.
        ended: by level and parent, when the second of its things ended that has not come back.
        last: column before the block in which each series was heard last, -1 = never.
        words: what was heard in the block, by series.
        live: of the window and the block, whether anybody was heard.
        read_to: column up to which.
        habits: what is remembered of `seasons`.
    """

    block: int
    grid: Grid
    look: InitVar[Look]
    window: InitVar[Presence]
    first: int = field(init=False)
    ids: Int64 = field(init=False)
    series: pl.DataFrame = field(init=False)
    things: list[Things] = field(init=False)
    scrapes: Groups = field(init=False)
    patience: list[Patience] = field(init=False)
    ended: list[Int64] = field(init=False)
    last: Int64 = field(init=False)
    words: Int64 = field(init=False)
    live: Int64 = field(init=False)
    read_to: int = field(init=False)
    habits: dict[tuple[object, ...], bool] = field(default_factory=dict)
    _places: Places = field(init=False)
    _daemons: pl.DataFrame = field(init=False)
    _strangers: set[int] = field(default_factory=set)

    def __post_init__(self, look: Look, window: Presence) -> None:
        """Learn."""
        self.first = window.first
        step_us = self.grid.step // MICROSECOND
        known = read_series(look, window.ids[window.words.any(axis=1)].tolist())
        self._daemons = read_daemon_sets(look.snapshot, from_micros(self.block * step_us))
        self._places = Places.of(known)
        self.series = self._placed(known)
        self.ids = known["series_id"].to_numpy().astype(np.int64)
        words = window.words[np.searchsorted(window.ids, self.ids)]
        all_live = np.bitwise_or.reduce(window.words, axis=0, initial=0)
        before = elapsed(holds(all_live))
        self.things = [Things.of(level, self.series) for level in LEVELS]
        targets = self.things[TARGETS].names
        self.scrapes = Groups.of(code_of(SCRAPES, targets, self.series), targets.height)
        self.patience, self.ended = [], []
        for things in self.things:
            self._learn(things, words, before, share(look.settings) / len(LEVELS))
        self.last = rhythms(words, before, 0).last
        self.last = np.where(self.last < 0, -1, self.last + self.first)
        self.words = np.zeros((self.ids.size, BLOCK // WORD), np.int64)
        self.live = np.concatenate([all_live, np.zeros(BLOCK // WORD, np.int64)])
        self.read_to = self.block

    def _placed(self, known: pl.DataFrame) -> pl.DataFrame:
        placed = self._places.placed(known)
        keys = ["cluster", "namespace", "workload"]
        return placed.join(
            self._daemons, on=keys, how="left", nulls_equal=True, maintain_order="left"
        ).with_columns(daemon=pl.col("daemon").fill_null(value=False))

    def _learn(self, things: Things, words: Int64, before: Int64, false_a_day: float) -> None:
        grid = self.grid
        learned = rhythms(things.groups.any(words), before, grid.history)
        least = grid.least + -(-things.level.patience // grid.step)
        found = patience(
            learned,
            least=least,
            least_history=max(grid.least_history - 2 * SLACK, 1),
            columns_a_day=grid.a_day,
            false_a_day=false_a_day,
        )
        quiet = before[-1] - before[np.maximum(learned.last, 0) + 1]
        ended = (learned.last >= 0) & (quiet > np.maximum(found.allowed, least))
        self.patience.append(found)
        # When the second of each parent's things ended that have not come back: see `verdicts`.
        self.ended.append(_second(things, np.where(ended, learned.last + self.first, -1)))

    def listen(self, look: Look, first: int, end: int) -> None:
        """Read what was heard in columns up to `end`; from `first` on again, for late samples."""
        first = max(min(self.read_to, first), self.block)
        end = min(end, self.block + BLOCK)
        if end <= first:
            return
        heard = presence.read(look.snapshot, first, end, self.grid.step)
        at = (heard.first - self.block) // WORD
        span = slice(at, at + heard.words.shape[1])
        live = np.bitwise_or.reduce(heard.words, axis=0, initial=0)
        offset = (self.block - self.first) // WORD
        self.live[offset + span.start : offset + span.stop] |= live
        place, ours = self._places_of(heard.ids)
        new = heard.ids[~ours]
        if new.size and self._meet(look, new):
            place, ours = self._places_of(heard.ids)
        self.words[place[ours], span] |= heard.words[ours]
        self.read_to = max(self.read_to, end)

    def _places_of(self, ids: Int64) -> tuple[Int64, Bool]:
        """The row of each series, and whether it has one."""
        if not self.ids.size:
            return np.zeros(ids.size, np.int64), np.zeros(ids.size, np.bool_)
        order = np.argsort(self.ids)
        place = np.searchsorted(self.ids, ids, sorter=order)
        place = order[np.minimum(place, order.size - 1)]
        return place, self.ids[place] == ids

    def _meet(self, look: Look, ids: Int64) -> bool:
        """Series that have come since: signs of life of what they belong to."""
        new = [one for one in ids.tolist() if one not in self._strangers]
        if not new:
            return False
        self._strangers |= set(new)
        known = read_series(look, new)
        placed = self._placed(known)
        self.series = pl.concat([self.series, placed])
        n = known.height
        self.ids = np.concatenate([self.ids, known["series_id"].to_numpy().astype(np.int64)])
        self.words = np.vstack([self.words, np.zeros((n, self.words.shape[1]), np.int64)])
        self.last = np.concatenate([self.last, np.full(n, -1, np.int64)])
        for index, things in enumerate(self.things):
            code = np.concatenate(
                [things.groups.code, code_of(things.level.members, things.names, placed)]
            )
            groups = Groups.of(code, things.count)
            self.things[index] = replace(things, groups=groups)
        targets = self.things[TARGETS].names
        code = np.concatenate([self.scrapes.code, code_of(SCRAPES, targets, placed)])
        self.scrapes = Groups.of(code, targets.height)
        return True


def _second(things: Things, ended: Int64) -> Int64:
    """The second earliest end of each parent's things, by parent; never where there is none."""
    out = np.full(things.parents, NEVER, np.int64)
    gone = np.flatnonzero(ended >= 0)
    gone = gone[np.lexsort((ended[gone], things.parent[gone]))]
    parents, starts, counts = np.unique(things.parent[gone], return_index=True, return_counts=True)
    several = counts > 1
    out[parents[several]] = ended[gone[starts[several] + 1]]
    return out
