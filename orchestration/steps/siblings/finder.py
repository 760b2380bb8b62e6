"""Clusters that depart from their siblings: the same workload elsewhere is the control group.

The comparison is `detectors.siblings`; which series are the same elsewhere, `members`.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from detectors.siblings import Usual, joined
from lake import TimeRange
from lake.timerange import to_micros
from orchestration.steps import anomaly_rows, budget
from orchestration.steps.anomaly_rows import Found, Grid, Row
from orchestration.steps.look import Look
from orchestration.steps.panels import align
from orchestration.steps.siblings.members import Members, members, oldest
from orchestration.steps.siblings.models import (
    CHOSEN,
    Judged,
    departures,
    fit,
    fitted_for,
    judge,
    with_found,
)
from orchestration.steps.training import Flagged, flagged


@dataclass(slots=True)
class Fresh:
    """A model that is fitted in this look, block by block."""

    rate: float
    known: Flagged
    parts: list[Usual] = field(default_factory=list)


class Siblings:
    """Finds the clusters that depart from their siblings while those agree.

    It remembers what is usual for as long as that is used; fitted again, it would be the same.
    """

    detectors: tuple[str, ...] = (CHOSEN.name,)

    def __init__(self) -> None:
        self._usual: dict[datetime, Usual] = {}
        self._versions: dict[datetime, str] = {}
        self._members: tuple[object, Members] | None = None

    def find(self, look: Look) -> list[Row]:
        """The departures in the range, as rows of `anomalies`, by start."""
        settings = look.settings
        times = [at for at, _ in fitted_for(look.between, settings.refit_every)]
        everyone = self._everyone(look, times[0] - settings.history)
        if not everyone.n_rows:
            return []
        fresh = {at: _fresh(look, everyone, at) for at in times if at not in self._usual}
        for at in fresh:
            trained = TimeRange(at - settings.history, at)
            self._versions[at] = anomaly_rows.model_version(CHOSEN, trained, look.lake_version)
        found: list[Found] = []
        # A member that is new since a model was fitted has none: it is judged from the next on.
        for block in everyone.blocks(settings.block_series):
            found += self._find(look, block, fresh)
        for at, made in fresh.items():
            if made.parts:
                self._usual[at] = joined(made.parts)
        self._usual = {at: one for at, one in self._usual.items() if at in times}
        self._versions = {at: one for at, one in self._versions.items() if at in times}
        made_rows = anomaly_rows.rows(found, CHOSEN, look.lake_version, look.final_before)
        return sorted(made_rows, key=lambda row: (row["start"], row["anomaly_id"]))

    def _everyone(self, look: Look, since: datetime) -> Members:
        """Who has siblings; asked again only when the lake has other series."""
        version = look.snapshot.versions["series"]
        key = (version, oldest(since), look.settings, tuple(look.but_not))
        if self._members is None or self._members[0] != key:
            own = members(look.snapshot, look.settings, since, look.but_not)
            self._members = (key, own)
        return self._members[1]

    def _find(self, look: Look, block: Members, fresh: dict[datetime, Fresh]) -> Iterator[Found]:
        settings = look.settings

        def usual(at: datetime, done: Judged | None) -> Usual:
            if at not in fresh:
                return self._usual[at]
            known = with_found(fresh[at].known, block, done, settings)
            made = fit(look.snapshot, block, settings, at, known, fresh[at].rate)
            fresh[at].parts.append(made)
            return made

        judged = judge(look.snapshot, block, settings, look.between, usual)
        found = departures(judged, settings)
        which = set(found.cells.row[found.peaks].tolist())
        about = {int(block.row_id[row]): block.of_row(row) for row in which}
        rows = anomaly_rows.found(
            found.cells, found.peaks, found.intervals, Grid.of(judged.rows), about, None, ""
        )
        for one in rows:
            if not look.clusters or one.cluster in look.clusters:
                fitted = align(one.peak_time, settings.refit_every)
                yield dataclasses.replace(one, model_version=self._versions[fitted])


def _fresh(look: Look, everyone: Members, at: datetime) -> Fresh:
    """What a model needs that is fitted at a time; nothing that was not known then."""
    first_seen = everyone.table.column("first_seen").cast("int64").to_numpy()
    born = np.minimum.reduceat(first_seen, everyone.first)
    rate = budget.rate(look.settings, int((born < to_micros(at)).sum()))
    # What begins later in the lake is what this pass, or one before it, finds in the range itself.
    start, until = at - look.settings.history, min(at, look.between.start)
    known = Flagged({}, "")
    if start < until:
        known = flagged(look.snapshot, CHOSEN, TimeRange(start, until))
    return Fresh(rate, known)
