"""The conditions of a range query, which all hold."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from lake.range_query.literals import moment
from lake.range_query.question import (
    AFTER_ALL,
    BEFORE_ALL,
    NUMBERS,
    Comparison,
    UnsuitedError,
)
from lake.range_query.words import Reader, Word
from lake.timerange import to_micros

T = TypeVar("T")

COMPARED = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})


class Where:
    """Takes conditions from a reader, one by one; see `Question` for what comes of them."""

    def __init__(self, read: Reader, now: Callable[[], datetime]) -> None:
        self.texts: dict[str, frozenset[str]] = {}
        self.series_ids: frozenset[int] | None = None
        self.comparisons: list[Comparison] = []
        self.start, self.end = BEFORE_ALL, AFTER_ALL
        self._read = read
        self._now = now

    def condition(self, column: str) -> None:
        """What comes after the name of a column.

        Raises:
            UnsuitedError: it is no condition of a range query.
        """
        word = self._read.next()
        if column == "time":
            self._time(word)
        elif column == "series_id":
            wanted = self._wanted(word, self._read.series_id)
            self.series_ids = wanted if self.series_ids is None else self.series_ids & wanted
        elif column not in NUMBERS:
            texts = self._wanted(word, self._read.text)
            self.texts[column] = self.texts.get(column, texts) & texts
        elif word.low in COMPARED:
            operator = "<>" if word.low == "!=" else word.low
            self.comparisons.append(Comparison(column, operator, self._read.float()))
        else:
            raise UnsuitedError

    def _wanted(self, word: Word, one: Callable[[], T]) -> frozenset[T]:
        if word.low == "=":
            return frozenset([one()])
        if word.low != "in":
            raise UnsuitedError
        self._read.need("(")
        found = frozenset(self._read.listed(one))
        self._read.need(")")
        return found

    def _time(self, word: Word) -> None:
        if word.low == "between":
            self.start = max(self.start, self._moment())
            self._read.need("and")
            self.end = min(self.end, self._moment() + 1)
            return
        if word.low not in {"<", "<=", ">", ">="}:
            raise UnsuitedError
        at = self._moment()
        if word.low[0] == ">":
            self.start = max(self.start, at + (word.low == ">"))
        else:
            self.end = min(self.end, at + (word.low == "<="))

    def _moment(self) -> int:
        read = self._read
        if not read.is_at("now"):
            read.take("timestamptz")
            return moment(read.text())
        read.need("now", "(", ")")
        return to_micros(self._now()) - (read.interval()[0] if read.take("-") else 0)
