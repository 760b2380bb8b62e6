"""From the buffer into the lake: one commit a table, under the position of the log.

A flush that fails keeps its cut and repeats exactly that, under the same position: a commit that
did succeed is not repeated.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from ingest import direct
from ingest.buffer import Buffer, Drained, sort
from ingest.catalogue import Catalogue
from ingest.errors import PositionTakenError
from ingest.statistics import Statistics
from ingest.tickets import Tickets
from lake import Clock, CommitKey, Lake
from lake.table import Table
from lake.timerange import to_micros

logger = logging.getLogger(__name__)

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Flush:
    """What one flush did. Nothing to do is a flush of nothing."""

    samples: int = 0
    series: int = 0
    events: int = 0
    position: int = 0

    def __add__(self, later: "Flush") -> "Flush":
        return Flush(
            self.samples + later.samples,
            self.series + later.series,
            self.events + later.events,
            max(self.position, later.position),
        )


class Flusher:
    """Brings what is buffered into the lake, one flush at a time.

    Args:
        lake: where it goes.
        app: name of the receiver in the commits.
        catalogue: names the series.
        statistics: counts.
        tickets: of requests whose samples are not in the buffer yet.
        clock: the time.
        idle_after: series that bring nothing for so long are forgotten.
        committed: called at the end of each flush with the position up to which all is in the lake.
    """

    def __init__(
        self,
        lake: Lake,
        app: str,
        catalogue: Catalogue,
        statistics: Statistics,
        tickets: Tickets,
        clock: Clock,
        idle_after: timedelta,
        committed: Callable[[int], None],
    ) -> None:
        self.buffer = Buffer()
        self._lake = lake
        self._app = app
        self._catalogue = catalogue
        self._statistics = statistics
        self._tickets = tickets
        self._clock = clock
        self._idle_us = idle_after // timedelta(microseconds=1)
        self._committed = committed
        self._flushing = threading.Lock()
        self._unfinished: Drained | None = None
        self._begun: set[Table] = set()
        self._forgot_us = 0
        self.in_lake = 0
        """Everything up to this position of the log is in the lake, durably."""

    def waiting_samples(self) -> int:
        """Samples acknowledged and not yet in the lake."""
        unfinished = self._unfinished
        held = 0 if unfinished is None or unfinished.samples is None else len(unfinished.samples)
        return held + self.buffer.n_samples()

    def waiting_event_bytes(self) -> int:
        """Memory of events acknowledged and not yet in the lake."""
        unfinished = self._unfinished
        held = 0 if unfinished is None else sum(rows.nbytes for rows in unfinished.events)
        return held + self.buffer.event_bytes()

    def flush(self) -> Flush:
        """Bring everything acknowledged into the lake, durably.

        Raises:
            PositionTakenError: another process commits under the same name; nothing was added.
        """
        with self._flushing:
            try:
                return self._flush()
            finally:
                # Also where nothing was to be done: an earlier attempt may have failed.
                self._committed(self.in_lake)

    def _flush(self) -> Flush:
        earlier = Flush() if self._unfinished is None else self._finish(self._unfinished)
        through = self._tickets.oldest()
        self._unfinished = self.buffer.drain()
        now = Flush() if self._unfinished is None else self._finish(self._unfinished)
        # All that was drawn before `through` was in the buffer then, and is in the lake now.
        self._catalogue.release(through)
        self._forget_idle()
        return earlier + now

    def _forget_idle(self) -> None:
        """Now and then, forget series that have ended: each takes memory."""
        now_us = to_micros(self._clock())
        # A clock that was set back must not put it off for as long.
        if 0 <= now_us - self._forgot_us < self._idle_us // 4:
            return
        self._forgot_us = now_us
        forgotten = self._catalogue.forget(now_us - self._idle_us, self._tickets.next)
        self._statistics.series_forgotten += forgotten

    def _finish(self, cut: Drained) -> Flush:
        try:
            done = self._commit(cut)
        except BaseException:
            self._statistics.flush_failures += 1
            raise
        self._unfinished = None
        self._begun.clear()
        self.in_lake = cut.position
        self._statistics.flushes += 1
        self._statistics.flushed_samples += done.samples
        self._statistics.flushed_events += done.events
        self._statistics.last_flush = self._clock()
        return done

    def _commit(self, cut: Drained) -> Flush:
        key = CommitKey(self._app, cut.position)
        n_samples = n_series = n_events = 0
        if cut.samples is not None and len(cut.samples):
            ordered = sort(cut.samples, self._catalogue)
            now_us = to_micros(self._clock())
            self._catalogue.mark_active(ordered.numbers, ordered.last_us, now_us)
            self._check_position(self._lake.samples, cut.position)
            n_series = direct.append_series(self._lake, self._catalogue, ordered)
            self._lake.samples.append(ordered.samples, key, ordered=True)
            n_samples = len(cut.samples)
        if cut.events:
            rows = pa.concat_tables(cut.events)
            self._check_position(self._lake.events, cut.position)
            self._lake.events.append(rows, key)
            n_events = rows.num_rows
        # What the columns of a flush took is not needed until the next: the peak is of one flush.
        pa.default_memory_pool().release_unused()
        return Flush(n_samples, n_series, n_events, cut.position)

    def _check_position(self, table: Table, position: int) -> None:
        """Whether this cut's position is free, or taken by an earlier attempt at the same cut.

        An append whose position is taken adds nothing: what it was to add would be gone unnoticed.
        """
        committed = table.committed_position(self._app) or 0
        if committed > position or (committed == position and table not in self._begun):
            raise PositionTakenError(self._app, position, committed)
        self._begun.add(table)
