"""The receiver: check, log, acknowledge, buffer, flush.

    body ── decode and check ──► write-ahead log ── fsync ──► buffer ──► flush: one commit a table
                                                     └──► acknowledge

Every commit carries the log position it reaches, so replaying the log after a crash adds nothing
twice. Files in the log are dropped only after the commits they led to are on disk.
"""

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from ingest import direct
from ingest import events as event_wire
from ingest.buffer import Buffer, Drained, sort
from ingest.catalogue import Catalogue
from ingest.errors import BodyTooLargeError, InvalidLabelsError, LogError, OverloadedError
from ingest.outcome import settled, then
from ingest.receiver_id import receiver_id
from ingest.recent import RecentRequests, key_of
from ingest.remote_write import decode, message
from ingest.samples import SampleBatch
from ingest.settings import IngestSettings
from ingest.statistics import Statistics
from ingest.wal import MAX_CLUSTER_BYTES, Record, WriteAheadLog
from lake import Clock, CommitKey, Lake, utc_now
from lake.timerange import to_micros

logger = logging.getLogger(__name__)

REMOTE_WRITE, EVENTS = 1, 2
"""Kinds of log records; numbers are for ever."""

RETRY_SECONDS = 5

SAMPLE_BYTES = 20
"""Memory of a waiting sample: its series' number, time and value. Events are weighed by it."""

NO_LIMIT_BYTES = 1 << 32
NO_LATEST = datetime.max.replace(tzinfo=UTC)
"""For replay: what was acknowledged goes in, whatever the settings have become since."""


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

    Raises:
        LogLockedError: another receiver uses the folder.
        LogCorruptError: the log is damaged before its end.
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
        self._recent = RecentRequests()
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
            self._replay()
        except BaseException:
            self._log.close()
            raise

    def write_samples(self, body: bytes, default_cluster: str | None = None) -> "Future[int]":
        """Take a remote-write body; the future resolves to its sample count once it is durable.

        Raises:
            BodyTooLargeError, BadRequestError: see `decode`; nothing was taken.
            OverloadedError: too much waits for the lake; nothing was taken.
        """
        self._check_load(len(body))
        now = self._clock()
        cluster = default_cluster or self.settings.default_cluster
        _check_cluster(cluster)
        key = key_of(REMOTE_WRITE, cluster or "", body)
        if (earlier := self._again(key)) is not None:
            return earlier
        payload = message.unpack(body, self.settings.max_body_bytes)
        batch = decode.decode(
            payload,
            self.catalogue,
            default_cluster=cluster,
            latest=now + self.settings.max_future,
        )
        done = self._log.append(
            REMOTE_WRITE,
            cluster or "",
            body,
            to_micros(now),
            stored=partial(self._stored_samples, batch),
        )
        return self._remember(key, then(done, len(batch) + batch.stale))

    def write_events(self, body: bytes, default_cluster: str | None = None) -> "Future[int]":
        """Take events as JSON; the future resolves to their number once they are durable.

        Raises:
            BodyTooLargeError, BadRequestError, OverloadedError: as `write_samples`.
        """
        self._check_load(len(body))
        now = self._clock()
        cluster = default_cluster or self.settings.default_cluster
        _check_cluster(cluster)
        key = key_of(EVENTS, cluster or "", body)
        if (earlier := self._again(key)) is not None:
            return earlier
        rows = event_wire.parse(body, cluster, latest=now + self.settings.max_future)
        done = self._log.append(
            EVENTS,
            cluster or "",
            body,
            to_micros(now),
            stored=partial(self._stored_events, rows),
        )
        return self._remember(key, then(done, rows.num_rows))

    def _again(self, key: bytes) -> "Future[int] | None":
        earlier = self._recent.find(key)
        if earlier is not None:
            self.statistics.repeated_requests += 1
        return earlier

    def _remember(self, key: bytes, outcome: "Future[int]") -> "Future[int]":
        self._recent.remember(key, outcome)
        return outcome

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

    def _check_load(self, size: int) -> None:
        if size > self.settings.max_body_bytes:
            raise BodyTooLargeError(size, self.settings.max_body_bytes)
        limit = self.settings.max_buffered_samples
        waiting = self.waiting_samples() + self._waiting_event_bytes() // SAMPLE_BYTES
        if waiting > limit:
            raise OverloadedError(waiting, limit, RETRY_SECONDS)

    def _stored_samples(self, batch: SampleBatch, position: int) -> None:
        self._buffer.add_samples(position, batch)
        stats = self.statistics
        stats.stale_markers += batch.stale
        stats.exemplars_dropped += batch.exemplars
        for cluster, count in self.catalogue.count_by_cluster(batch.series):
            stats.count(stats.samples, cluster, count)

    def _stored_events(self, rows: pa.Table, position: int) -> None:
        self._buffer.add_events(position, rows)
        for cluster in rows.column("cluster").to_pylist():
            self.statistics.count(self.statistics.events, cluster)

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
            count = 0
            if record.position > self._committed.get(record.kind, 0):
                count = self._replay_one(record)
                self.statistics.replayed_records += 1
            key = key_of(record.kind, record.cluster, record.payload)
            self._recent.remember(key, settled(count))
        if self.statistics.replayed_records:
            logger.info("log replayed", extra={"records": self.statistics.replayed_records})

    def _replay_one(self, record: Record) -> int:
        cluster = record.cluster or None
        if record.kind == REMOTE_WRITE:
            payload = message.unpack(record.payload, NO_LIMIT_BYTES)
            batch = decode.decode(
                payload, self.catalogue, default_cluster=cluster, latest=NO_LATEST
            )
            self._stored_samples(batch, record.position)
            return len(batch) + batch.stale
        if record.kind == EVENTS:
            rows = event_wire.parse(record.payload, cluster, latest=NO_LATEST)
            self._stored_events(rows, record.position)
            return len(rows)
        raise LogError(
            f"log record {record.position} is of kind {record.kind}: "
            "it was written by a newer version, start that one"
        )


def _check_cluster(cluster: str | None) -> None:
    size = len((cluster or "").encode())
    if size > MAX_CLUSTER_BYTES:
        raise InvalidLabelsError(
            f'{{cluster="{str(cluster)[:40]}…"}}',
            f"cluster name has {size} bytes, at most {MAX_CLUSTER_BYTES} are accepted",
        )
