"""An engine for one query after the other: of callers who may read all of a lake.

To make an engine, to lock it and to end it takes longer than most queries run. Where nobody is kept
from any row, an engine need not be of one query to keep them from it: it is locked once, to the
lake's folder, and its views stand (`lake/standing.py`). No statement of a stranger leaves anything
in it: the guard lets a SELECT through, of functions without effect. Whoever may see some clusters
alone gets an engine of his own, which can read his query's files and no others
(`lake.connection.connect`).
"""

import os
from functools import lru_cache

import duckdb

from lake.connection import limit, lock
from lake.engine import outlasting
from lake.sandbox.job import Job
from lake.standing import StandingViews, of_the_past

MOST_FILES = 500
"""Read by one engine, which keeps a footer of each, of 100 kB, as long as it lives."""


class KeptEngine:
    """A locked engine over one lake, for one query at a time.

    Args:
        engine: of `lake.engine.new_engine`, in which nothing has run.
        job: the first of those that it will serve.
    """

    def __init__(self, engine: duckdb.DuckDBPyConnection, job: Job) -> None:
        self.connection = engine
        self._of = _identity(job)
        self._views = StandingViews(engine)
        self._read: set[str] = set()
        limit(engine, job.limits)
        lock(outlasting(engine), "allowed_directories", [_folder(job)])

    def serves(self, job: Job) -> bool:
        """Whether a job that is `shared` can run in it."""
        return self._of == _identity(job) and self.has_room()

    def has_room(self) -> bool:
        """Whether it may read files that it has not read yet."""
        return len(self._read) < MOST_FILES

    def furnish(self, job: Job) -> None:
        """Let the views show the files of a job that it `serves`, until the next one."""
        self._read.update(path for files in job.paths.values() for path in files)
        self._views.show(job.paths, job.stale, job.views or ())


def shared(job: Job) -> bool:
    """Whether a job may run where others ran.

    Its caller sees all, the lake's views as of now are all it needs, and its files lie in the
    lake's folder, with no link on the way: what a link leads to is elsewhere, for DuckDB.
    """
    return (
        job.clusters is None
        and job.views is not None
        and job.store is not None
        and job.store.reader == "file"
        and not job.tables
        and not of_the_past(job.paths)
        and all(map(_is_no_link, {p.rpartition("/")[0] for of in job.paths.values() for p in of}))
    )


@lru_cache(10_000)
def _is_no_link(folder: str) -> bool:
    return os.path.realpath(folder) == folder


def _folder(job: Job) -> str:
    assert job.store is not None  # noqa: S101 - else it would not be shared
    return job.store.url


def _identity(job: Job) -> tuple[str, int, int]:
    return _folder(job), job.limits.memory_bytes, job.limits.threads
