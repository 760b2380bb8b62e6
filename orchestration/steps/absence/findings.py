"""A silence that may be news, with what a row of `anomalies` says of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.absence import Groups
from lake.timerange import MICROSECOND, from_micros
from orchestration.steps.absence.levels import Level
from orchestration.steps.absence.verdicts import NAMES, Heard, Verdict

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """One.

    Attributes:
        level: what kind of thing it is.
        names: its keys.
        news: false where only events can make it one: its like come and go.
        first: column after its last sample.
        start: the same as a time, and
        end: of the silence, so far.
        known: when it had lasted for longer than allowed.
        allowed: live columns.
        score: 1 = just longer than allowed, 2 = e times as long, 3 = e times that.
        p_value: how likely a gap is so long.
        actual: series that report; of a DaemonSet, pods.
        expected: that did before.
        members: ids of series that were heard last.
        everybody: nobody at all was heard meanwhile, though somebody listened.
        about: (namespace, workload) that all of them are of, if one.
    """

    level: Level
    names: Mapping[str, Any]
    news: bool
    first: int
    start: datetime
    end: datetime
    known: datetime
    allowed: float
    score: float
    p_value: float
    actual: int
    expected: int
    members: Int64
    everybody: bool
    about: tuple[str, str] | None

    def until(self, over: datetime | None) -> "Finding":
        """The same, at an end when the thing was taken away."""
        if over is None or over >= self.end:
            return self
        return replace(self, end=max(over, self.start + timedelta(microseconds=1)))


def findings(heard: Heard, verdict: Verdict) -> Iterator[Finding]:
    """What a verdict leaves; of nodes also those that are no news by themselves."""
    watch, own = heard.watch, verdict.silences
    things, patience = watch.things[verdict.level], watch.patience[verdict.level]
    wanted = np.flatnonzero(verdict.news | (things.level.name == "node"))
    if not wanted.size:
        return
    alive = heard.alive(things)
    counts = alive.total(np.ones(watch.ids.size, np.int64))
    quiet = own.quiet.astype(np.float64)
    p_values = patience.p_value(own.thing, quiet)
    step_us = watch.grid.step // MICROSECOND
    for index in wanted.tolist():
        thing, first, end = (int(a[index]) for a in (own.thing, own.start, own.end))
        rows = _rows(alive, thing)
        allowed = float(patience.allowed[thing])
        known = int(
            np.searchsorted(heard.before, heard.before[first - watch.first] + allowed, "right")
        )
        actual, expected = _counts(heard, verdict.level, thing, rows, int(counts[thing]), end)
        forgotten = from_micros(first * step_us) + watch.grid.forget * watch.grid.step
        yield Finding(
            level=things.level,
            names=things.name(thing),
            news=bool(verdict.news[index]),
            first=first,
            start=from_micros(first * step_us),
            end=min(from_micros(end * step_us), forgotten),
            known=from_micros((watch.first + known) * step_us),
            allowed=allowed,
            # By orders of size: what is silent all day is not a hundred times what has just died.
            score=1.0 + float(np.log(quiet[index] / allowed)),
            p_value=float(p_values[index]),
            actual=actual,
            expected=expected,
            members=watch.ids[rows],
            everybody=bool(
                heard.sent[end - watch.first] - heard.sent[first - watch.first] <= allowed
            ),
            about=_about(heard, rows),
        )


def _rows(groups: Groups, thing: int) -> Int64:
    at = int(np.searchsorted(groups.present, thing))
    if at >= groups.present.size or groups.present[at] != thing:
        return np.zeros(0, np.int64)
    end = groups.starts[at + 1] if at + 1 < groups.starts.size else groups.order.size
    return groups.order[groups.starts[at] : end]


def _counts(
    heard: Heard, level: int, thing: int, rows: Int64, members: int, end: int
) -> tuple[int, int]:
    """What reports and what did, before: series; of a DaemonSet, pods."""
    watch = heard.watch
    things = watch.things[level]
    recent = end - 2 * watch.grid.least
    if things.level.name == "daemon":
        newest = things.groups.most(heard.last, -1)
        there = int(((things.parent == things.parent[thing]) & (newest >= recent)).sum())
        return there, there + 1
    if things.level.part_of is None or not rows.size:
        return 0, members
    whole = "job" if "instance" not in things.level.part_of else "target"
    code = watch.things[NAMES.index(whole)].groups.code
    there = int(((code == code[rows[0]]) & (heard.last >= recent)).sum())
    return there, there + members


def _about(heard: Heard, rows: Int64) -> tuple[str, str] | None:
    """The workload whose pods these series are of, if they are of one's."""
    names = heard.watch.series[rows.tolist()].select("namespace", "workload", "pod")
    if not names.height or names["pod"].null_count():
        return None
    pairs = names.select("namespace", "workload").unique()
    if pairs.height != 1 or None in pairs.row(0):
        return None
    namespace, workload = pairs.row(0)
    return str(namespace), str(workload)
