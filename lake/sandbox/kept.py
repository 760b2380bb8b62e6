"""An engine for one query after the other: of callers who may read all of a lake.

To make an engine, to lock it and to end it takes longer than most queries run. Where nobody is kept
from any row, an engine need not be of one query to keep them from it: it is locked once, to the
lake's folder, and the files of a query are a variable that the views over them read. No statement
of a stranger leaves anything in it: the guard lets a SELECT through, of functions without effect.
Whoever may see some clusters alone gets an engine of his own, which can read his query's files and
no others (`lake.connection.connect`).
"""

from collections.abc import Sequence

import duckdb

from lake.connection import limit, lock
from lake.rollups.macro import create_buckets
from lake.sandbox.job import Job
from lake.schema import TABLES
from lake.views import VIEWS, identifier, quote, rows_of, stored_rows

MOST_FILES = 500
"""Read by one engine, which keeps a footer of each, of 100 kB, as long as it lives."""


class KeptEngine:
    """A locked engine over one lake. Of one thread.

    Args:
        engine: of `lake.engine.new_engine`, in which nothing has run.
        job: the first of those that it will serve.
    """

    def __init__(self, engine: duckdb.DuckDBPyConnection, job: Job) -> None:
        self.connection = engine
        self._of = _identity(job)
        self._has_files: dict[str, bool] = {}
        self._views: set[str] = set()
        self._read: set[str] = set()
        limit(engine, job.limits)
        # What was read once would be kept in memory as long as the engine: the system does that.
        engine.execute("SET enable_external_file_cache = false")
        lock(engine, "allowed_directories", [_folder(job)])

    def serves(self, job: Job) -> bool:
        """Whether a job that is `shared` can run in it."""
        return self._of == _identity(job) and len(self._read) < MOST_FILES

    def furnish(self, job: Job) -> None:
        """Let the views show the files of a job that it `serves`, until the next one."""
        for name in (name for name in TABLES if name in job.paths):
            self._show(name, job.paths[name])
        for name, query in VIEWS.items():
            if name in (job.views or ()) and name not in self._views:
                self.connection.execute(f"CREATE VIEW {identifier(name)} AS {query}")
                self._views.add(name)
        if job.stale is not None:
            create_buckets(self.connection, job.stale, job.paths, None)

    def _show(self, table: str, files: Sequence[str]) -> None:
        self._read.update(files)
        variable = f"files_of_{table}"
        if files:
            listed = ", ".join(map(quote, files))
            self.connection.execute(f"SET VARIABLE {variable} = [{listed}]")
        if self._has_files.get(table) is not bool(files):
            spec = TABLES[table]
            rows = rows_of(spec, f"getvariable('{variable}')") if files else stored_rows(spec, ())
            self.connection.execute(f"CREATE OR REPLACE VIEW stored.{table} AS {rows}")
            self._has_files[table] = bool(files)


def shared(job: Job) -> bool:
    """Whether a job may run where others ran.

    Its caller sees all, its files are a folder's, and the lake's views as of now are all it needs.
    """
    return (
        job.clusters is None
        and job.views is not None
        and job.store is not None
        and job.store.reader == "file"
        and not job.tables
        and not any("@" in name for name in job.paths)
    )


def _folder(job: Job) -> str:
    assert job.store is not None  # noqa: S101 - else it would not be shared
    return job.store.url


def _identity(job: Job) -> tuple[str, int, int]:
    return _folder(job), job.limits.memory_bytes, job.limits.threads
