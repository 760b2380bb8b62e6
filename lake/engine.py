"""DuckDB engines without any table yet: of a query's own, and the one that trusted queries share.

To make an engine takes longer than most queries run. So the process of SQL from outside makes its
next one ahead or keeps one (`lake/sandbox/`), and trusted queries are sessions of one engine, each
with a catalogue of its own.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import duckdb

from lake.macros import create_macros
from lake.standing import StandingViews

MOST_KEYS = 1_000
"""Of one side of a join, by which row groups of the other side are left out. With DuckDB's own 50,
ten metrics of eight pods read every row group between the least series and the greatest."""

BROKEN = (duckdb.FatalException, duckdb.InternalException)
"""After one of these an engine refuses all that comes."""


def new_engine() -> duckdb.DuckDBPyConnection:
    """An engine with the lake's settings and macros, and an empty schema `stored`."""
    engine = _bare()
    # Making a view and running a query ask for the same footers; files never change.
    engine.execute("SET parquet_metadata_cache = true")
    engine.execute("CREATE SCHEMA stored")
    return engine


def _bare() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect()
    engine.execute("SET GLOBAL TimeZone = 'UTC'")
    engine.execute("SET enable_progress_bar = false")
    engine.execute(f"SET GLOBAL dynamic_or_filter_threshold = {MOST_KEYS}")
    engine.execute(create_macros())
    return engine


MOST_IDLE = 4
"""Sessions with views that wait for their next query; more queries at once make more."""


@dataclass
class Standing:
    """A session that outlives its query.

    Attributes:
        connection: for one query at a time.
        views: the lake's, in it.
        session: ends it.
    """

    connection: duckdb.DuckDBPyConnection
    views: StandingViews
    session: ExitStack


def outlasting(engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Let an engine be of many queries: what files hold is cached by the system, not once more."""
    engine.execute("SET enable_external_file_cache = false")
    return engine


class SharedEngine:
    """One engine for many queries at once. Thread-safe; what one makes, the others do not see."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Standing] = []
        self._generation = 0
        self._numbers = itertools.count()
        self._engine: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one query, with a catalogue of its own and its schema `stored`."""
        with self._lock:
            # Without a cache of footers: it would grow with every file that is ever read.
            engine = self._engine = self._engine or outlasting(_bare())
            connection, name = engine.cursor(), f"query_{next(self._numbers)}"
        with connection:
            try:
                connection.execute(f"ATTACH ':memory:' AS {name}")
                connection.execute(f"SET search_path = '{name}.main,memory.main'")
                connection.execute("CREATE SCHEMA stored")
                yield connection
            except BaseException as error:
                if isinstance(error, BROKEN) or isinstance(error.__cause__, BROKEN):
                    self._leave(engine)
                raise
            finally:
                with suppress(duckdb.Error):
                    connection.execute(f"USE memory; DETACH {name}")

    @contextmanager
    def standing(self) -> Iterator[Standing]:
        """A session for one query at a time, in which the lake's views stay for the next one."""
        with self._lock:
            one = self._idle.pop() if self._idle else None
            generation = self._generation
        if one is None:
            session = ExitStack()
            connection = session.enter_context(self.session())
            one = Standing(connection, StandingViews(connection), session)
        try:
            yield one
        except BaseException as error:
            one.session.__exit__(type(error), error, error.__traceback__)
            raise
        with self._lock:
            if generation == self._generation and len(self._idle) < MOST_IDLE:
                self._idle.append(one)
                return
        one.session.close()

    def _leave(self, engine: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if self._engine is engine:
                self._engine = None
                self._generation += 1  # sessions that are at a query must not wait for another
                self._idle.clear()


shared = SharedEngine()
"""That of this process."""
