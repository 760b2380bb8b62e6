"""The receiver: check, log, acknowledge, buffer, flush.

    body ── decode and check ──► write-ahead log ── fsync ──► buffer ──► flush: one commit a table
                                                     └──► acknowledge

Every commit carries the log position it reaches, so replaying the log after a crash adds nothing
twice. Files in the log are dropped only after the commits they led to are on disk.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from ingest import direct
from ingest.buffer import Buffer, Drained, sort
from ingest.catalogue import Catalogue
from ingest.errors import BodyTooLargeError, InvalidLabelsError, LogError, OverloadedError
from ingest.load import SAMPLE_BYTES, Load
from ingest.outcome import Outcome, follow, pending
from ingest.receiver_id import receiver_id
from ingest.recent import RecentRequests, key_of
from ingest.remote_write.decode import Limits
from ingest.segment import MAX_CLUSTER_BYTES, Record
from ingest.sender import ANYONE, Sender
from ingest.settings import IngestSettings
from ingest.statistics import Statistics
from ingest.wal import WriteAheadLog
from ingest.wires import EVENTS, REMOTE_WRITE, Taken, Wire, take, unpacked_bytes
from lake import Clock, CommitKey, Lake, utc_now
from lake.timerange import EPOCH, to_micros

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Flush:
    """What one flush did. Nothing to do is a flush of nothing."""

    samples: int = 0
    series: int = 0
    events: int = 0
    position: int = 0


class Receiver:
    """Takes requests of every wire and owns their way into the lake.

    Args:
        lake: where everything goes.
        folder: the receiver's own folder, for its log; one process at a time.
        settings: limits and rhythm.
        clock: the time of receipt.

    Attributes:
        queued: bodies that a server has read and not yet handed in, for it to keep.

    Raises:
        LogLockedError: another receiver uses the folder.
        LogCorruptError: the log is damaged before its end.
        LogVersionError: a newer version wrote the log.
    """

    def __init__(
        self, lake: Lake, folder: Path, settings: IngestSettings, clock: Clock = utc_now
    ) -> None:
        self.lake = lake
        self.settings = settings
        self.catalogue = Catalogue()
        self.statistics = Statistics()
        self._clock = clock
        self._buffer = Buffer()
        self._load = Load()
        self.queued = Load()
        self._recent = RecentRequests()
        self._recent_path = folder / "recent"
        self._flushing = threading.Lock()
        self._unfinished: Drained | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.app = f"receiver-{receiver_id(folder)}"
        self._committed = {
            kind: table.committed_position(self.app) or 0
            for kind, table in ((REMOTE_WRITE, lake.samples), (EVENTS, lake.events))
        }
        self._log = WriteAheadLog(
            folder / "log", settings.log_segment_bytes, max(self._committed.values()) + 1
        )
        try:
            self._recent.load(self._recent_path, to_micros(clock()))
            self._replay()
        except BaseException:
            self._log.close()
            raise
        self.catalogue.max_series = settings.max_series

    def write_samples(
        self, body: bytes, sender: Sender = ANYONE, *, origin: bytes | None = None
    ) -> Outcome:
        """Take a remote-write body; the future resolves once it is durable.

        Args:
            body: snappy-compressed protobuf, as it goes into the log.
            sender: whose it is.
            origin: what the sender really sent, where the body was made from it: by this it is
                known when it is sent again.

        Safe from any thread. Decoding takes the caller's time: seconds for the largest bodies.

        Raises:
            BodyTooLargeError, BadRequestError: see `wires.take`; nothing was taken.
            OverloadedError: too much waits for the lake, or no more series fit; nothing was taken.
        """
        return self._write(REMOTE_WRITE, body, sender, origin)

    def write_events(
        self, body: bytes, sender: Sender = ANYONE, *, origin: bytes | None = None
    ) -> Outcome:
        """Take events as JSON (`ingest.events`); arguments and outcome as `write_samples`.

        Raises:
            BodyTooLargeError, BadRequestError, OverloadedError: as `write_samples`.
        """
        return self._write(EVENTS, body, sender, origin)

    def _write(self, kind: int, body: bytes, sender: Sender, origin: bytes | None) -> Outcome:
        if len(body) > self.settings.max_body_bytes:
            raise BodyTooLargeError(len(body), self.settings.max_body_bytes)
        self.check_load()
        now = self._clock()
        cluster = sender.cluster or self.settings.default_cluster or ""
        _check_cluster(cluster)
        key, outcome = key_of(kind, cluster, origin or body), pending()
        earlier = self._recent.find_or_begin(key, outcome, to_micros(now))
        if earlier is not None:
            self.statistics.repeated_requests += 1
            return earlier
        try:
            with self._load.holding(unpacked_bytes(kind, body)):
                taken = take(kind, body, self.catalogue, self._wire(cluster, now))
        except BaseException as error:
            outcome.set_exception(error)
            raise
        weight = taken.weight + len(body) // SAMPLE_BYTES
        self._load.add(weight)
        stored = partial(self._stored, taken, key, to_micros(now))
        done = self._log.append(kind, cluster, body, to_micros(now), stored)
        follow(done, outcome, taken.written, partial(self._load.add, -weight))
        return outcome

    def _wire(self, cluster: str, now: datetime) -> Wire:
        settings = self.settings
        limits = Limits(
            earliest=EPOCH if settings.max_age is None else now - settings.max_age,
            latest=now + settings.max_future,
            max_series=settings.max_series_per_request,
            max_metadata=settings.max_metadata_per_request,
        )
        stated = cluster != (settings.default_cluster or "")
        return Wire(cluster or None, stated, settings.max_body_bytes, limits)

    def waiting_samples(self) -> int:
        """Samples acknowledged and not yet in the lake."""
        unfinished = self._unfinished
        held = 0 if unfinished is None or unfinished.samples is None else len(unfinished.samples)
        return held + self._buffer.n_samples()

    def _waiting_event_bytes(self) -> int:
        unfinished = self._unfinished
        held = 0 if unfinished is None else sum(rows.nbytes for rows in unfinished.events)
        return held + self._buffer.event_bytes()

    def log_bytes(self) -> int:
        """Size of the write-ahead log."""
        return self._log.size_bytes()

    def log_failure(self) -> LogError | None:
        """Why nothing could be logged the last time, if that is news."""
        return self._log.failure()

    def flush(self) -> Flush:
        """Bring everything acknowledged into the lake, durably.

        If the lake fails, the data stays in memory and in the log, and the next flush begins with
        the very same cut: under the same position, a commit that did succeed is not repeated.
        """
        with self._flushing:
            earlier = Flush() if self._unfinished is None else self._finish(self._unfinished)
            self._unfinished = self._buffer.drain()
            if self._unfinished is None:
                return earlier
            now = self._finish(self._unfinished)
            return Flush(
                earlier.samples + now.samples,
                earlier.series + now.series,
                earlier.events + now.events,
                now.position,
            )

    def _finish(self, cut: Drained) -> Flush:
        try:
            done = self._commit(cut)
        except BaseException:
            self.statistics.flush_failures += 1
            raise
        self._unfinished = None
        # The log will no longer know these requests: first they must be known from the file.
        self._recent.save(self._recent_path)
        self._log.truncate(cut.position)
        self.statistics.flushes += 1
        self.statistics.flushed_samples += done.samples
        self.statistics.flushed_events += done.events
        self.statistics.last_flush = self._clock()
        return done

    def close(self) -> None:
        """Finish the log, flush, give up the folder."""
        try:
            self.flush()
        finally:
            self._log.close()

    def check_load(self, more: int = 0) -> None:
        """Whether there is room for one more request, of whatever size.

        Args:
            more: samples to count beside what is in flight and what waits.

        Raises:
            OverloadedError: too much is in flight or waits for the lake.
        """
        limit = self.settings.max_buffered_samples
        waiting = self.waiting_samples() + self._waiting_event_bytes() // SAMPLE_BYTES
        waiting += self._load.samples() + more
        if waiting > limit:
            raise OverloadedError(waiting, limit, RETRY_SECONDS)

    def _stored(self, taken: Taken, key: bytes, time_us: int, position: int) -> None:
        """Take what is durable into the buffer; called in the order of the log."""
        # First, so that a flush never drops from the log what is not known from elsewhere.
        self._recent.settle(key, taken.written, time_us)
        stats = self.statistics
        if taken.events is not None:
            self._buffer.add_events(position, taken.events)
            for cluster in taken.events.column("cluster").to_pylist():
                stats.count(stats.events, cluster)
        if taken.samples is not None:
            batch = taken.samples
            self._buffer.add_samples(position, batch)
            stats.stale_markers += batch.stale
            stats.exemplars_dropped += batch.exemplars
            for cluster, count in self.catalogue.count_by_cluster(batch.series):
                stats.count(stats.samples, cluster, count)

    def _commit(self, cut: Drained) -> Flush:
        key = CommitKey(self.app, cut.position)
        n_samples = n_series = n_events = 0
        if cut.samples is not None and len(cut.samples):
            ordered = sort(cut.samples, self.catalogue)
            n_series = direct.append_series(self.lake, self.catalogue, ordered)
            self.lake.samples.append(ordered.samples, key, ordered=True)
            n_samples = len(cut.samples)
        if cut.events:
            rows = pa.concat_tables(cut.events)
            self.lake.events.append(rows, key)
            n_events = rows.num_rows
        return Flush(n_samples, n_series, n_events, cut.position)

    def _replay(self) -> None:
        """Buffer again what was acknowledged and is in the log but not in the lake."""
        for record in self._log.replay():
            key = key_of(record.kind, record.cluster, record.payload)
            if record.position > self._committed.get(record.kind, 0):
                taken = self._take_again(record)
                self._stored(taken, key, record.time_us, record.position)
                self.statistics.replayed_records += 1
            elif not self._recent.knows(key):
                self._recent.settle(key, self._take_again(record).written, record.time_us)
        if self.statistics.replayed_records:
            logger.info("log replayed", extra={"records": self.statistics.replayed_records})

    def _take_again(self, record: Record) -> Taken:
        stated = record.cluster != (self.settings.default_cluster or "")
        wire = Wire(record.cluster or None, stated)
        return take(record.kind, record.payload, self.catalogue, wire)


def _check_cluster(cluster: str) -> None:
    size = len(cluster.encode())
    if size > MAX_CLUSTER_BYTES:
        raise InvalidLabelsError(
            f'{{cluster="{cluster[:40]}…"}}',
            f"cluster name has {size} bytes, at most {MAX_CLUSTER_BYTES} are accepted",
        )
