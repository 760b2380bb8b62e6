"""What all clusters show at once, told apart from what one shows alone.

The intervals of a series are those of the columns that its siblings do not show
(`detectors.siblings.shared`), and, apart from those, of the columns that they do. So a cluster that
is ill some minutes before the others is raised until they follow; then that interval ends. One that
stays ill when the others have recovered is raised from then on. What becomes of shared intervals
`told_once` says; more load, and what goes with it, is left out here, column by column.

Nothing is read where nothing is abnormal. What is, is scored once more with the columns before the
range, for a window that has a peak in it stays odd when the peak is over, and shares what that did.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.abnormal_cells import AbnormalCells
from detectors.intervals import STOP_SCORE
from lake import TimeRange
from lake.snapshot import Snapshot
from lake.timerange import from_micros, to_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import Found, Grid, Shared
from orchestration.steps.isolation import Failures, rows_of
from orchestration.steps.looked import Looked
from orchestration.steps.siblings.answers import Answer, Asked, Lead, judged, lead_of, rescored
from orchestration.steps.siblings.load import is_load, says_failure
from orchestration.steps.siblings.members import Members, Same, members
from orchestration.steps.siblings.rows import read_rows

SIBLINGS = "siblings"
"""What failures to ask them are told under."""

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Which cells of a group one cluster shows alone, and which are told of all.

    The other cells are of more load in all clusters: they are not told.
    """

    grid: Grid
    alone: Bool
    told: Bool
    answers: Mapping[int, Answer]
    before: int

    def say(self, found: Found, cells: AbnormalCells, min_length: int) -> Found:
        """The interval with what it is shared with; `cells` are those that are told."""
        assert found.series is not None  # noqa: S101 - bug: groups of series alone are asked
        answer = self.answers[found.series.series_id]
        start, peak = (self._column(to_micros(at)) for at in (found.start, found.peak_time))
        own = _row(cells, answer.asked.row)
        columns = cells.column[own][(cells.score[own] >= STOP_SCORE) & (cells.column[own] >= start)]
        since = from_micros(self.grid.start + int(columns[min_length - 1]) * self.grid.step)
        above = bool(answer.clusters[self.before + peak] > 0)
        return dataclasses.replace(found, shared=Shared(answer.same, answer.siblings, above, since))

    def _column(self, at: int) -> int:
        return (at - self.grid.start) // self.grid.step


@dataclass(frozen=True, slots=True)
class Sharing:
    """Asks the siblings of what is abnormal in a range.

    Attributes:
        snapshot: where their samples are.
        between: what was scored.
        settings: of detection.
        but_not: clusters that are nobody's siblings.
        failures: told where the siblings cannot be asked.
    """

    snapshot: Snapshot
    between: TimeRange
    settings: DetectionSettings
    but_not: Sequence[str] = ()
    failures: Failures = field(default_factory=Failures)

    def of(self, looked: Sequence[Looked], cells: Sequence[AbnormalCells]) -> dict[int, Shares]:
        """What groups share, by their place; those that share nothing are not there.

        Where that cannot be found out, nothing is shared: told once too often is better than not.

        Args:
            looked: what one detector has scored.
            cells: of each, with thresholds where they are.
        """
        if not self.settings.siblings.quiet:
            return {}
        try:
            return self._shared(looked, cells)
        except Exception as error:  # noqa: BLE001 - told, and tried again at the next look
            self.failures.add(SIBLINGS, ["what is shared"], f"{type(error).__name__}: {error}")
            return {}

    def _shared(
        self, looked: Sequence[Looked], cells: Sequence[AbnormalCells]
    ) -> dict[int, Shares]:
        asked = {
            one.series.series_id: one
            for place, (own, some) in enumerate(zip(looked, cells, strict=True))
            for one in self._asked(place, own, some)
        }
        if not asked:
            return {}
        everyone = self._everyone(asked)
        lead = lead_of(looked, asked)
        answers: dict[int, list[Answer]] = defaultdict(list)
        known = everyone.holding(np.array(list(asked), np.int64))
        for block in known.blocks(self.settings.block_series):
            for answer in self._answers(block, looked, asked, lead):
                answers[answer.asked.place].append(answer)
        risen = [
            one
            for own in answers.values()
            for one in own
            if (one.clusters > 0).any() and not says_failure(one.same, self.settings.siblings)
        ]
        harmless = self._with_load(everyone, risen, lead)
        return {
            place: _shares(looked[place].grid, cells[place], own, harmless, lead.before)
            for place, own in answers.items()
        }

    def _asked(self, place: int, own: Looked, cells: AbnormalCells) -> Iterator[Asked]:
        if own.group.subject is not None or own.model is None:
            return
        _, peaks = cells.intervals(self.settings.min_length, self.settings.merge_gap)
        if not peaks.size:
            return
        by_id = {one.series_id: one for one in own.group.series}
        known = ~np.isnan(cells.expected)
        for row in np.unique(cells.row[peaks]).tolist():
            series = by_id[int(own.grid.series_id[row])]
            at = _row(cells, row)
            columns = cells.column[at][known[at]]
            if series.entity.get("workload") and columns.size:
                yield Asked(place, row, series, columns)

    def _everyone(self, asked: Mapping[int, Asked]) -> Members:
        """All that the workloads of these series do, in all clusters."""
        workloads = {str(one.series.entity["workload"]) for one in asked.values()}
        since = self.between.start
        return members(self.snapshot, self.settings, since, self.but_not, workloads)

    def _answers(
        self, block: Members, looked: Sequence[Looked], asked: Mapping[int, Asked], lead: Lead
    ) -> Iterator[Answer]:
        rows, panel = read_rows(self.snapshot, block, self._reach(lead), self.settings.step)
        row_of = dict(zip(block.series_id.tolist(), block.row.tolist(), strict=True))
        places: dict[int, list[int]] = defaultdict(list)
        for one in panel.series_id.tolist():
            if one in asked:
                places[asked[one].place].append(one)
        drafts: list[tuple[Answer, int]] = []
        known: dict[int, tuple[Same, frozenset[int]]] = {}
        for place, ids in places.items():
            for answer in rescored(looked[place], rows_of(panel, np.array(ids)), asked, lead):
                row = row_of[answer.asked.series.series_id]
                group = int(block.group[row])
                if group not in known:
                    known[group] = (block.same(row), frozenset(block.ids_of(group).tolist()))
                same, siblings = known[group]
                drafts.append((dataclasses.replace(answer, same=same, siblings=siblings), row))
        if not drafts:
            return
        at = {one: line for line, one in enumerate(panel.series_id.tolist())}
        values = panel.values[[at[one.asked.series.series_id] for one, _ in drafts]]
        own = np.array([row for _, row in drafts], np.int64)
        counts = judged([one for one, _ in drafts], values, block, own, rows.plain)
        for (one, _), clusters in zip(drafts, counts, strict=True):
            if clusters.any():
                yield dataclasses.replace(one, clusters=clusters)

    def _with_load(self, everyone: Members, risen: Sequence[Answer], lead: Lead) -> dict[int, Bool]:
        """In which columns of what has risen everywhere load had risen as well, by series."""
        settings = self.settings.siblings
        out: dict[int, Bool] = {}
        waiting: dict[tuple[str | None, str], list[Answer]] = defaultdict(list)
        for one in risen:
            if is_load(one.same, settings):
                out[one.asked.series.series_id] = one.clusters > 0
            else:
                waiting[one.same.namespace, one.same.workload].append(one)
        if not waiting:
            return out
        loads = everyone.where(
            lambda same: (same.namespace, same.workload) in waiting and is_load(same, settings)
        )
        for block in loads.blocks(self.settings.block_series):
            rows, _ = read_rows(self.snapshot, block, self._reach(lead), self.settings.step)
            clusters = block.clusters()
            drafts: list[tuple[Answer, int]] = []
            for row in range(block.n_rows):
                same = block.same(row)
                drafts += [
                    (one, row)
                    for one in waiting[same.namespace, same.workload]
                    if one.asked.series.cluster == clusters[row]
                ]
            if not drafts:
                continue
            own = np.array([row for _, row in drafts], np.int64)
            values = rows.plain.values[own]
            counts = judged([one for one, _ in drafts], values, block, own, rows.plain)
            for (one, _), found in zip(drafts, counts, strict=True):
                key = one.asked.series.series_id
                out[key] = out.get(key, np.zeros(found.shape, np.bool_)) | (found > 0)
        return out

    def _reach(self, lead: Lead) -> TimeRange:
        start = self.between.start - (lead.context + lead.before) * self.settings.step
        return TimeRange(start, self.between.end)


def _row(cells: AbnormalCells, row: int) -> slice:
    """Where the cells of a row are."""
    begin, end = np.searchsorted(cells.row, [row, row + 1])
    return slice(int(begin), int(end))


def _shares(
    grid: Grid,
    cells: AbnormalCells,
    answers: Sequence[Answer],
    harmless: Mapping[int, Bool],
    before: int,
) -> Shares:
    shape = (int(cells.row.max()) + 1, cells.n_times)
    shared, told = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for one in answers:
        here = one.clusters != 0
        shared[one.asked.row] = here[before:]
        risen = (one.clusters > 0) & harmless.get(one.asked.series.series_id, np.False_)
        told[one.asked.row] = (here & ~risen)[before:]
    at = (cells.row, cells.column)
    by_id = {one.asked.series.series_id: one for one in answers}
    return Shares(grid, ~shared[at], told[at], by_id, before)
