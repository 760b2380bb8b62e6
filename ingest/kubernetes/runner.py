"""One cluster's threads: for each watch a reader and an outbox, and one for the snapshots."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ingest.kubernetes.connection import Connect, Connection
from ingest.kubernetes.delivery import Delivery, Report
from ingest.kubernetes.history import History
from ingest.kubernetes.outbox import Outbox
from ingest.kubernetes.position import Position
from ingest.kubernetes.settings import KubernetesSource
from ingest.kubernetes.snapshot_loop import SnapshotLoop
from ingest.kubernetes.snapshotter import Snapshotter
from ingest.kubernetes.statistics import KubernetesStatistics
from ingest.kubernetes.watch import EventWatcher
from ingest.receiver import Receiver
from ingest.receiver_id import receiver_id
from lake import Clock, utc_now

logger = logging.getLogger(__name__)

STOP_SECONDS = 8.0
"""A stop takes no longer for readers, and for what they left: a thread that waits for a token of a
plugin cannot be interrupted; it is a daemon and ends with the process."""


class KubernetesRunner:
    """Listens to one cluster from `start` to `stop`.

    Args:
        source: the cluster.
        receiver: takes its events; its lake takes the objects.
        folder: for what must survive a restart; no other source may use it.
        connect: opens the API server; called in a thread, again and again until it succeeds.
        clock: the time.

    Attributes:
        errors: by part, its newest failure; empty when all is well.
        statistics: what was read.
    """

    def __init__(
        self,
        source: KubernetesSource,
        receiver: Receiver,
        folder: Path,
        connect: Connect,
        clock: Clock = utc_now,
    ) -> None:
        self.source = source
        self.errors: dict[str, str] = {}
        self.statistics = KubernetesStatistics()
        self._receiver = receiver
        self._folder = folder
        self._clock = clock
        self._connection = Connection(source, connect, clock)
        self._stop = threading.Event()
        self._stopping: float | None = None
        self._readers: list[threading.Thread] = []
        self._senders: list[tuple[Outbox, threading.Thread]] = []

    def start(self) -> None:
        """Start all threads."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.source.events:
            for namespace in self.source.namespaces or (None,):
                self._add_watch(namespace)
        if self.source.snapshot_every is not None:
            self._add_snapshots(self.source.snapshot_every.total_seconds())
        for _, thread in self._senders:
            thread.start()
        for thread in self._readers:
            thread.start()

    def interrupt(self) -> None:
        """Begin to stop, without waiting."""
        # Of all clusters' threads: those that hang do so side by side, not one after the other.
        self._stopping = self._stopping or time.monotonic()
        self._stop.set()
        self._connection.interrupt()

    def stop(self) -> None:
        """Stop reading, hand in what was read, save the positions."""
        self.interrupt()
        for thread in self._readers:
            self._join(thread, STOP_SECONDS)
        for outbox, _ in self._senders:
            outbox.close()
        for _, thread in self._senders:
            self._join(thread, 2 * STOP_SECONDS)

    def _join(self, thread: threading.Thread, seconds: float) -> None:
        """Wait for its end, at most until so long after the stop began."""
        if thread.is_alive():
            left = (self._stopping or 0.0) + seconds - time.monotonic()
            thread.join(max(0.0, left))

    def _add_watch(self, namespace: str | None) -> None:
        part = "events" if namespace is None else f"events of {namespace}"
        position = Position(self._folder / f"events-{namespace or ''}.json")
        report = self._report(f"outbox of {part}")
        outbox = Outbox(self._delivery(part), position, self.statistics, self._stop, report)
        watcher = EventWatcher(
            self._connection,
            self.source,
            namespace,
            outbox,
            position.resource_version,
            self._stop,
            self.statistics,
            self._report(part),
            self._clock,
        )
        self._readers.append(self._thread(part, watcher.run))
        self._senders.append((outbox, self._thread(f"outbox of {part}", outbox.run)))

    def _add_snapshots(self, every: float) -> None:
        app = f"objects-{self.source.cluster}-{receiver_id(self._folder)}"

        def build() -> Snapshotter:
            return Snapshotter(
                self._connection,
                self.source,
                self._receiver.lake,
                app,
                History(self._folder),
                self._delivery("changes"),
                self.statistics,
                self._clock,
            )

        loop = SnapshotLoop(build, every, self._stop, self.statistics, self._report("snapshot"))
        self._readers.append(self._thread("snapshot", loop.run))

    def _delivery(self, part: str) -> Delivery:
        return Delivery(
            self._receiver,
            self.source.cluster,
            self._stop,
            self.statistics,
            self._report(f"delivery of {part}"),
        )

    def _report(self, part: str) -> Report:
        return partial(self._note, part)

    def _note(self, part: str, error: Exception | None) -> None:
        """Note how a part is; log it when that changes, not with every attempt."""
        named = {"cluster": self.source.cluster, "part": part}
        before = self.errors.get(part)
        if error is None:
            self.errors.pop(part, None)
            if before is not None:
                logger.warning("a watch is well again", extra=named)
            return
        self.errors[part] = f"{type(error).__name__}: {error}"
        if before is None:
            logger.warning("a watch fails: %s", self.errors[part], extra=named)

    def _thread(self, part: str, run: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=run, name=f"{self.source.cluster} {part}", daemon=True)
