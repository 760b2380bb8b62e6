"""What a receiver has done since it started, per cluster, for `/metrics` and `/readyz`."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ingest.catalogue import Catalogue
from ingest.errors import IngestError
from ingest.wires import Taken

MAX_KEYS = 10_000
"""Clusters counted each for itself: senders without tokens can make them up without end."""

MAX_NAME = 255
"""Characters of a cluster's name that is counted for itself."""

OTHER = "other"


@dataclass
class Statistics:
    """Counters; the methods are safe from any thread."""

    samples: Counter[str] = field(default_factory=Counter)
    """Samples logged, by cluster."""
    events: Counter[str] = field(default_factory=Counter)
    """Events logged, by cluster."""
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Samples refused, by cluster and the rule they broke."""
    refused_requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Requests refused whole before their samples could be told apart, by cluster and rule."""
    deduplicated: Counter[str] = field(default_factory=Counter)
    """Samples left out because the other replica's are stored, by cluster."""
    histograms: int = 0
    """Native histograms, each stored as classic series."""
    relabelled: int = 0
    """Samples left out by relabelling."""
    repeated_requests: int = 0
    """Requests answered again without storing them again."""
    stale_markers: int = 0
    exemplars_dropped: int = 0
    flushes: int = 0
    flush_failures: int = 0
    flushed_samples: int = 0
    flushed_events: int = 0
    replayed_records: int = 0
    series_forgotten: int = 0
    last_flush: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def judged(self, taken: Taken) -> None:
        """Count what of a request is left out or refused."""
        if not (taken.refused or taken.deduplicated or taken.relabelled):
            return
        with self._lock:
            _add(self.refused, taken.refused)
            for cluster, count in taken.deduplicated.items():
                _count(self.deduplicated, cluster, count)
            self.relabelled += taken.relabelled

    def refuse(self, refused: Counter[tuple[str, str]]) -> None:
        """Count samples of a request of which nothing is stored."""
        with self._lock:
            _add(self.refused, refused)

    def refuse_request(self, error: BaseException, cluster: str) -> None:
        """Count a request that was refused whole."""
        reason = error.reason if isinstance(error, IngestError) else "bug"
        with self._lock:
            _add(self.refused_requests, Counter({(cluster, reason): 1}))

    def stored(self, taken: Taken, catalogue: Catalogue) -> None:
        """Count what of a request is durable."""
        with self._lock:
            self.histograms += taken.written.histograms
            if taken.samples is not None:
                self.stale_markers += taken.samples.stale
                self.exemplars_dropped += taken.samples.exemplars
                for cluster, count in catalogue.count_by_cluster(taken.samples.series):
                    _count(self.samples, cluster, count)
            if taken.events is not None:
                for cluster in taken.events.column("cluster").to_pylist():
                    _count(self.events, cluster, 1)


def _count(counter: Counter[str], cluster: str, count: int) -> None:
    known = cluster in counter or (len(counter) < MAX_KEYS and len(cluster) <= MAX_NAME)
    counter[cluster if known else OTHER] += count


def _add(counter: Counter[tuple[str, str]], more: Mapping[tuple[str, str], int]) -> None:
    for (cluster, reason), count in more.items():
        known = (cluster, reason) in counter
        known |= len(counter) < MAX_KEYS and len(cluster) <= MAX_NAME
        counter[cluster if known else OTHER, reason] += count
