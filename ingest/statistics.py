"""What a receiver has done since it started, per cluster, for `/metrics` and `/readyz`."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Statistics:
    """Counters; `count` is safe from any thread."""

    samples: Counter[str] = field(default_factory=Counter)
    """Samples logged, by cluster."""
    events: Counter[str] = field(default_factory=Counter)
    """Events logged, by cluster."""
    repeated_requests: int = 0
    """Requests answered again without storing them again."""
    stale_markers: int = 0
    exemplars_dropped: int = 0
    flushes: int = 0
    flush_failures: int = 0
    flushed_samples: int = 0
    flushed_events: int = 0
    replayed_records: int = 0
    last_flush: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, counter: Counter[str], key: str, amount: int = 1) -> None:
        """Add to one of the counters by key."""
        with self._lock:
            counter[key] += amount
