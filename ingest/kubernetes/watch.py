"""List, then watch: every Event of a cluster, through whatever happens to the connection.

    no position ──► list ──► position ──► watch ──► … ──► watch ends, breaks, falls silent
         ▲                                  ▲                        │
         └────── 410: position too old ─────┴─── from the last line ─┘

The server's position is the `resourceVersion` of the list, of each event, and of bookmarks, which
it sends about once a minute so that a quiet watch does not fall behind what is kept.
"""

import logging
import threading
import time

import numpy as np

from ingest.backoff import Backoff
from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes.delivery import Report
from ingest.kubernetes.lines import lines, parse
from ingest.kubernetes.listing import pages
from ingest.kubernetes.outbox import Item, Outbox, uid_of
from ingest.kubernetes.server import GONE, ApiServer, Json
from ingest.kubernetes.settings import KubernetesSource
from ingest.kubernetes.statistics import KubernetesStatistics
from lake import Clock

logger = logging.getLogger(__name__)

GROUPS = ("/apis/events.k8s.io/v1", "/api/v1")
"""Where Events are, newest first: the same objects under other field names."""

NOT_FOUND = 404
REFUSALS = frozenset({401, 403, 429})
"""Answers that say nothing of the position."""

BACKOFF = Backoff(first=0.5, most=30.0)
MOST_RETRY_AFTER = 300.0

PATIENCE = 3
"""Failed watches in a row after which the position itself is doubted: a cluster restored from a
backup refuses positions of its future for ever (kubernetes/kubernetes#91073)."""

LIVED_SECONDS = 1.0
"""A watch that ends sooner, without a line, was no watch."""


class EventWatcher:
    """Reads the Events of a cluster or namespace into an outbox, until stopped.

    Args:
        server: the API server.
        source: how to watch it.
        namespace: the one to watch; None = all.
        outbox: takes what is read.
        resume: the position to go on from; None = list first.
        stop: set when the process ends.
        statistics: counts what happens.
        report: told the newest failure.
        clock: the time.
    """

    def __init__(
        self,
        server: ApiServer,
        source: KubernetesSource,
        namespace: str | None,
        outbox: Outbox,
        resume: str | None,
        stop: threading.Event,
        statistics: KubernetesStatistics,
        report: Report,
        clock: Clock,
    ) -> None:
        self._server = server
        self._source = source
        self._within = f"/namespaces/{namespace}" if namespace else ""
        self._outbox = outbox
        self._resume = resume
        self._stop = stop
        self._statistics = statistics
        self._report = report
        self._clock = clock
        self._rng = np.random.default_rng()
        self._group = GROUPS[0]
        self._failures = 0

    def run(self) -> None:
        """Work until stopped; for a thread of its own."""
        while not self._stop.is_set():
            try:
                if self._resume is None:
                    self._list()
                else:
                    self._watch()
            except SourceError as error:
                if self._stop.is_set():
                    break
                self._stop.wait(self._after(error))
            except Exception as error:
                # A fault of ours: told, and tried again at leisure.
                logger.exception("watch failed")
                self._report(error)
                self._stop.wait(BACKOFF.most)

    def _path(self) -> str:
        return f"{self._group}{self._within}/events"

    def _list(self) -> None:
        alive: set[str] = set()
        resource_version = ""
        for page in pages(self._server, self._path(), self._source.page_size):
            if page.first:
                # The oldest position of them: nothing between two pages is missed.
                alive, resource_version = set(), page.resource_version
            for event in page.items:
                alive.add(uid_of(event))
                self._outbox.put(Item(event=event))
            if self._stop.is_set():
                return
        self._statistics.lists += 1
        self._outbox.put(Item(resource_version=resource_version or None, alive=alive))
        if not resource_version:
            # Without it there is nothing to watch from, and listing on and on would be a storm.
            raise ApiServerError(self._path(), 200, "the list has no resourceVersion")
        self._resume = resource_version
        self._report(None)

    def _watch(self) -> None:
        # Spread over a fifth, so that a thousand watches do not end at once.
        seconds = self._source.watch_timeout.total_seconds() * self._rng.uniform(0.8, 1.0)
        query: dict[str, str | int] = {
            "watch": "true",
            "resourceVersion": self._resume or "",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": max(1, int(seconds)),
        }
        began, n_lines, gap = time.monotonic(), 0, False
        with self._server.watch(self._path(), query) as pieces:
            self._statistics.watches += 1
            self._report(None)
            for line in lines(pieces):
                found = parse(line)
                if found is None:
                    self._statistics.malformed_lines += 1
                    gap = True
                    continue
                self._take(*found)
                self._failures = 0
                n_lines += 1
                if self._stop.is_set():
                    return
        if gap:
            # Whatever the line was of: a list has it too.
            self._resume = None
        if not n_lines and time.monotonic() - began < LIVED_SECONDS:
            self._stop.wait(self._wait())

    def _take(self, kind: str, about: Json) -> None:
        if kind == "ERROR":
            code = about.get("code")
            status = code if isinstance(code, int) else 500
            raise ApiServerError(self._path(), status, str(about.get("message") or about)[:500])
        metadata = about.get("metadata")
        version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
        at = str(version) if version else None
        if kind == "BOOKMARK":
            self._statistics.bookmarks += 1
            self._outbox.put(Item(resource_version=at))
        elif kind == "DELETED":
            # It has outlived the server's memory, an hour; that is no news.
            self._outbox.put(Item(gone=uid_of(about), resource_version=at))
        else:
            self._statistics.last_event = self._clock()
            self._outbox.put(Item(event=about, resource_version=at))
        self._resume = at or self._resume

    def _after(self, error: SourceError) -> float:
        """What a failure means for what comes next, and the seconds to wait before it."""
        status = error.status if isinstance(error, ApiServerError) else None
        if status == GONE:
            self._resume = None
            self._failures += 1
            # The first time it is the way of things; in a row it is a server that is unwell.
            return 0.0 if self._failures == 1 else self._wait()
        self._statistics.failures += 1
        if status == NOT_FOUND and self._group != GROUPS[-1]:
            self._group = GROUPS[-1]
            return 0.0
        self._report(error)
        if self._failures + 1 >= PATIENCE and status is not None and status not in REFUSALS:
            self._resume = None
        asked = error.retry_after if isinstance(error, ApiServerError) else None
        return max(self._wait(), min(asked or 0.0, MOST_RETRY_AFTER))

    def _wait(self) -> float:
        seconds = BACKOFF.seconds(self._failures, self._rng)
        self._failures += 1
        return seconds
