"""The process in which SQL from outside runs, one query after the other; see `lake/sandbox.py`."""

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from lake.connection import Limits, Paths, connect
from lake.errors import (
    QueryError,
    QueryMemoryError,
    QueryTimeoutError,
    ResultTooLargeError,
)
from lake.sandbox import DATA, DONE, ERROR, GRACE_SECONDS, READY, receive, send

BATCH_ROWS = 8_192
"""Rows fetched between two looks at the limits: few, since each may hold a long text."""

INTERRUPT_SECONDS = 0.05
"""Between two attempts to stop a query: one before the engine has begun has no effect."""

ALLOWANCE_BYTES = 256 << 20
"""Address space beside the query's memory: stacks, arenas, Arrow's buffers. A query that fills
DuckDB's own limit of 1 GiB with 2 threads takes 100 MiB more than that."""

STATM = Path("/proc/self/statm")

PIECE_BYTES = 1 << 16


class Frames(io.RawIOBase):
    """A file whose pieces go out as frames."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe

    def writable(self) -> bool:
        """It only is."""
        return True

    def write(self, piece: object) -> int:
        """Send one piece."""
        content = bytes(memoryview(piece))  # type: ignore[arg-type]
        send(self._pipe, content, DATA)
        return len(content)


def main() -> None:
    """Answer queries until there are no more."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _refuse_core_dumps()
    _be_killed_first()
    with connect({}, limits=Limits(), locked=True) as connection:
        connection.sql("SELECT 1").to_arrow_table()  # the first loads and allocates for all later
    started = _address_space()
    send(answers, b"", READY)
    while (request := receive(requests)) is not None:
        query = json.loads(request)
        limits = Limits(**query["limits"])
        end: dict[str, object] = {}
        try:
            _answer(answers, query["paths"], query["sql"], limits)
        except QueryError as error:
            end = {"error": type(error).__name__, "fields": vars(error), "message": str(error)}
        except MemoryError:
            fields = {"memory_bytes": limits.memory_bytes}
            end = {"error": QueryMemoryError.__name__, "fields": fields}
        end["reusable"] = _address_space() < started + ALLOWANCE_BYTES
        send(answers, json.dumps(end).encode(), ERROR if "error" in end else DONE)


def _answer(answers: IO[bytes], paths: Paths, sql: str, limits: Limits) -> None:
    """Run one query within its limits and send its rows."""
    with connect(paths, limits=limits, locked=True) as connection, _confined(limits):
        finished, expired = threading.Event(), threading.Event()

        def watch() -> None:
            if not finished.wait(limits.seconds):
                expired.set()
                while not finished.wait(INTERRUPT_SECONDS):
                    connection.interrupt()

        watcher = threading.Thread(target=watch, name="query-timeout", daemon=True)
        watcher.start()
        try:
            _send_rows(answers, connection, sql, limits)
        except (duckdb.Error, pa.ArrowException) as error:
            if expired.is_set():
                raise QueryTimeoutError(limits.seconds) from error
            raise QueryError(str(error)) from error
        finally:
            finished.set()
            watcher.join()


def _send_rows(
    answers: IO[bytes], connection: duckdb.DuckDBPyConnection, sql: str, limits: Limits
) -> None:
    reader = connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    count, size = 0, 0
    with (
        io.BufferedWriter(Frames(answers), PIECE_BYTES) as sink,
        pa.ipc.new_stream(sink, reader.schema) as stream,
    ):
        for batch in reader:
            count += batch.num_rows
            size += batch.nbytes
            if count > limits.rows:
                raise ResultTooLargeError("rows", limits.rows)
            if size > limits.result_bytes:
                raise ResultTooLargeError("bytes", limits.result_bytes)
            stream.write_batch(batch)


def _address_space() -> int:
    """Bytes of address space in use; 0 where the system does not tell."""
    if not STATM.exists():
        return 0
    return int(STATM.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


if sys.platform == "win32":

    @contextmanager
    def _confined(limits: Limits) -> Iterator[None]:
        """No such limits here: DuckDB's own and the parent must do."""
        del limits
        yield

    def _refuse_core_dumps() -> None:
        """There are none here."""

else:
    import resource
    import signal

    @contextmanager
    def _confined(limits: Limits) -> Iterator[None]:
        """Within the block, an allocation past the limit fails, and endless work ends the process.

        The latter is the parent's to do; this is for workers whose parent was killed.
        """
        used = _address_space()
        unlimited = resource.getrlimit(resource.RLIMIT_AS)
        if used:
            most = used + limits.memory_bytes + ALLOWANCE_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, unlimited[1]))
        signal.setitimer(signal.ITIMER_REAL, limits.seconds + 2 * GRACE_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            resource.setrlimit(resource.RLIMIT_AS, unlimited)

    def _refuse_core_dumps() -> None:
        """A process that dies of its memory would write it all to disk."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _be_killed_first() -> None:
    """Where the machine's memory ends all the same, the server is to live."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    with suppress(BrokenPipeError):  # the parent was killed
        main()
