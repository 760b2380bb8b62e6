"""The engines of a worker: one that is kept, and one made ahead for a query of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from lake.connection import connect
from lake.engine import new_engine
from lake.mistakes import BEFORE_IT_RUNS
from lake.sandbox.job import Job
from lake.sandbox.kept import KeptEngine, shared


class Engines:
    """Gives each query a connection. Of one thread, but for who interrupts a connection.

    Args:
        keep: whether one may be kept, which can read all of a lake: where this process can change
            no file.
    """

    def __init__(self, *, keep: bool) -> None:
        self._may_keep = keep
        self._ready: duckdb.DuckDBPyConnection | None = new_engine()
        self._kept: KeptEngine | None = None
        self._beside_kept = False

    @contextmanager
    def connection(self, job: Job) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in which the job's views are, and nothing else that is not the lake's.

        Raises:
            FileDamagedError, StoreError, duckdb.Error: a file cannot be read.
        """
        self._beside_kept = False
        if self._may_keep and shared(job):
            with self._in_kept(job) as kept:
                yield kept
            return
        with connect(
            job.paths,
            limits=job.limits,
            locked=True,
            clusters=job.clusters,
            store=job.store,
            stale=job.stale,
            views=job.views,
            engine=self._take(),
        ) as own:
            yield own

    def make_ahead(self) -> None:
        """Make what the next query would wait for, if it is like the last one."""
        if self._ready is None and (
            self._kept is None or self._beside_kept or not self._kept.has_room()
        ):
            self._ready = new_engine()

    @contextmanager
    def _in_kept(self, job: Job) -> Iterator[duckdb.DuckDBPyConnection]:
        if self._kept is None or not self._kept.serves(job):
            engine = self._take()
            self._leave_kept()
            self._kept = KeptEngine(engine, job)
        try:
            self._kept.furnish(job)
            yield self._kept.connection
        except BaseException as error:
            # What is refused before it runs leaves nothing; of all else nobody can be sure.
            if not isinstance(error.__cause__, BEFORE_IT_RUNS):
                self._leave_kept()
            raise

    def _leave_kept(self) -> None:
        if self._kept is not None:
            self._kept.connection.close()
            self._kept = None

    def _take(self) -> duckdb.DuckDBPyConnection:
        self._beside_kept = self._kept is not None
        engine, self._ready = self._ready or new_engine(), None
        return engine
