"""Families of series, and a sample of each with its clean history: what a choice is made on."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import xxhash

from detectors import Panel
from detectors.families import Limits
from detectors.selection import Sample
from lake import TimeRange
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import to_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.anomaly_rows import LONGEST_INTERVAL, Row
from orchestration.steps.claims import matching
from orchestration.steps.groups import OUTSIDE_NAMESPACES
from orchestration.steps.panels import SeriesInfo, choose_series, read_panel
from orchestration.steps.training import MOST_LEFT_OUT

LEAST_FILLED = 0.5
"""Of each third of the history, so much must be there and clean: else it is another family member
that is looked at."""

LARGEST_ENTITY = 128
"""An entity of more series is not looked at: it alone would cost more than all the rest."""

ENTITIES = ("pod", "node", "instance", "service", "workload")
"""What siblings of a series have in common, closest first."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all families are sampled from.

    Attributes:
        families: by metric, all its series.
        members: series by kind of entity and by the entity.
        flagged: rows of `anomalies` in the range.
    """

    families: Mapping[str, Sequence[SeriesInfo]]
    members: Mapping[tuple[str, ...], Sequence[SeriesInfo]]
    flagged: Sequence[Row]


FLAGGED = f"""
SELECT cluster, metric, series_id, {", ".join(ENTITY_COLUMNS)}, start, "end"
FROM anomalies
WHERE date >= $first_day AND date <= $last_day AND start < $end AND "end" > $start
"""  # noqa: S608 - column names are ours


def read_fleet(
    snapshot: Snapshot, settings: DetectionSettings, between: TimeRange, metric: str
) -> Fleet:
    """Families of metrics that a pattern names and the settings choose, by name.

    Args:
        snapshot: where they are.
        settings: which metrics are scored at all.
        between: the history; series that ended before its end are left out.
        metric: a regular expression, whole name.
    """
    series = [
        one
        for one in choose_series(snapshot, settings, between.end)
        if one.first_seen is None or one.first_seen < between.end
    ]
    wanted = matching({one.metric for one in series}, metric)
    families: dict[str, list[SeriesInfo]] = defaultdict(list)
    members: dict[tuple[str, ...], list[SeriesInfo]] = defaultdict(list)
    for one in series:
        if one.metric in wanted:
            families[one.metric].append(one)
        for by in ENTITIES:
            if one.entity[by]:
                members[_entity(one, by)].append(one)
    reach = TimeRange(between.start - LONGEST_INTERVAL, between.end)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "start": between.start,
        "end": between.end,
    }
    flagged = run(snapshot, FLAGGED, params, reach).rows.to_pylist()
    return Fleet(dict(sorted(families.items())), members, flagged)


def _entity(one: SeriesInfo, by: str) -> tuple[str, ...]:
    namespace = None if by in OUTSIDE_NAMESPACES else one.entity["namespace"]
    return (by, one.cluster, namespace or "", one.entity[by] or "")


def first_sample(snapshot: Snapshot) -> datetime | None:
    """When the lake's history begins; None = it has none."""
    files = snapshot.tables["samples"].files
    return min((file.first for file in files if file.first), default=None)


def draw_sample(
    snapshot: Snapshot,
    settings: DetectionSettings,
    fleet: Fleet,
    metric: str,
    between: TimeRange,
    most: int,
    entities: Sequence[str] | None = None,
) -> Sample | None:
    """Some series of a family with the siblings of their entities, what was flagged left out.

    Which ones depends on their names alone: the clusters in turn, and of every family those of the
    same pods, so that an entity's model serves several families.

    Args:
        snapshot: where they are.
        settings: the step.
        fleet: of `read_fleet`.
        metric: the family.
        between: whole columns.
        most: series of the family, at most.
        entities: kinds whose siblings are read, too; None = the closest that has any.

    Returns:
        None where no series has history enough.
    """
    # As many again, for those that have gaps.
    drawn = _in_turn(fleet.families[metric])[: 2 * most]
    panel = _clean(read_panel(snapshot, drawn, between, settings.step), drawn, fleet.flagged)
    filled = set(panel.series_id[_filled(panel.values)].tolist())
    targets = [one for one in drawn if one.series_id in filled][:most]
    if not targets:
        return None
    kinds = _closest(targets, fleet) if entities is None else entities
    own = {by: [_siblings(one, by, fleet) for one in targets] for by in kinds}
    others = {one.series_id: one for groups in own.values() for group in groups for one in group}
    known = list(({one.series_id: one for one in targets} | others).values())
    panel = _clean(read_panel(snapshot, known, between, settings.step), known, fleet.flagged)
    place = {int(one): row for row, one in enumerate(panel.series_id)}
    rows = {
        by: [
            np.array([place[one.series_id] for one in group if one.series_id in place], np.int64)
            for group in groups
        ]
        for by, groups in own.items()
    }
    limits = Limits.of([one.family for one in known], [one.series_id for one in known])
    places = np.array([place[one.series_id] for one in targets], np.int64)
    return Sample(panel, places, rows, limits)


def _in_turn(family: Sequence[SeriesInfo]) -> list[SeriesInfo]:
    """In an order of chance that is always the same, a series of each cluster at a time."""

    def lot(one: SeriesInfo) -> str:
        names = [one.cluster, *(one.entity[by] for by in ("namespace", *ENTITIES))]
        return xxhash.xxh3_64_hexdigest(json.dumps(names).encode())

    turns: Counter[str] = Counter()
    order = []
    for one in sorted(family, key=lambda one: (lot(one), one.series_id)):
        order.append((turns[one.cluster], one))
        turns[one.cluster] += 1
    return [one for _, one in sorted(order, key=lambda turn: turn[0])]


def _closest(targets: Sequence[SeriesInfo], fleet: Fleet) -> list[str]:
    """The kind of entity in which most of the targets have siblings, the closest of equals."""
    with_siblings = {
        by: sum(len(_siblings(one, by, fleet)) > 1 for one in targets) for by in ENTITIES
    }
    best = max(ENTITIES, key=lambda by: with_siblings[by])
    return [best] if with_siblings[best] else []


def _siblings(one: SeriesInfo, by: str, fleet: Fleet) -> Sequence[SeriesInfo]:
    """All series of the entity, the series itself too; none where it is alone, or one of many."""
    if not one.entity[by]:
        return ()
    own = fleet.members[_entity(one, by)]
    return own if 1 < len(own) <= LARGEST_ENTITY else ()


def _filled(values: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    thirds = np.array_split(np.isfinite(values), 3, axis=1)
    filled: npt.NDArray[np.bool_] = np.all(
        [part.mean(axis=1) >= LEAST_FILLED for part in thirds], axis=0
    )
    return filled


def _clean(panel: Panel, series: Sequence[SeriesInfo], flagged: Sequence[Row]) -> Panel:
    """The panel with NaN for what any detector has flagged, of the series or an entity of it."""
    if not flagged or not panel.n_series:
        return panel
    known = {one.series_id: one for one in series}
    of_series: dict[int, list[Row]] = defaultdict(list)
    of_entities: dict[str, list[Row]] = defaultdict(list)
    for row in flagged:
        if row["series_id"] is not None:
            of_series[row["series_id"]].append(row)
        elif row["metric"] is not None:
            # Those without a metric are not about samples: events, say.
            of_entities[row["cluster"]].append(row)
    values = panel.values.copy()
    for place, series_id in enumerate(panel.series_id.tolist()):
        one = known[series_id]
        own = [row for row in of_entities[one.cluster] if _about(row, one)]
        for row in own + of_series[series_id]:
            first = (to_micros(row["start"]) - panel.start) // panel.step
            last = -((panel.start - to_micros(row["end"])) // panel.step)
            values[place, max(first, 0) : max(last, 0)] = np.nan
    was = np.isfinite(panel.values).sum(axis=1)
    lost = was - np.isfinite(values).sum(axis=1)
    # What lasts so long is the series' new ways: training learns it, too.
    kept = lost > MOST_LEFT_OUT * was
    values[kept] = panel.values[kept]
    return panel.with_values(values)


def _about(row: Row, one: SeriesInfo) -> bool:
    named = [name for name in ENTITY_COLUMNS if row[name] is not None]
    return bool(named) and all(one.entity[name] == row[name] for name in named)
