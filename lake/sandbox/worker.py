"""The process in which SQL from outside runs, one query after the other; see `lake/sandbox`."""

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa

from lake.batches import batches, gathered
from lake.connection import Limits, connect
from lake.errors import LakeError, QueryError, QueryMemoryError, ResultTooLargeError
from lake.mistakes import BEFORE_IT_RUNS, with_place
from lake.read_failure import read_failure
from lake.results import writer
from lake.sandbox.engines import Engines
from lake.sandbox.execution import Execution
from lake.sandbox.frames import DONE, ERROR, QUERY, READY, TABLE, receive, send, told
from lake.sandbox.job import Job
from lake.sandbox.landlock import forbid_changes
from lake.sandbox.outlet import Outlet

BATCH_ROWS = 8_192
"""Rows fetched between two looks at the limits: few, since each may hold a long text."""

WRITTEN_BYTES = 4 << 20
"""Of rows that are written together: a call of Arrow's for a few takes as long as for many."""

ALLOWANCE_BYTES = 256 << 20
"""Address space beside the query's memory: stacks, arenas, Arrow's buffers. A query that fills
DuckDB's own limit of 1 GiB with 2 threads takes 100 MiB more than that."""

NICENESS = 10
"""What else runs on the machine goes first: the server that takes data, above all."""

STATM = Path("/proc/self/statm")


class Inbox:
    """What comes from the parent, read by a thread: it may come while a query runs."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.running: Execution | None = None
        self._newest: Job | None = None
        self._called_off: Job | None = None
        self._pipe = pipe
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="inbox", daemon=True).start()

    def next(self) -> Job | None:
        """The next query; None when there are no more."""
        return self._jobs.get()

    def is_called_off(self, job: Job) -> bool:
        """Whether it was before it began: while the engine for it was made."""
        return self._called_off is job

    def _listen(self) -> None:
        tables: dict[str, pa.Table] = {}
        while (frame := receive(self._pipe)) is not None:
            kind, content = frame
            if kind == TABLE:
                end = 1 + content[0]
                stream = pa.ipc.open_stream(pa.py_buffer(content[end:]))
                tables[content[1:end].decode()] = stream.read_all()
            elif kind == QUERY:
                self._newest = Job.from_json(content, tables)
                self._jobs.put(self._newest)
                tables = {}
            elif (running := self.running) is not None:
                running.cancel()
            else:
                self._called_off = self._newest  # one that is over, or has not begun
        self._jobs.put(None)
        if self.running is not None:
            os._exit(1)  # nobody is left to answer to


def main() -> None:
    """Answer queries until there are no more."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _settle()
    _be_killed_first()
    harmless = forbid_changes()  # before there are threads, which it would not reach
    with connect({}, limits=Limits(), locked=True) as connection:
        connection.sql("SELECT 1").to_arrow_table()  # the first loads and allocates for all later
    inbox, engines = Inbox(requests), Engines(keep=harmless)
    started = _address_space()
    send(answers, READY)
    with suppress(BrokenPipeError):  # the parent was killed
        while (job := inbox.next()) is not None:
            end = _answer(inbox, answers, job, engines)
            kind = ERROR if end else DONE
            end["reusable"] = _address_space() < started + ALLOWANCE_BYTES
            send(answers, kind, json.dumps(end).encode())
            engines.make_ahead()


def _answer(inbox: Inbox, answers: IO[bytes], job: Job, engines: Engines) -> dict[str, object]:
    """Run one query within its limits and send its rows; gives what went wrong, or nothing."""
    outlet = Outlet(answers)
    execution = inbox.running = Execution(job.limits, outlet)
    if inbox.is_called_off(job):
        execution.cancel()
    try:
        with _confined(job.limits):
            _run(execution, outlet, job, engines)
    except LakeError as error:
        return told(execution.reason() or error)
    except MemoryError:
        return told(QueryMemoryError(job.limits.memory_bytes))
    except (duckdb.Error, pa.ArrowException) as error:
        failure = read_failure(error, job.paths, job.store)
        return told(execution.reason() or failure or QueryError(str(error)))
    finally:
        inbox.running = None
        outlet.end()
    return {}


def _run(execution: Execution, outlet: Outlet, job: Job, engines: Engines) -> None:
    with engines.connection(job) as connection:
        execution.watch(connection)
        try:
            for name, rows in job.tables.items():
                connection.register(name, rows)
            reader = _reader(connection, job.sql)
            with writer(job.form, outlet, reader.schema, job.read_from) as sink:
                for batch in gathered(_limited(reader, job.limits), WRITTEN_BYTES):
                    sink.write(batch)
        finally:
            execution.finish()
    outlet.send_all()


def _reader(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    try:
        return connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    except BEFORE_IT_RUNS as error:
        raise QueryError(with_place(connection, sql, error)) from error


def _limited(reader: pa.RecordBatchReader, limits: Limits) -> Iterator[pa.RecordBatch]:
    count, size = 0, 0
    for batch in batches(reader):
        count += batch.num_rows
        size += batch.nbytes
        if count > limits.rows:
            raise ResultTooLargeError("rows", limits.rows)
        if size > limits.result_bytes:
            raise ResultTooLargeError("bytes", limits.result_bytes)
        yield batch


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

    def _settle() -> None:
        """There is nothing to be set here."""

else:
    import resource

    @contextmanager
    def _confined(limits: Limits) -> Iterator[None]:
        """Within the block, an allocation past the limit fails."""
        used = _address_space()
        unlimited = resource.getrlimit(resource.RLIMIT_AS)
        if used:
            most = used + limits.memory_bytes + ALLOWANCE_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, unlimited[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, unlimited)

    def _settle() -> None:
        """Stand back, and write no core dump: one that dies of its memory would write it all."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(NICENESS)


def _be_killed_first() -> None:
    """Where the machine's memory ends all the same, the server is to live."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
