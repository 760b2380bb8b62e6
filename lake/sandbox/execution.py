"""One query at work in the worker: stopped when its time is up, or when it is called off."""

import threading
import time

import duckdb

from lake.connection import Limits
from lake.errors import QueryCancelledError, QueryError, QueryTimeoutError
from lake.sandbox.outlet import Outlet

INTERRUPT_SECONDS = 0.05
"""Between two attempts to stop a query: one before the engine has begun has no effect."""


class Execution:
    """The clock of a query, which stands still while the reader of the answer is waited for.

    Args:
        limits: of which `seconds` count here, from now on.
        outlet: where the answer goes.
    """

    def __init__(self, limits: Limits, outlet: Outlet) -> None:
        self._seconds = limits.seconds
        self._outlet = outlet
        self._began = time.monotonic()
        self._wake = threading.Event()
        self._finished = False
        self._cancelled = False
        self._expired = False
        self._watcher: threading.Thread | None = None

    def watch(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Begin to watch over what runs on the connection, until `finish`."""
        self._watcher = threading.Thread(
            target=self._watch, args=(connection,), name="query-timeout", daemon=True
        )
        self._watcher.start()

    def cancel(self) -> None:
        """Call the query off; from any thread."""
        self._cancelled = True
        self._outlet.close_early()
        self._wake.set()

    def finish(self) -> None:
        """The query is over."""
        self._finished = True
        self._wake.set()
        if self._watcher is not None:
            self._watcher.join()

    def reason(self) -> QueryError | None:
        """Why it was stopped; None if it was not."""
        if self._cancelled:
            return QueryCancelledError()
        return QueryTimeoutError(self._seconds) if self._expired else None

    def _watch(self, connection: duckdb.DuckDBPyConnection) -> None:
        while not self._stopping():
            used = time.monotonic() - self._began - self._outlet.waited()
            if used >= self._seconds:
                self._expired = True
                break
            self._wake.wait(self._seconds - used)
        while not self._finished:
            connection.interrupt()
            time.sleep(INTERRUPT_SECONDS)

    def _stopping(self) -> bool:
        return self._finished or self._cancelled
