"""The series a receiver knows: numbered, so that a sample is three numbers until it is written.

A number is a place in a few flat arrays; nothing here is an object per sample, and per series only
the bytes of its labels are (some 600 bytes in all, with ten labels). Numbers live as long as the
process and the series: one that is idle is forgotten, and its number given to another once nothing
in flight can mean the old one. The lake knows series by `series_id`.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.columns import Columns
from ingest.errors import InvalidLabelsError, TooManyLabelsError, TooManySeriesError
from ingest.families import Families, Metadata, members
from ingest.keys import ABSENT, KeyTable, Numbers
from ingest.ledger import Ledger, with_room
from ingest.names import Names
from ingest.naming import Named
from ingest.replica_tags import ReplicaTags
from ingest.series import Series, pairs_of, shown
from ingest.series_rows import series_rows

Ints = npt.NDArray[np.int64]

KEYS_A_SERIES = 4
"""A sender names a series by the same bytes each time; two of a pair of replicas differ, and what a
rule drops has keys too. Keys beyond that are not remembered: they are read with each request."""

UNBOUNDED = (1 << 31) - 1  # numbers of series are 32 bits

ID_TAKEN = "another series has its 64-bit id: change one of its labels"

DROPPED, OVER_LIMIT, COLLIDING = -2, -3, -5
"""In place of a number: left out by a rule; the cluster has too many; other labels have this id."""

_FIRST_ROOM = 1024
MICROS_A_MILLI = 1000


class Catalogue:
    """All series seen by this process. Thread-safe.

    Args:
        max_series: series beyond this are refused; it may be set later.
        max_of_cluster: series of one cluster beyond this are not numbered; it may be set later.
    """

    def __init__(self, max_series: int = UNBOUNDED, max_of_cluster: int = UNBOUNDED) -> None:
        self.max_series = max_series
        self.max_of_cluster = max_of_cluster
        self.max_label_bytes = UNBOUNDED
        self.label_bytes = 0
        self.keys = KeyTable()
        self._lock = threading.RLock()
        self._by_id = KeyTable()
        self._labels: list[bytes] = []
        self._clusters, self._metrics = Names(), Names()
        self.replicas = ReplicaTags()
        self._id = np.empty(_FIRST_ROOM, np.int64)
        self._cluster, self._metric = np.zeros((2, _FIRST_ROOM), np.int32)
        self._active_at, self._started_ms = np.zeros((2, _FIRST_ROOM), np.int64)
        self._alive = np.zeros(_FIRST_ROOM, np.bool_)
        self._n_alive = 0
        self._of_cluster: dict[int, int] = {}
        self._free: list[int] = []
        self._resting: list[tuple[int, Ints]] = []
        self._families = Families()
        self.ledger = Ledger()

    def __len__(self) -> int:
        return self._n_alive

    def number(self, series: Series) -> int:
        """The series' number; a new one if need be.

        Raises:
            TooManySeriesError: it is new, and no more fit.
            InvalidLabelsError: other labels have its id.
        """
        number = int(self.number_all(Named.of([series]), 0)[0])
        if number < 0:
            raise InvalidLabelsError(series, ID_TAKEN)
        return number

    def number_all(self, named: Named, now_us: int) -> Numbers:
        """The numbers of series; `OVER_LIMIT` for new ones of a cluster that has too many.

        Raises:
            TooManySeriesError: some are new, and no more fit; none was added.
        """
        # Ids are no secret: hashed again, so that nobody can choose them to fill one place.
        places = np.arange(len(named.ids), dtype=np.int64) * named.ids.itemsize
        data = np.ascontiguousarray(named.ids).view(np.uint8)
        keys = self._by_id.hash(data, places, places + named.ids.itemsize, b"")
        with self._lock:
            numbers, _, missing = self._by_id.find(keys)
            if not missing:
                return self._checked(numbers, named)
            _, first = np.unique(named.ids, return_index=True)  # one id may be there twice
            new = first[numbers[first] == ABSENT]
            if self._n_alive + len(new) > self.max_series:
                raise TooManySeriesError(self.max_series)
            if self.label_bytes + sum(len(named.labels[n]) for n in new) > self.max_label_bytes:
                raise TooManyLabelsError(self.max_label_bytes)
            added = self._add(named, new, now_us)
            kept = added >= 0
            self._by_id.add(keys[new[kept]], added[kept], np.zeros(int(kept.sum()), np.int32))
            numbers, _, _ = self._by_id.find(keys)
            numbers[numbers == ABSENT] = OVER_LIMIT
            return self._checked(numbers, named)

    def _checked(self, numbers: Numbers, named: Named) -> Numbers:
        """Ids have 64 bits and no secret: who searches finds labels with the id of another series.

        They must not be taken for it.
        """
        for place, number in enumerate(numbers.tolist()):
            if number >= 0 and self._labels[number] != named.labels[place]:
                numbers[place] = COLLIDING
        return numbers

    def remember(self, keys: npt.NDArray[np.uint64], numbers: Numbers, tags: Numbers) -> None:
        """Remember the keys by which a sender names these series, as far as there is room."""
        with self._lock:
            # A series may have been forgotten since it was numbered: its key must not be known.
            kept = (numbers < 0) | self._alive[numbers]
            if len(self.keys) + len(keys) <= KEYS_A_SERIES * self.max_series:
                self.keys.add(keys[kept], numbers[kept], tags[kept])

    def _add(self, named: Named, places: Ints, now_us: int) -> Numbers:
        """Number series that are new; `OVER_LIMIT` where their cluster has too many."""
        # First of all, since memory may run out: nothing must be half numbered then.
        self._make_room(len(self._labels) + max(len(places) - len(self._free), 0))
        added: list[int] = []
        codes: list[tuple[int, int]] = []
        for place in places.tolist():
            known = self._clusters.find(named.clusters[place])
            if known is not None and self._of_cluster.get(known, 0) >= self.max_of_cluster:
                added.append(OVER_LIMIT)
                continue
            cluster = self._clusters.hold(named.clusters[place])
            codes.append((cluster, self._metrics.hold(named.metrics[place])))
            self.label_bytes += len(named.labels[place])
            if not self._free:
                self._free.append(len(self._labels))
                self._labels.append(b"")
            added.append(self._free.pop())
            self._labels[added[-1]] = named.labels[place]
            self._of_cluster[cluster] = self._of_cluster.get(cluster, 0) + 1
        numbers = np.array(added, np.int32)
        fresh = numbers[numbers >= 0]
        self.ledger.begin(fresh)
        self._id[fresh] = named.ids[places[numbers >= 0]]
        self._cluster[fresh], self._metric[fresh] = np.array(codes, np.int32).reshape(-1, 2).T
        self._active_at[fresh], self._started_ms[fresh], self._alive[fresh] = now_us, 0, True
        self._n_alive += len(fresh)
        return numbers

    def _make_room(self, n: int) -> None:
        """For so many numbers. Arrays that others hold stay right for the numbers they know."""
        self.ledger.make_room(n)
        for name in ("_id", "_cluster", "_metric", "_active_at", "_started_ms", "_alive"):
            setattr(self, name, with_room(getattr(self, name), n, 0))

    def describe(
        self, metadata: Sequence[Metadata], clusters: Sequence[str | None] = (None,)
    ) -> None:
        """Take notice of what metric families are in these clusters; changed ones are written."""
        with self._lock:
            changed = self._families.learn(metadata, clusters)
            if not changed:
                return
            chosen = np.zeros(len(self._alive), np.bool_)
            for cluster in {cluster for cluster, _ in changed}:
                of_cluster = [family for whose, family in changed if whose == cluster]
                chosen |= self._of(of_cluster, cluster)
            self.ledger.redescribe(np.flatnonzero(chosen & self._alive))

    def _of(self, families: Sequence[str], cluster: str | None) -> npt.NDArray[np.bool_]:
        """Which series are of these families, in one cluster or (None) in all."""
        metrics = [self._metrics.find(name.encode()) for of in families for name in members(of)]
        wanted = np.zeros(len(self._metrics) + 1, np.bool_)
        wanted[[code for code in metrics if code is not None]] = True
        chosen: npt.NDArray[np.bool_] = wanted[self._metric]
        if cluster is not None:
            code = self._clusters.find(cluster.encode())
            chosen &= self._cluster == (-1 if code is None else code)
        return chosen

    def senders(self, numbers: Numbers, tags: Numbers) -> dict[tuple[int, int], tuple[str, str]]:
        """By (code of the cluster, tag), the cluster and replica of these series."""
        pairs = np.unique(np.stack([self._cluster[numbers], tags]), axis=1).T.tolist()
        return {(code, tag): (self._clusters[code], self.replicas.name(tag)) for code, tag in pairs}

    def cluster_codes(self, numbers: Numbers) -> Numbers:
        """A number for the cluster of each series."""
        return self._cluster[numbers]

    def cluster_of(self, number: int) -> str:
        """The cluster of a series."""
        return self._clusters[int(self._cluster[number])]

    def metric_of(self, number: int) -> str:
        """Its metric."""
        return self._metrics[int(self._metric[number])]

    def name(self, number: int) -> str:
        """The series as a person would write it."""
        return shown(pairs_of(self._labels[number]))

    def count_by_cluster(self, numbers: Numbers) -> list[tuple[str, int]]:
        """How many of these series numbers, repeats included, are of each cluster."""
        counts = np.bincount(self._cluster[numbers]) if len(numbers) else np.zeros(0, int)
        present = np.flatnonzero(counts).tolist()
        return [(self._clusters[code], int(counts[code])) for code in present]

    def active_by_cluster(self) -> dict[str, int]:
        """How many series each cluster has."""
        with self._lock:
            return {self._clusters[code]: n for code, n in self._of_cluster.items() if n}

    def columns(self) -> Columns:
        """The arrays of all series, as of now."""
        with self._lock:
            clusters, cluster_rank = self._clusters.ordered()
            metrics, metric_rank = self._metrics.ordered()
            return Columns(
                clusters, self._cluster, cluster_rank, metrics, self._metric, metric_rank, self._id
            )

    def rows(self, numbers: Ints, first_us: Ints, last_us: Ints) -> pa.Table:
        """Rows of the table `series`."""
        with self._lock:
            labels = [self._labels[number] for number in numbers.tolist()]
            clusters = [self._clusters[code] for code in self._cluster[numbers].tolist()]
            metrics = [self._metrics[code] for code in self._metric[numbers].tolist()]
            named = list(zip(clusters, metrics, strict=True))
            described = {one: self._families.describe(*one) for one in set(named)}
            about = [described[one] for one in named]
        return series_rows(self._id[numbers], labels, clusters, metrics, about, first_us, last_us)

    def mark_active(self, numbers: Ints, last_us: Ints, now_us: int) -> None:
        """Note that these series have sent something by now, and until when it reaches."""
        with self._lock:
            self._active_at[numbers] = now_us
            # What is stored is stored: no counter can begin before it any more.
            last_ms = last_us // MICROS_A_MILLI
            self._started_ms[numbers] = np.maximum(self._started_ms[numbers], last_ms)

    def note_starts(self, numbers: Ints, starts_ms: Ints) -> Ints:
        """Note when these counters began; gives the newest start of each that was noted before."""
        with self._lock:
            before_ms: Ints = self._started_ms[numbers]
            self._started_ms[numbers] = np.maximum(before_ms, starts_ms)
            return before_ms

    def forget_starts(self, numbers: Ints, starts_ms: Ints, before_ms: Ints) -> None:
        """Take back what `note_starts` noted, where it still is the newest."""
        with self._lock:
            newest = self._started_ms[numbers] == starts_ms
            self._started_ms[numbers[newest]] = before_ms[newest]

    def forget(self, before_us: int, next_ticket: Callable[[], int]) -> int:
        """Forget series that have sent nothing since; how many.

        Args:
            before_us: the receiver's clock.
            next_ticket: gives the next request's ticket; asked once no request finds them. Until
                `release` is told that the earlier ones are through, their numbers rest.
        """
        with self._lock:
            gone = self._alive & (self._active_at < before_us)
            numbers = np.flatnonzero(gone)
            self.keys.remove(gone)  # also of series that are left out, which are never idle
            if not len(numbers):
                return 0
            self._alive[numbers] = False
            self._n_alive -= len(numbers)
            for code, count in enumerate(np.bincount(self._cluster[numbers]).tolist()):
                if count:
                    self._of_cluster[code] -= count
            self._by_id.remove(gone)
            self._resting.append((next_ticket(), numbers))
            return len(numbers)

    def release(self, ticket: int) -> None:
        """Give numbers away again that were forgotten by `ticket`: nothing in flight means them."""
        with self._lock:
            while self._resting and self._resting[0][0] <= ticket:
                numbers = self._resting.pop(0)[1].tolist()
                self._free.extend(numbers)
                for number in numbers:
                    self.label_bytes -= len(self._labels[number])
                    self._labels[number] = b""
                    self._clusters.release(int(self._cluster[number]))
                    self._metrics.release(int(self._metric[number]))
