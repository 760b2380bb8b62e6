"""Which series are the same thing in several clusters, and their panel with one row a cluster.

Series belong together that differ only in labels which say where they are (`siblings.places`): the
same metric, namespace, workload and all other labels. What has no workload (a node, the control
plane) has no siblings, and neither has what fewer than three clusters have: of two nobody knows
which of them departs.

A row stands for all pods of a workload in one cluster. Its id is that of a series without the
labels of places: the same in every process and version, so its anomalies are filed under it as
those of series are.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.families import Family, Limits, read_as
from detectors.siblings import LEAST_SIBLINGS
from ingest.series import series_id
from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from lake.timerange import EPOCH
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.families import lookup
from orchestration.steps.panels import SeriesInfo
from orchestration.steps.siblings.queries import KEYS, MEMBERS

Int64 = npt.NDArray[np.int64]

DAY = timedelta(days=1)

Known = Mapping[str, tuple[Family, bool]]
"""The family of what has a key, and whether it is read as a counter."""


class Same(NamedTuple):
    r"""What is the same in several clusters; a label is its name, `\x01`, and its value."""

    metric: str
    namespace: str | None
    workload: str
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Members:
    """Series that have siblings, by group, cluster, id: arrays over series.

    Attributes:
        table: what the lake knows of each.
        series_id: int64.
        row: int64, ascending from 0: the cluster's row that each belongs to.
        group: int64 `[n_rows]`, ascending from 0: the group of each row.
        first: int64 `[n_rows]`, the first series of each row.
        row_id: int64 `[n_rows]`, the id of each row.
        known: the families of them all.
    """

    table: pa.Table
    series_id: Int64
    row: Int64
    group: Int64
    first: Int64
    row_id: Int64
    known: Known

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.group)

    @cached_property
    def bounds(self) -> Int64:
        """int64 `[n_groups + 1]`: where each group's rows begin."""
        n_groups = int(self.group[-1]) + 1 if len(self.group) else 0
        return np.searchsorted(self.group, np.arange(n_groups + 1)).astype(np.int64)

    def blocks(self, most_series: int) -> Iterator["Members"]:
        """Whole groups, of about so many series together."""
        if not self.n_rows:
            return
        ends = np.append(self.first, len(self.row))[self.bounds[1:]]
        begin = 0
        while begin < len(ends):
            held = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, held + most_series, "right")))
            yield self._cut(begin, end)
            begin = end

    def _cut(self, first_group: int, end_group: int) -> "Members":
        low, high = (int(edge) for edge in self.bounds[[first_group, end_group]])
        edges = np.append(self.first, len(self.row))
        series = slice(int(edges[low]), int(edges[high]))
        return Members(
            self.table.slice(series.start, series.stop - series.start),
            self.series_id[series],
            self.row[series] - low,
            self.group[low:high] - first_group,
            self.first[low:high] - series.start,
            self.row_id[low:high],
            self.known,
        )

    def of_row(self, row: int) -> SeriesInfo:
        """What a row is about, as if it were a series."""
        known = self.table.slice(int(self.first[row]), 1).to_pylist()[0]
        entity: dict[str, str | None] = dict.fromkeys(ENTITY_COLUMNS)
        entity |= {"namespace": known["namespace"], "workload": known["workload"]}
        labels = dict(pair.split("\x01", 1) for pair in known["what"])
        entity |= {name: labels[name] for name in ("container", "service") if name in labels}
        family, counter = self.known[known["key"]]
        return SeriesInfo(
            int(self.row_id[row]), known["cluster"], known["metric"], counter, entity, family=family
        )

    def same(self, row: int) -> Same:
        """What a row is, whichever its cluster."""
        known = self.table.slice(int(self.first[row]), 1).to_pylist()[0]
        return Same(known["metric"], known["namespace"], known["workload"], tuple(known["what"]))

    def holding(self, series_id: Int64) -> "Members":
        """The groups of these series."""
        groups = self.group[self.row[np.isin(self.series_id, series_id)]]
        kept = np.isin(self.group[self.row], groups)
        return _numbered(self.table.filter(pa.array(kept)), self.known)

    def ids_of(self, group: int) -> Int64:
        """The series of a group."""
        first = np.append(self.first, len(self.row))
        low, high = first[self.bounds[group]], first[self.bounds[group + 1]]
        return self.series_id[low:high]

    def where(self, wanted: Callable[[Same], bool]) -> "Members":
        """The groups that something is true of."""
        firsts = self.bounds[:-1]
        kept = np.array([wanted(self.same(int(row))) for row in firsts], np.bool_)
        rows = firsts[kept] if kept.size else firsts
        return self.holding(self.series_id[self.first[rows]])

    def of_id(self, row_id: int) -> "Members":
        """The group that has the row of this id."""
        return self.holding(self.series_id[np.isin(self.row_id[self.row], row_id)])

    def limits(self) -> Limits:
        """What of each row does harm."""
        keys = self.table.column("key").take(pa.array(self.first)).to_pylist()
        return Limits.of([self.known[key][0] for key in keys], self.row_id)

    def infos(self) -> list[SeriesInfo]:
        """The series, as they are read."""
        table = self.table.select(["series_id", "cluster", "metric", "key"])
        return [
            SeriesInfo(
                one["series_id"],
                one["cluster"],
                one["metric"],
                self.known[one["key"]][1],
                {},
                family=self.known[one["key"]][0],
            )
            for one in table.to_pylist()
        ]

    def clusters(self) -> Sequence[str]:
        """The cluster of each row."""
        names: list[str] = self.table.column("cluster").take(pa.array(self.first)).to_pylist()
        return names


def members(
    snapshot: Snapshot,
    settings: DetectionSettings,
    since: datetime,
    but_not: Sequence[str] = (),
    workloads: Collection[str] | None = None,
) -> Members:
    """The series that have siblings in at least two other clusters.

    Args:
        snapshot: where they are.
        settings: which metrics, and what counts as the same.
        since: series that had ended before this day are left out.
        but_not: clusters that are nobody's siblings.
        workloads: only of these; None = all.
    """
    own, families = settings.siblings, lookup(settings)
    # Nothing is between the beginning and what is no beginning.
    cut = own.cut or r"\b\B"
    chosen = {
        "since": oldest(since),
        "include": settings.include,
        "exclude": settings.exclude,
        "names": list(families.labels),
        "cut": cut,
        "but_not": list(but_not),
        "workloads": None if workloads is None else _cut(workloads, cut),
    }
    known: dict[str, tuple[Family, bool]] = {}
    for key in sorted(run(snapshot, KEYS, chosen).rows.column("key").to_pylist()):
        metric, kind, *told = key.split("\x01")
        family = families.of(metric, dict(zip(families.labels, told, strict=False)))
        if family.scored:
            known[key] = (family, read_as(family, metric, kind or None) == "rate")
    params = chosen | {
        "keys": list(known),
        "counters": [counter for _, counter in known.values()],
        "places": own.places,
        "siblings": LEAST_SIBLINGS,
    }
    return _numbered(run(snapshot, MEMBERS, params).rows, known)


def _cut(names: Collection[str], pattern: str) -> list[str]:
    """Without what is cut out of them, as the query does."""
    whole = pa.array(sorted(names), pa.string())
    cut = pc.replace_substring_regex(whole, pattern, "", max_replacements=1)
    return sorted(set(cut.to_pylist()))


def oldest(since: datetime) -> datetime:
    """The least `last_seen` of what is not left out: it is exact to the day."""
    return EPOCH + (since - EPOCH) // DAY * DAY - DAY


def _numbered(table: pa.Table, known: Known) -> Members:
    ids = table.column("series_id").to_numpy()
    # Entity columns that were read off otherwise by an older version make two rows of a series.
    _, once = np.unique(ids, return_index=True)
    if len(once) < len(ids):
        table = table.take(pa.array(np.sort(once)))
        ids = table.column("series_id").to_numpy()
    clusters = table.column("cluster").combine_chunks().dictionary_encode()
    cluster = clusters.indices.to_numpy(zero_copy_only=False) if len(ids) else ids
    group = table.column("group").to_numpy()
    new_group = np.diff(group, prepend=-1) != 0
    new = new_group | (np.diff(cluster, prepend=-1) != 0)
    first = np.flatnonzero(new)
    named = table.select(["cluster", "namespace", "workload", "what"]).take(pa.array(first))
    row_id = np.array([_id(one) for one in named.to_pylist()], np.int64)
    return Members(
        table,
        ids,
        np.cumsum(new) - 1,
        (np.cumsum(new_group) - 1)[first],
        first,
        row_id,
        known,
    )


def _id(row: dict[str, object]) -> int:
    """The id of a series with these labels and no other."""
    what = row["what"]
    assert isinstance(what, list)  # noqa: S101 - bug: the query gives a list
    labels = dict(pair.split("\x01", 1) for pair in what)
    labels |= {name: str(row[name]) for name in ("cluster", "namespace", "workload") if row[name]}
    return series_id(sorted(labels.items()))
