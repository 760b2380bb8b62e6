"""The series a receiver knows: numbered, ordered as the lake sorts them, described once.

A number is a place in a few flat arrays, so that a flush of millions of samples touches no Python
object per sample. Numbers live as long as the process; the lake knows series by `series_id`.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.errors import TooManySeriesError
from ingest.remote_write.decode import KINDS
from ingest.remote_write.message import Metadata
from ingest.series import Series, kind_by_name
from lake.schema import ENTITY_COLUMNS, SERIES

Ints = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


PART_SUFFIXES = ("_total", "_count", "_sum", "_bucket")
"""What a series' name has beyond its family's."""

KEYS_A_SERIES = 2
"""A sender names a series by the same bytes each time; two of a pair of replicas may differ. Keys
beyond that are not remembered: their series are then identified anew with each request."""

MAX_FAMILIES, MAX_HELP = 100_000, 1024
"""Descriptions kept, and characters of each help text: 100 MB at the very worst."""

UNBOUNDED = 1 << 31
"""Numbers of series are 32 bits."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Per series number, what `samples` rows of it hold; `rank` is its place in the sort order."""

    clusters: pa.Array
    cluster_code: Ints
    metrics: pa.Array
    metric_code: Ints
    series_id: Ints
    rank: Ints


class Catalogue:
    """All series seen by this process. Thread-safe.

    Args:
        max_series: series beyond this are refused; it may be set later.
    """

    def __init__(self, max_series: int = UNBOUNDED) -> None:
        self.max_series = max_series
        self._lock = threading.RLock()
        self._by_key: dict[str | None, dict[bytes, int]] = {}
        self._n_keys = 0
        self._by_id: dict[int, int] = {}
        self._series: list[Series] = []
        self._by_metric: dict[str, list[int]] = defaultdict(list)
        self._cluster_names: dict[str, int] = {}
        self._cluster_codes = np.zeros(1024, np.int32)
        self._families: dict[tuple[str | None, str], Metadata] = {}
        self._columns: Columns | None = None
        self._described = 0
        self._redescribed: dict[int, int] = {}
        self._first_written = np.empty(0, np.int64)
        self._last_written = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._series)

    def find(self, keys: list[bytes], default_cluster: str | None) -> list[int | None]:
        """The number of each key as sent, None where it was never seen."""
        known = self._by_key.get(default_cluster, {})
        return list(map(known.get, keys))

    def add(self, key: bytes, default_cluster: str | None, series: Series) -> int:
        """Number the series and remember the bytes by which its sender names it.

        Raises:
            TooManySeriesError: it is new, and no more fit.
        """
        with self._lock:
            number = self.number(series)
            if self._n_keys < KEYS_A_SERIES * self.max_series:
                keys = self._by_key.setdefault(default_cluster, {})
                self._n_keys += key not in keys
                keys[key] = number
            return number

    def number(self, series: Series) -> int:
        """The series' number; a new one if need be."""
        with self._lock:
            number = self._by_id.get(series.series_id)
            if number is None:
                number = len(self._series)
                if number >= self.max_series:
                    raise TooManySeriesError(self.max_series)
                self._series.append(series)
                self._by_metric[series.metric].append(number)
                if number == len(self._cluster_codes):
                    self._cluster_codes = np.resize(self._cluster_codes, 2 * number)
                code = self._cluster_names.setdefault(series.cluster, len(self._cluster_names))
                self._cluster_codes[number] = code
                self._by_id[series.series_id] = number
                self._columns = None
            return number

    def describe(
        self, metadata: Sequence[Metadata], clusters: Sequence[str | None] = (None,)
    ) -> None:
        """Take notice of what metric families are in these clusters; changed ones are written.

        What is told of no cluster (None) stands in where a cluster has no word of its own. The
        first one stays: senders that differ would have each other's series written at every turn.
        """
        with self._lock:
            changed = [
                (cluster, one.family)
                for cluster in clusters
                for one in metadata
                if self._learn(cluster, one)
            ]
            if not changed:
                return
            self._described += 1
            for cluster, family in changed:
                for suffix in ("", *PART_SUFFIXES):
                    for number in self._by_metric.get(family + suffix, ()):
                        if cluster in (None, self._series[number].cluster):
                            self._redescribed[number] = self._described

    def _learn(self, cluster: str | None, metadata: Metadata) -> bool:
        """Keep a description; whether it is worth writing its series again.

        Another help text alone is not.
        """
        key = (cluster, metadata.family)
        known = self._families.get(key)
        if known == metadata or (known is not None and cluster is None):
            return False
        if known is None and len(self._families) >= MAX_FAMILIES:
            return False
        self._families[key] = replace(metadata, help=metadata.help[:MAX_HELP])
        return known is None or (known.kind, known.unit) != (metadata.kind, metadata.unit)

    def name(self, number: int) -> str:
        """The series as a person would write it."""
        return str(self._series[number])

    def count_by_cluster(self, numbers: npt.NDArray[np.int32]) -> list[tuple[str, int]]:
        """How many of these series numbers, repeats included, are of each cluster."""
        with self._lock:
            names, counts = list(self._cluster_names), np.bincount(self._cluster_codes[numbers])
        return [(names[code], int(counts[code])) for code in np.flatnonzero(counts)]

    def columns(self) -> Columns:
        """The arrays of all series, as of now."""
        with self._lock:
            if self._columns is None:
                self._columns = _columns(self._series)
                grown = len(self._series) - len(self._last_written)
                self._first_written = np.append(self._first_written, np.full(grown, NEVER))
                self._last_written = np.append(self._last_written, np.full(grown, -1))
            return self._columns

    def due(self, numbers: Ints, first_us: Ints, last_us: Ints) -> npt.NDArray[np.bool_]:
        """Which of these series need a row in `series`.

        A series is written when it is new, seen on a later day than written, earlier than written,
        or described differently: `last_seen` in the lake is exact to the day, at one row a day.
        """
        day = 86_400_000_000
        with self._lock:
            due = last_us // day > self._last_written[numbers] // day
            due |= first_us < self._first_written[numbers]
            if self._redescribed:
                due |= np.isin(numbers, np.fromiter(self._redescribed, np.int64))
            return due

    def described(self) -> int:
        """How often descriptions have changed: ask before `rows`, for `mark_written` after it."""
        return self._described

    def mark_written(self, numbers: Ints, first_us: Ints, last_us: Ints, described: int) -> None:
        """Remember that rows for these series, made after `described`, are in the lake."""
        with self._lock:
            for number in numbers.tolist() if self._redescribed else ():
                # A description that came while the rows were written is still to be written.
                if self._redescribed.get(number, described + 1) <= described:
                    del self._redescribed[number]
            self._first_written[numbers] = np.minimum(self._first_written[numbers], first_us)
            self._last_written[numbers] = np.maximum(self._last_written[numbers], last_us)

    def rows(self, numbers: Ints, first_us: Ints, last_us: Ints) -> pa.Table:
        """Rows of the table `series`."""
        with self._lock:
            chosen = [self._series[number] for number in numbers]
            about = [self._about(series.cluster, series.metric) for series in chosen]
        columns = {
            "cluster": [series.cluster for series in chosen],
            "metric": [series.metric for series in chosen],
            "series_id": [series.series_id for series in chosen],
            "labels": [list(series.labels) for series in chosen],
            "kind": [kind for kind, _, _ in about],
            "unit": [unit for _, unit, _ in about],
            "help": [text for _, _, text in about],
            "first_seen": first_us,
            "last_seen": last_us,
        }
        for name in ENTITY_COLUMNS:
            columns[name] = [series.entity.get(name) for series in chosen]
        return pa.table(
            [pa.array(columns[field.name], field.type) for field in SERIES.schema],
            schema=SERIES.schema,
        )

    def _about(self, cluster: str, metric: str) -> tuple[str, str | None, str | None]:
        names = (metric, *_family_names(metric))
        for key in [(whose, name) for whose in (cluster, None) for name in names]:
            family = self._families.get(key)
            if family is not None and family.kind in KINDS:
                kind = KINDS[family.kind]
                # A histogram's and a summary's parts are counters, whatever the family is called.
                if kind in {"histogram", "summary"}:
                    kind = kind_by_name(metric)
                return kind, family.unit or None, family.help or None
        return kind_by_name(metric), None, None


def _family_names(metric: str) -> set[str]:
    names = {metric}
    for suffix in PART_SUFFIXES:
        names.add(metric.removesuffix(suffix))
    return names


def _columns(series: list[Series]) -> Columns:
    clusters, cluster_code = _codes([s.cluster for s in series])
    metrics, metric_code = _codes([s.metric for s in series])
    series_id = np.fromiter((s.series_id for s in series), np.int64, len(series))
    rank = np.empty(len(series), np.int64)
    rank[np.lexsort((series_id, metric_code, cluster_code))] = np.arange(len(series))
    return Columns(
        clusters=clusters,
        cluster_code=cluster_code,
        metrics=metrics,
        metric_code=metric_code,
        series_id=series_id,
        rank=rank,
    )


def _codes(names: list[str]) -> tuple[pa.Array, Ints]:
    """The distinct names in order, and the place of each name among them."""
    encoded = pa.array(names, pa.string()).dictionary_encode()
    order = np.asarray(pc.sort_indices(encoded.dictionary))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return encoded.dictionary.take(pa.array(order)), place[np.asarray(encoded.indices)]
