"""The workers of this process, and the answers that come from them."""

import atexit
import functools
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import pyarrow as pa

from lake.errors import LakeError
from lake.sandbox.job import Job
from lake.sandbox.process import Worker

KEPT_WORKERS = 2
"""Idle workers kept, of 130 MB each; how many run at once is up to the callers."""


class Pool:
    """Workers, started when they are needed. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False

    @property
    def busy(self) -> int:
        """How many workers are at a query."""
        return len(self._busy)

    @property
    def idle(self) -> int:
        """How many wait for one."""
        return len(self._idle)

    def ask(self, job: Job) -> "Answer":
        """Begin a query in a worker. The answer must be closed.

        Raises:
            EngineError: no worker could be started.
        """
        worker = self._take()
        try:
            worker.begin(job)
        except BaseException:
            self._give_back(worker)
            raise
        return Answer(self, worker)

    def run(self, job: Job) -> pa.Table:
        """Run a query whose answer is Arrow's stream, and give all its rows.

        Raises:
            QueryError, EngineError: see `ask` and `Answer.read`.
        """
        with self.ask(job) as answer:
            return pa.ipc.open_stream(pa.py_buffer(b"".join(answer))).read_all()

    def close(self) -> None:
        """End all workers, also those that are at a query."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill()  # whoever reads from it stops it
        for worker in idle:
            worker.stop()

    def _take(self) -> Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop(0)  # rested longest: its next engine is ready
                if worker.usable():
                    self._busy.add(worker)
                    return worker
                worker.stop()
        worker = Worker()
        with self._lock:
            self._busy.add(worker)
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            if worker.usable() and len(self._idle) < KEPT_WORKERS and not self._closed:
                self._idle.append(worker)
                return
        worker.stop()


class Answer:
    """What a query gives, piece by piece, made while it is read: a slow reader slows the query.

    Any thread may cancel or close it, also while another reads. Iterating gives all pieces.
    """

    def __init__(self, pool: Pool, worker: Worker) -> None:
        self._pool = pool
        self._worker = worker
        self._ended = False
        self._closed = False
        self._reading = threading.Lock()
        self._ending = threading.Lock()

    def read(self) -> bytes:
        """The next piece, of at most `PIECE_BYTES`; empty at the end. See `Worker.read`."""
        with self._reading:
            if self._ended:
                return b""
            try:
                piece = self._worker.read()
            except LakeError:
                self._end()
                raise
            if not piece:
                self._end()
            return piece

    def cancel(self) -> None:
        """Stop the query: whoever reads gets a QueryCancelledError within a second."""
        with self._ending:
            if not self._ended:
                self._worker.cancel()

    def close(self) -> None:
        """Give the worker back; a query that has not come to its end is stopped."""
        with self._ending:
            if self._closed:
                return
            self._closed = True
        self.cancel()
        with suppress(LakeError):
            while self.read():
                pass
        self._pool._give_back(self._worker)

    def _end(self) -> None:
        with self._ending:
            self._ended = True

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@functools.cache
def shared() -> Pool:
    """The pool of this process: any worker answers for any lake, so all lakes share them."""
    pool = Pool()
    atexit.register(pool.close)
    return pool
