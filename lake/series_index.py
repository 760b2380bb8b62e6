"""Asking the table `series` of a snapshot which metrics have series of some kind, and when."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import TypeVar

import duckdb

from lake.connection import Limits, connect
from lake.errors import LakeError
from lake.pruning.conditions import ALWAYS, Condition
from lake.pruning.entities import Known, Question
from lake.store import Store

KEPT_ANSWERS = 256
"""A dashboard asks the same of each of its panels."""

KEPT_CONNECTIONS = 4
"""To the newest version and to one that queries still read, for some sets of clusters."""

LIMITS = Limits(memory_bytes=256 << 20, threads=1)
"""It runs in the process that takes data, for whoever asks."""

MOST_SECONDS = 0.25
"""Of a question: with a longer one, leaving files out takes more time than it saves."""

MOST_ROWS = 200_000
"""Of an answer. With more, the filter leaves out little."""

T = TypeVar("T")


class SeriesIndex:
    """Answers of one lake, from a few versions of the table. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[object, Condition] = OrderedDict()
        self._connections: OrderedDict[object, duckdb.DuckDBPyConnection] = OrderedDict()

    def ask(
        self,
        store: Store,
        version: int,
        paths: Sequence[str],
        question: Question,
        clusters: Collection[str] | None = None,
    ) -> Condition:
        """The condition on files of samples that the answer is.

        Args:
            store: where the files are.
            version: of the table; an answer of the same version is the same.
            paths: its files.
            question: see `lake.pruning.entities.question`.
            clusters: the caller's, who is not to learn of others by how long it takes; None = all.
        """
        whose = None if clusters is None else tuple(sorted(clusters))
        key = (version, question, whose)
        with self._lock:
            known = self._answers.get(key)
            if known is not None:
                self._answers.move_to_end(key)
                return known
            connection = self._connections.get((version, whose))
        if connection is None:
            try:
                connection = connect(
                    {"series": paths}, store=store, clusters=whose, limits=LIMITS, views={"series"}
                )
            except LakeError:
                return ALWAYS  # without it, too, the query can be answered
        with self._lock:
            _keep(self._connections, (version, whose), connection, KEPT_CONNECTIONS)
            cursor = connection.cursor()
        with cursor:
            known = _answer(cursor, question)
        with self._lock:
            _keep(self._answers, key, known, KEPT_ANSWERS)
        return known


def _answer(connection: duckdb.DuckDBPyConnection, question: Question) -> Condition:
    sql, params = question
    late = threading.Timer(MOST_SECONDS, connection.interrupt)
    late.start()
    try:
        # A cursor is of another session.
        connection.execute("SET TimeZone = 'UTC'")
        bound = {name: _bound(value) for name, value in params}
        rows = connection.execute(sql, bound).fetchmany(MOST_ROWS + 1)
    except duckdb.Error:
        return ALWAYS  # it takes too long, or the query itself will be refused for it
    finally:
        late.cancel()
    return ALWAYS if len(rows) > MOST_ROWS else Known(rows)


def _bound(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _keep(kept: OrderedDict[object, T], key: object, value: T, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
