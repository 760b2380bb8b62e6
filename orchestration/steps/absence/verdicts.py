"""Which silence explains which, and which are no news: things that come and go.

A thing is silent *because* a larger one is where all of its series that were heard last are the
larger one's too, and the larger one is silent meanwhile. What goes on when the larger one is back,
counts from there.

Things end all the time where their like ended before: pods, nodes of an autoscaled cluster, labels
of requests. So a silence is no news where two others of the same parent ended, an hour or more
before it, and did not come back. It is news all the same where somebody still expects the thing:
Prometheus goes on scraping it (`up`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detectors.absence import WORD, Groups, Silences, elapsed, holds, last_heard, silences
from orchestration.steps.absence.levels import FIRST_EXPLAINED_BY_A_JOB, LEVELS, Things
from orchestration.steps.absence.watch import Watch

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

LONG_BEFORE = WORD
"""Columns: what ended within as many is part of the same incident."""

ANSWERLESS = 2
"""Columns: a target that is taken away may still be scraped once or twice."""

NAMES = [level.name for level in LEVELS]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A block as it was at some column.

    Attributes:
        watch: of the block.
        end: the column that nothing after is known of.
        before: live columns before each column since `watch.first`.
        sent: columns before each in which anybody was heard.
        last: column in which each series was heard last.
    """

    watch: Watch
    end: int
    before: Int64
    sent: Int64
    last: Int64

    @classmethod
    def of(cls, watch: Watch, end: int, deaf: tuple[int, int] | None) -> "Heard":
        """Up to a column; `deaf` = columns in which nobody listened, after which somebody does."""
        live = holds(watch.live)[: end - watch.first]
        sent = elapsed(live)
        if deaf is not None:
            low, high = (max(at - watch.first, 0) for at in deaf)
            live = live.copy()
            live[high:] = True
            live[low:high] = False
        last = last_heard(watch.words, watch.block, end, watch.last)
        return cls(watch, end, elapsed(live), sent, last)

    def quiet(self, start: Int64, end: Int64) -> Int64:
        """Live columns between two."""
        first = self.watch.first
        return self.before[end - first] - self.before[start - first]

    def silences(self, level: int) -> Silences:
        """Of all things of a level, explained or not."""
        watch = self.watch
        things, patience = watch.things[level], watch.patience[level]
        words = things.groups.any(watch.words)
        last = things.groups.most(watch.last, -1)
        shift = watch.first
        found = silences(
            words,
            watch.block - shift,
            self.end - shift,
            np.where(last < 0, -1, last - shift),
            self.before,
            patience.allowed,
            patience.known,
        )
        return replace(found, start=found.start + shift, end=found.end + shift)

    def alive(self, things: Things) -> Groups:
        """The series of each thing that were heard when it was heard last."""
        code = things.groups.code
        newest = things.groups.most(self.last, -1)
        there = (code >= 0) & (self.last >= 0)
        there &= self.last >= newest[np.maximum(code, 0)] - 2 * self.watch.grid.least
        return Groups.of(np.where(there, code, -1).astype(np.int32), things.count)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Silences of a level that nothing above explains; `news` of them are findings."""

    level: int
    silences: Silences
    news: Bool
    scraped: Bool


def verdicts(heard: Heard) -> list[Verdict]:
    """Judge all levels of a block, from the top."""
    watch = heard.watch
    found = [heard.silences(level) for level in range(len(LEVELS))]
    alive = [
        heard.alive(things) if len(own) else None
        for things, own in zip(watch.things, found, strict=True)
    ]
    out = []
    for level, own in enumerate(found):
        members = alive[level]
        if members is None:
            continue
        kept = own
        for above in _above(level):
            if len(found[above]) and len(kept):
                kept = _unexplained(heard, level, above, kept, found[above], members)
        scraped = _scraped(heard, level, kept)
        out.append(Verdict(level, kept, _news(heard, level, kept, scraped), scraped))
    return out


def _above(level: int) -> Sequence[int]:
    first = list(range(level))
    if NAMES[level] in FIRST_EXPLAINED_BY_A_JOB:
        first.append(NAMES.index("job"))
    return first


def _inside(things: Things, members: Groups, larger: Things) -> Int64:
    """The larger thing that has all members of each thing; -1 = none has."""
    code = larger.groups.code.astype(np.int64)
    least, most = members.least(code, -1), members.most(code, -1)
    return np.where(least == most, least, -1)


def _unexplained(
    heard: Heard, level: int, above: int, own: Silences, larger: Silences, members: Groups
) -> Silences:
    watch = heard.watch
    things, others = watch.things[level], watch.things[above]
    inside = _inside(things, members, others)
    if above > level:
        # Each has all of the other: the one that stands above it explains.
        back = _inside(others, heard.alive(others), things)
        same = np.append(back, -1)[inside] == np.arange(things.count)
        inside = np.where(same, -1, inside)
    began = np.full(others.count + 1, np.iinfo(np.int64).max, np.int64)
    ended = np.full(others.count + 1, -1, np.int64)
    np.minimum.at(began, larger.thing, larger.start)
    np.maximum.at(ended, larger.thing, larger.end)
    at = inside[own.thing]  # -1 is the last, which was never silent
    meanwhile = (began[at] <= own.end) & (ended[at] >= own.start)
    start = np.where(meanwhile, np.clip(ended[at], own.start, own.end), own.start)
    quiet = heard.quiet(start, own.end)
    kept = ~meanwhile | (quiet > watch.patience[level].allowed[own.thing])
    return Silences(own.thing[kept], start[kept], own.end[kept], quiet[kept])


def _scraped(heard: Heard, level: int, own: Silences) -> Bool:
    """Whether Prometheus still scrapes a silent target at the end of its silence."""
    watch = heard.watch
    if NAMES[level] != "target" or not len(own):
        return np.zeros(len(own), np.bool_)
    since = np.maximum(own.end - watch.grid.least, own.start + ANSWERLESS)
    bits = holds(watch.scrapes.any(watch.words)[own.thing])
    columns = watch.block + np.arange(bits.shape[1])
    within = (columns >= since[:, None]) & (columns < own.end[:, None])
    earlier = watch.scrapes.most(watch.last, -1)[own.thing] >= since
    scraped: Bool = (bits & within).any(axis=1) | earlier
    return scraped


def _news(heard: Heard, level: int, own: Silences, scraped: Bool) -> Bool:
    watch = heard.watch
    things = watch.things[level]
    second = watch.ended[level][things.parent[own.thing]]
    comes_and_goes = second < own.start - LONG_BEFORE
    if not things.level.parent:
        comes_and_goes = np.zeros(len(own), np.bool_)
    if NAMES[level] == "target":
        roams = things.groups.most(watch.series["roams"].to_numpy().astype(np.int64), 0) > 0
        comes_and_goes |= roams[own.thing]
    news: Bool = ~comes_and_goes | scraped
    return news
