"""The finder: silences that are news, as rows of `anomalies`."""

import re
from collections.abc import Iterator
from datetime import datetime

from lake.timerange import MICROSECOND, to_micros
from orchestration.steps.absence import presence
from orchestration.steps.absence.evidence import Answer, Question, ask
from orchestration.steps.absence.findings import Finding, findings
from orchestration.steps.absence.rows import DETECTOR, joined, once, rows_of
from orchestration.steps.absence.seasons import same_as_before
from orchestration.steps.absence.verdicts import Heard, verdicts
from orchestration.steps.absence.watch import BLOCK, Grid, Watch
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.look import Look

KEPT = 2
"""Blocks in memory: a look often begins in the one before."""


class Absence:
    """Finds what has stopped reporting; what it keeps between looks, it can read again."""

    detectors: tuple[str, ...] = (DETECTOR,)

    def __init__(self) -> None:
        self._watches: dict[int, Watch] = {}
        self._chosen: object = None

    def find(self, look: Look) -> list[Row]:
        """The silences that lie in the range, one row each, by start."""
        chosen = (look.settings, tuple(look.clusters), tuple(look.but_not))
        if chosen != self._chosen:
            self._watches, self._chosen = {}, chosen
        grid = Grid.of(look.settings)
        start, end = (_column(at, grid) for at in (look.between.start, look.between.end))
        found: list[Finding] = []
        for watch in self._blocks(look, grid, start, end):
            until = min(end, watch.block + BLOCK)
            watch.listen(look, start, until)
            heard = Heard.of(watch, until, _deaf(look, grid))
            found += self._findings(look, heard)
        rows = joined(rows_of(found, look), look)
        return [row for row in rows if row["end"] > look.between.start]

    def _blocks(self, look: Look, grid: Grid, start: int, end: int) -> Iterator[Watch]:
        blocks = range(start // BLOCK * BLOCK, end, BLOCK)
        missing = [block for block in blocks if block not in self._watches]
        window = None
        if missing:
            first = grid.window(missing[0])
            window = presence.read(look.snapshot, first, missing[-1], grid.step)
        for block in blocks:
            watch = self._watches.get(block)
            if watch is None:
                assert window is not None  # noqa: S101 - bug: it was missing
                own = presence.Presence(
                    window.ids, window.slice(grid.window(block), block), grid.window(block)
                )
                watch = Watch(block, grid, look, own)
            self._watches[block] = watch
            for old in sorted(self._watches)[:-KEPT]:
                del self._watches[old]
            yield watch

    def _findings(self, look: Look, heard: Heard) -> list[Finding]:
        found = [
            one
            for verdict in verdicts(heard)
            for one in findings(heard, verdict)
            if one.end > look.between.start and not _ignored(one, look)
        ]
        asked = [(one, question) for one in found for question in [_question(one)] if question]
        answers = ask(look.snapshot, [question for _, question in asked], look.between.end)
        told = {id(one): answer for (one, _), answer in zip(asked, answers, strict=True)}
        kept = []
        for one in found:
            answer = told.get(id(one), Answer())
            if not answer.planned and (one.news or answer.failed):
                kept.append(one.until(answer.over))
        kept = once(kept)
        usual = same_as_before(look, heard, kept)
        return [one for one, before in zip(kept, usual, strict=True) if not before]


def _column(at: datetime, grid: Grid) -> int:
    return to_micros(at) // (grid.step // MICROSECOND)


def _deaf(look: Look, grid: Grid) -> tuple[int, int] | None:
    """Columns in which nobody listened, as far as is known; after them somebody does."""
    if look.listening is None:
        return None
    high = _column(look.listening.since, grid)
    until = look.listening.paused
    low = high if until is None else min(_column(until, grid), high)
    # A restart of minutes makes nobody silent for so long that he would be missed.
    return (low, low) if high - low <= grid.least else (low, high)


def _ignored(one: Finding, look: Look) -> bool:
    pattern = look.settings.absence.ignore
    names = (one.names.get(name) for name in ("job", "workload", "on", "instance"))
    return any(name is not None and re.fullmatch(pattern, str(name)) for name in names)


def _question(one: Finding) -> Question | None:
    """Who could have taken it away: its own object, or that of the pods that it consists of."""
    cluster = str(one.names["cluster"])
    if one.level.name == "node":
        return Question(cluster, None, str(one.names["on"]), True, one.start, one.known)
    if one.level.name == "cluster" or one.about is None:
        return None
    namespace, workload = one.about
    wanted = one.expected if one.level.name == "daemon" else None
    if one.level.part_of is not None:
        return None
    return Question(cluster, namespace, workload, False, one.start, one.known, wanted)
