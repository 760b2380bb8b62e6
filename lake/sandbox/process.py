"""One worker seen from outside: a process that answers one query at a time."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

import pyarrow as pa

from lake.errors import EngineError, QueryCancelledError, QueryMemoryError, QueryTimeoutError
from lake.sandbox.frames import (
    CANCEL,
    DATA,
    ERROR,
    QUERY,
    READY,
    TABLE,
    rebuilt,
    receive,
    send,
)
from lake.sandbox.job import Job
from lake.sandbox.watchdog import Watchdog

START_SECONDS = 60.0
"""A worker starts in half a second; on a busy machine, in several."""

GRACE_SECONDS = 1.0
"""A worker cancels its query itself, and needs this long at most unless the engine is deaf."""

CANCEL_SECONDS = 0.5
"""Likewise, where the caller went away: the next one waits for the worker."""

ALLOCATORS = {"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Those that reserve little: address space is limited, and mimalloc takes a GiB of it at once."""


class Worker:
    """One process. `begin` a query, `read` to its end; `cancel` comes from any thread."""

    def __init__(self) -> None:
        home = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            # -P: what lies in the working directory is not imported.
            [sys.executable, "-P", "-m", "lake.sandbox.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **ALLOCATORS},
            # Ctrl-C in a terminal is for us; workers end with their pipe.
            start_new_session=True,
        )
        self._sending = threading.Lock()
        self._cancelled = False
        self._reusable = False
        self._watchdog = Watchdog(START_SECONDS, self.kill)
        with self._watchdog.waiting():
            frame = receive(self._stdout)
        self._watchdog.close()
        if frame is None or frame[0] != READY:
            self.stop()
            raise EngineError(self._process.returncode)
        self._reusable = True

    def usable(self) -> bool:
        """Whether it waits for a query."""
        return self._reusable and self._process.poll() is None

    def begin(self, job: Job) -> None:
        """Set it to a query; to be called when it is `usable`, and followed by `read`."""
        self._reusable, self._cancelled = False, False
        self._limits = job.limits
        self._watchdog = Watchdog(job.limits.seconds + GRACE_SECONDS, self.kill)
        with self._watchdog.waiting():
            for name, rows in job.tables.items():
                self._send(TABLE, bytes([len(name)]) + name.encode() + _stream(rows))
            self._send(QUERY, job.to_json())

    def read(self) -> bytes:
        """The next piece of the answer; empty at its end, after which the worker can be kept.

        Raises:
            QueryCancelledError: `cancel` was called.
            QueryTimeoutError: it ran too long; it was stopped, or its process killed.
            QueryMemoryError: it needed more memory than allowed, or its process died.
            ResultTooLargeError: it gave more rows or bytes than allowed.
            QueryError: the engine refused it.
            FileDamagedError, StoreError: its files cannot be read.
        """
        try:
            with self._watchdog.waiting():
                frame = receive(self._stdout)
        except BaseException:
            # Ctrl-C, perhaps in the middle of a frame: no later one can be told from it.
            self.kill()
            raise
        if frame is not None and frame[0] == DATA:
            return frame[1]
        self._watchdog.close()
        if frame is not None:
            answer = json.loads(frame[1])
            # It may have been killed just after its answer.
            self._reusable = answer["reusable"] and not self._watchdog.expired
            if frame[0] == ERROR:
                raise rebuilt(answer)
            return b""
        if self._cancelled:
            raise QueryCancelledError
        if self._watchdog.expired:
            raise QueryTimeoutError(self._limits.seconds)
        raise QueryMemoryError(self._limits.memory_bytes)

    def cancel(self) -> None:
        """Have the query stopped: `read` soon raises. Nothing happens if it is over."""
        self._cancelled = True
        self._watchdog.hurry(CANCEL_SECONDS)
        self._send(CANCEL)

    def kill(self) -> None:
        """Kill it; from any thread."""
        self._process.kill()

    def stop(self) -> None:
        """Kill it, and wait until it is gone; it holds nothing that could be lost."""
        self._reusable = False
        self.kill()
        self._process.wait()
        self._watchdog.close()
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._stdout.close()

    def _send(self, kind: bytes, content: bytes = b"") -> None:
        # One that died is noticed as the end of its answer; one that was stopped is not missed.
        with self._sending, suppress(BrokenPipeError, ValueError):
            send(self._stdin, kind, content)

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdout


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
