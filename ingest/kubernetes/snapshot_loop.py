"""Snapshots at a steady rhythm, through whatever happens to the connection."""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from ingest.backoff import Backoff
from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes.delivery import Report
from ingest.kubernetes.snapshotter import Snapshotter
from ingest.kubernetes.statistics import KubernetesStatistics

logger = logging.getLogger(__name__)

BACKOFF = Backoff(first=1.0, most=60.0)
MOST_RETRY_AFTER = 300.0


class SnapshotLoop:
    """Takes snapshots until stopped.

    Args:
        build: makes the snapshotter; reads what the last run left, which may be large.
        every: seconds from the beginning of one to that of the next.
        stop: set when the process ends.
        statistics: counts failures.
        report: told the newest failure; kinds that may not be listed are one.
    """

    def __init__(
        self,
        build: Callable[[], Snapshotter],
        every: float,
        stop: threading.Event,
        statistics: KubernetesStatistics,
        report: Report,
    ) -> None:
        self._build = build
        self._every = every
        self._stop = stop
        self._statistics = statistics
        self._report = report
        self._rng = np.random.default_rng()
        self._failures = 0

    def run(self) -> None:
        """Work until stopped; for a thread of its own."""
        snapshotter: Snapshotter | None = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                snapshotter = snapshotter or self._build()
                refusals = snapshotter.snapshot().refusals
            except Exception as error:  # noqa: BLE001 - the loop outlives any one failure
                self._stop.wait(self._after(error))
                continue
            self._failures = 0
            self._report(next(iter(refusals.values()), None))
            self._stop.wait(max(0.0, began + self._every - time.monotonic()))

    def _after(self, error: Exception) -> float:
        if self._stop.is_set():
            return 0.0
        self._statistics.failures += 1
        self._report(error)
        if not isinstance(error, SourceError):
            logger.error("snapshot failed", exc_info=error)
        asked = error.retry_after if isinstance(error, ApiServerError) else None
        seconds = BACKOFF.seconds(self._failures, self._rng)
        self._failures += 1
        return max(seconds, min(asked or 0.0, MOST_RETRY_AFTER))
