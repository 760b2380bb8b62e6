"""The receiver: judge, log, acknowledge, buffer, flush.

    body ── decode and judge ──► write-ahead log ── fsync ──► buffer ──► flush: one commit a table
                                                      └──► acknowledge

Every commit carries the log position it reaches, so replaying the log after a crash adds nothing
twice. Files in the log are dropped only after the commits they led to are on disk. What is
committed is asked once the folder is locked: until then another process may go on committing.
"""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

from ingest.catalogue import UNBOUNDED, Catalogue
from ingest.errors import BodyTooLargeError, LogError, OverloadedError
from ingest.flusher import Flush, Flusher
from ingest.judged_by import JudgedBy
from ingest.keys import KeyTable
from ingest.load import SAMPLE_BYTES, Load
from ingest.outcome import NOTHING_REFUSED, Outcome, follow, pending
from ingest.receiver_id import receiver_id
from ingest.receiver_state import FULL, ReceiverState
from ingest.recent import RecentRequests, key_of
from ingest.replay import take_again
from ingest.replicas import ReplicaTracker
from ingest.rules import Rules
from ingest.segment import Entry, Record
from ingest.sender import ANYONE, Sender, check_cluster_name
from ingest.settings import IngestSettings
from ingest.statistics import Statistics
from ingest.tickets import Tickets
from ingest.wal import WriteAheadLog
from ingest.warm_up import warm_up
from ingest.wires import EVENTS, REMOTE_WRITE, REMOTE_WRITE_2, Taken, take, unpacked_bytes
from lake import Clock, Lake, utc_now
from lake.timerange import to_micros

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5
MICROS_A_MILLI = 1000


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
        LogVersionError: another version wrote the log.
    """

    def __init__(
        self, lake: Lake, folder: Path, settings: IngestSettings, clock: Clock = utc_now
    ) -> None:
        self.lake = lake
        self.settings = settings
        self.catalogue = Catalogue()
        self.statistics = Statistics()
        self.queued = Load()
        self._clock = clock
        self._load = Load()
        self._tickets = Tickets()
        self.replicas = ReplicaTracker(settings.ha)
        self._recent = RecentRequests()
        warm_up()
        folder.mkdir(parents=True, exist_ok=True)
        self._log = WriteAheadLog(folder / "log", settings.log_segment_bytes)
        try:
            self.app = f"receiver-{receiver_id(folder)}"
            self._state = ReceiverState(folder, self._log, self._recent, self.replicas)
            self._flusher = Flusher(
                lake,
                self.app,
                self.catalogue,
                self.statistics,
                self._tickets,
                clock,
                settings.forget_after,
                self._state.release,
            )
            self._judged_by = JudgedBy(folder, settings)
            self._recover()
        except BaseException:
            self._log.close()
            raise
        self.catalogue.max_series = settings.max_series
        self.catalogue.max_label_bytes = settings.max_label_memory_bytes
        self.catalogue.max_of_cluster = settings.max_series_per_cluster or UNBOUNDED

    def write_samples(
        self,
        body: bytes,
        sender: Sender = ANYONE,
        *,
        version: int = 1,
        origin: bytes | None = None,
    ) -> Outcome:
        """Take a remote-write body; the future resolves once what can be stored is durable.

        Args:
            body: snappy-compressed protobuf, as it goes into the log.
            sender: whose it is.
            version: 1 or 2, of remote write.
            origin: what the sender really sent, where the body was made from it: by this it is
                known when it is sent again.

        Safe from any thread. Decoding takes the caller's time: seconds for the largest bodies.

        Raises:
            BodyTooLargeError, BadRequestError, SeriesLimitError: nothing of it can be stored.
            OverloadedError: too much waits for the lake, or no more series fit; nothing was taken.
        """
        kind = REMOTE_WRITE if version == 1 else REMOTE_WRITE_2
        return self._write(kind, body, sender, origin)

    def write_events(
        self, body: bytes, sender: Sender = ANYONE, *, origin: bytes | None = None
    ) -> Outcome:
        """Take events as JSON (`ingest.events`); arguments and outcome as `write_samples`.

        Raises:
            BodyTooLargeError, BadRequestError, OverloadedError: as `write_samples`.
        """
        return self._write(EVENTS, body, sender, origin)

    def _write(self, kind: int, body: bytes, sender: Sender, origin: bytes | None) -> Outcome:
        now_us = to_micros(self._clock())
        cluster = sender.cluster or self.settings.default_cluster or ""
        outcome = pending()
        key = key_of(kind, sender.context(cluster), origin or body)
        ticket = self._tickets.draw()
        try:
            self._check(body, cluster)
            earlier = self._recent.find_or_begin(key, outcome, now_us)
            if earlier is not None:
                self.statistics.repeated_requests += 1
                self._tickets.done(ticket)
                return earlier
            with self._load.holding(unpacked_bytes(kind, body)):
                taken = take(kind, body, self.catalogue, self._rules(sender, cluster, now_us))
        except BaseException as error:
            self.statistics.refuse_request(error, cluster)
            self._tickets.done(ticket)
            outcome.set_exception(error)
            raise
        self.statistics.judged(taken)
        if taken.cause is not None:
            self._tickets.done(ticket)
            outcome.set_exception(taken.cause)
            raise taken.cause
        if taken.body is None:
            self._tickets.done(ticket)
            self._recent.settle(key, taken.written, now_us)
            outcome.set_result(taken.written)
            return outcome
        weight = taken.weight + len(taken.body) // SAMPLE_BYTES
        self._load.add(weight)
        stored = partial(self._stored, taken, key, now_us)
        refusal = taken.written.refusal or NOTHING_REFUSED
        record = Entry(taken.kind, cluster, key, taken.body, now_us, refusal.count, refusal.status)
        done = self._log.append(record, stored)
        follow(done, outcome, taken.written, partial(self._through, taken, ticket, weight))
        return outcome

    def _check(self, body: bytes, cluster: str) -> None:
        if len(body) > self.settings.max_body_bytes:
            raise BodyTooLargeError(len(body), self.settings.max_body_bytes)
        check_cluster_name(cluster)
        self.check_load()

    def _through(self, taken: Taken, ticket: int, weight: int, error: BaseException | None) -> None:
        """A request is in the buffer, or could not be logged."""
        if error is not None:
            taken.starts.undo(self.catalogue)
        self._load.add(-weight)
        self._tickets.done(ticket)

    def _rules(self, sender: Sender, cluster: str, now_us: int) -> Rules:
        stated = cluster != (self.settings.default_cluster or "")
        whose = Sender(cluster or None, sender.allowed)
        rules = self.settings.rules(whose, self.replicas.accept, now_us, stated=stated)
        return replace(rules, starts_after_ms=self._starts_after_ms)

    def waiting_samples(self) -> int:
        """Samples acknowledged and not yet in the lake."""
        return self._flusher.waiting_samples()

    def waiting(self) -> int:
        """What is acknowledged and not yet in the lake, events too, weighed in samples."""
        return self.waiting_samples() + self._flusher.waiting_event_bytes() // SAMPLE_BYTES

    def log_bytes(self) -> int:
        """Size of the write-ahead log."""
        return self._log.size_bytes()

    def log_failure(self) -> LogError | None:
        """Why nothing could be logged the last time, if that is news."""
        return self._log.failure()

    def flush(self) -> Flush:
        """Bring everything acknowledged into the lake, durably; see `ingest.flusher`."""
        return self._flusher.flush()

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
        waiting = self.waiting() + self._load.samples() + more
        if waiting > limit:
            raise OverloadedError(waiting, limit, RETRY_SECONDS)

    def _stored(self, taken: Taken, key: bytes, time_us: int, position: int) -> None:
        """Take what is durable into the buffer; called in the order of the log."""
        if taken.samples is not None:
            self._flusher.buffer.add_samples(position, taken.samples)
        if taken.events is not None:
            self._flusher.buffer.add_events(position, taken.events)
        self._recent.settle(key, taken.written, time_us)
        self.statistics.stored(taken, self.catalogue)

    def _recover(self) -> None:
        """Take up where an earlier process ended."""
        now_us = to_micros(self._clock())
        samples, events = (
            table.committed_position(self.app) or 0
            for table in (self.lake.samples, self.lake.events)
        )
        self._log.skip(max(samples, events))
        self._state.load(now_us)
        self._replay({REMOTE_WRITE: samples, REMOTE_WRITE_2: samples, EVENTS: events})
        # What was sent to an earlier process: it has stored where those counters began.
        self._starts_after_ms = self._recent.newest_us // MICROS_A_MILLI
        self._recent.resume(now_us)
        if self._judged_by.changed:
            # The log is of other rules: no record of today's may stand beside them, and what a
            # sender's labels became under them is to be asked anew.
            self.flush()
            self.catalogue.keys = KeyTable()
        try:
            self._state.release(self._flusher.in_lake)
        except OSError as error:
            if error.errno not in FULL:
                raise
            # The next flush makes room, or tells.
            logger.warning("disk full at the start", extra={"problem": str(error)})
        self._judged_by.save()

    def _replay(self, committed: dict[int, int]) -> None:
        """Buffer again what was acknowledged and is in the log but not in the lake."""
        self._flusher.in_lake = self._log.last()
        for record in self._log.replay():
            if record.position > committed.get(record.kind, 0):
                if not self.statistics.replayed_records:
                    self._flusher.in_lake = record.position - 1
                if (taken := self._take_again(record)) is not None:
                    self._stored(taken, record.key, record.time_us, record.position)
                self.statistics.replayed_records += 1
            elif (
                not self._recent.knows(record.key)
                and (taken := self._take_again(record)) is not None
            ):
                self._recent.settle(record.key, taken.written, record.time_us)
        if self.statistics.replayed_records:
            logger.info("log replayed", extra={"records": self.statistics.replayed_records})

    def _take_again(self, record: Record) -> Taken | None:
        elect = partial(self._was_elected, record.time_us)
        return take_again(record, self._judged_by.settings, self.catalogue, elect)

    def _was_elected(self, sent_us: int, cluster: str, replica: str, _: int) -> bool:
        """Whoever is in the log was; else the other, which repeats itself, could be from now on."""
        self.replicas.stored(cluster, replica, sent_us, to_micros(self._clock()))
        return True
