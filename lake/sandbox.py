"""SQL from outside runs in a process of its own, which can be killed and may run out of memory.

DuckDB's own limits do not hold for all that SQL can do: `SELECT length(repeat('x', 2000000000))`
is computed while it is planned, takes gigabytes past the limit and does not hear of a timeout. So
a query goes to a worker (`lake/sandbox_worker.py`), one at a time each, over pipes:

    request    length (8 bytes), JSON: paths, sql, limits
    answer     frames of kind (1 byte), length (8 bytes), content:
               READY    once, when the worker has started
               DATA     a piece of an Arrow IPC stream
               ERROR    JSON: class and arguments of an error of ours
               DONE     JSON: whether the worker can take another query

Workers are kept warm: to start one takes half a second, a query through one a few milliseconds more
than without. None is started before the first query, and all end with this process.
"""

import atexit
import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

import pyarrow as pa

from lake.connection import Limits, Paths
from lake.errors import (
    EngineError,
    QueryError,
    QueryMemoryError,
    QueryTimeoutError,
    ResultTooLargeError,
)

READY, DATA, ERROR, DONE = b"R", b"A", b"E", b"D"

LENGTH_BYTES = 8

START_SECONDS = 60.0
"""A worker starts in half a second; on a busy machine, in several."""

GRACE_SECONDS = 1.0
"""A worker cancels its query itself, and needs this long at most unless the engine is deaf."""

ALLOCATORS = {"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Those that reserve little: address space is limited, and mimalloc takes a GiB of it at once."""

KEPT_WORKERS = 2
"""Idle workers kept, of 130 MB each; how many run at once is up to the callers."""

ERRORS = {
    each.__name__: each
    for each in (QueryError, QueryMemoryError, QueryTimeoutError, ResultTooLargeError)
}


class Pool:
    """Workers, started when they are needed. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []

    def run(self, paths: Paths, sql: str, limits: Limits) -> pa.Table:
        """Run SQL that the guard has passed over files, in a worker, and give its rows.

        Raises:
            QueryTimeoutError: it ran too long; it was cancelled, or its process killed.
            QueryMemoryError: it needed more memory than allowed, or its process died.
            ResultTooLargeError: it gave more rows or bytes than allowed.
            QueryError: the engine refused it.
            EngineError: no worker could be started.
        """
        worker = self._take()
        try:
            rows = worker.run(paths, sql, limits)
        finally:
            self._give_back(worker)
        return rows

    def close(self) -> None:
        """End all idle workers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.stop()

    def _take(self) -> "Worker":
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.usable():
                    return worker
                worker.stop()
        return Worker()

    def _give_back(self, worker: "Worker") -> None:
        with self._lock:
            if worker.usable() and len(self._idle) < KEPT_WORKERS:
                self._idle.append(worker)
                return
        worker.stop()


class Worker:
    """One process; `run` takes one query at a time."""

    def __init__(self) -> None:
        home = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            # -P: what lies in the working directory is not imported.
            [sys.executable, "-P", "-m", "lake.sandbox_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **ALLOCATORS},
            # Ctrl-C in a terminal is for us; workers end with their pipe.
            start_new_session=True,
        )
        self._reusable = False
        with self._deadline(START_SECONDS):
            if next(self._frames(), (b"", b""))[0] != READY:
                self.stop()
                raise EngineError(self._process.returncode)
        self._reusable = True

    def usable(self) -> bool:
        """Whether it waits for a query."""
        return self._reusable and self._process.poll() is None

    def run(self, paths: Paths, sql: str, limits: Limits) -> pa.Table:
        """See `Pool.run`."""
        self._reusable = False
        request = {"paths": paths, "sql": sql, "limits": asdict(limits)}
        data = bytearray()
        with self._deadline(limits.seconds + GRACE_SECONDS) as expired:
            # One that died is noticed as the end of its answer.
            with suppress(BrokenPipeError):
                send(self._stdin, json.dumps(request).encode())
            for kind, content in self._frames():
                if kind == DATA:
                    data += content
                    continue
                answer = json.loads(content)
                self._reusable = answer["reusable"]
                if kind == ERROR:
                    raise rebuilt(answer)
                return pa.ipc.open_stream(pa.py_buffer(data)).read_all()
        if expired.is_set():
            raise QueryTimeoutError(limits.seconds)
        raise QueryMemoryError(limits.memory_bytes)

    def stop(self) -> None:
        """Kill it, and wait until it is gone; it holds nothing that could be lost."""
        self._reusable = False
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._stdout.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdout

    def _frames(self) -> Iterator[tuple[bytes, bytes]]:
        """What the worker sends, until it dies."""
        while kind := self._stdout.read(1):
            content = receive(self._stdout)
            if content is None:
                return
            yield kind, content

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the process if the block takes longer; the event tells."""
        expired = threading.Event()

        def kill() -> None:
            expired.set()
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield expired
        finally:
            timer.cancel()
            timer.join()
            if expired.is_set():  # perhaps just after its answer
                self._reusable = False


def send(pipe: IO[bytes], content: bytes, kind: bytes = b"") -> None:
    """Write one frame (or, without a kind, one request)."""
    pipe.write(kind + len(content).to_bytes(LENGTH_BYTES, "big"))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """The content of one frame; None at the pipe's end, also in the middle of a frame."""
    header = pipe.read(LENGTH_BYTES)
    length = int.from_bytes(header, "big")
    content = pipe.read(length) if len(header) == LENGTH_BYTES else b""
    return content if len(header) == LENGTH_BYTES and len(content) == length else None


def rebuilt(answer: dict[str, object]) -> QueryError:
    """The error that the worker sent: its class and its fields, or its message."""
    kind: Callable[..., QueryError] = ERRORS[str(answer["error"])]
    fields = answer["fields"]
    return kind(**fields) if isinstance(fields, dict) and fields else kind(answer["message"])


@functools.cache
def shared() -> Pool:
    """The pool of this process: workers hold nothing of a lake, so all lakes share them."""
    pool = Pool()
    atexit.register(pool.close)
    return pool
