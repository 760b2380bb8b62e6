"""Asking the table `series` of a snapshot which metrics have series of some kind, and when."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

import duckdb

from lake.connection import connect
from lake.pruning.conditions import ALWAYS, Condition
from lake.pruning.entities import Known, Question
from lake.store import Store

KEPT_ANSWERS = 256
"""A dashboard asks the same of each of its panels."""

KEPT_CONNECTIONS = 2
"""To the newest version, and to one that queries still read."""

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
        self, store: Store, version: int, paths: Sequence[str], question: Question
    ) -> Condition:
        """The condition on files of samples that the answer is.

        Args:
            store: where the files are.
            version: of the table; an answer of the same version is the same.
            paths: its files.
            question: see `lake.pruning.entities.question`.
        """
        with self._lock:
            known = self._answers.get((version, question))
            if known is not None:
                self._answers.move_to_end((version, question))
                return known
            connection = self._connections.get(version)
            if connection is None:
                connection = connect({"series": paths}, store=store)
            _keep(self._connections, version, connection, KEPT_CONNECTIONS)
            cursor = connection.cursor()
        with cursor:
            known = _answer(cursor, question)
        with self._lock:
            _keep(self._answers, (version, question), known, KEPT_ANSWERS)
        return known


def _answer(connection: duckdb.DuckDBPyConnection, question: Question) -> Condition:
    sql, params = question
    try:
        # A cursor is of another session.
        connection.execute("SET TimeZone = 'UTC'")
        bound = {name: _bound(value) for name, value in params}
        rows = connection.execute(sql, bound).fetchmany(MOST_ROWS + 1)
    except duckdb.Error:
        return ALWAYS  # the query itself will be refused for it, or it meets no such row
    return ALWAYS if len(rows) > MOST_ROWS else Known(rows)


def _bound(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _keep(kept: OrderedDict[object, T], key: object, value: T, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
