"""SQL as words, those of plain questions and nothing else, and a reader of them."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from lake.range_query.literals import interval, spelled
from lake.range_query.question import UnsuitedError

T = TypeVar("T")

WORD = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*'(?!'))
    | (?P<number>\d+(?:\.\d+)?(?![\w.]))
    | (?P<name>[A-Za-z_][A-Za-z_0-9]*(?!['$\w]))
    | (?P<sign><=|>=|<>|!=|[=<>(),.*;]|-(?!-))
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
"""No comment, no quoted name, no parameter, no other way to write a text, no other script."""

_RESERVED = """
    all analyse analyze and anti any array as asc asof asymmetric at authorization binary
    both by case cast check collate collation column columns concurrently constraint create
    cross default deferrable desc describe distinct do else end except false fetch for
    foreign freeze from full generated glob group having ilike in initially inner intersect
    into is isnull join lambda lateral leading left like limit map natural not notnull null
    offset on only or order outer overlaps pivot pivot_longer pivot_wider placing positional
    primary qualify references returning right select semi show similar some struct
    summarize symmetric table tablesample then to trailing true try_cast tuple union unique
    unpack unpivot using variadic verbose when where window with
"""

RESERVED = frozenset(_RESERVED.split())
"""Keywords that DuckDB takes for no name of a column, but for some after AS."""

EXACT_DIGITS = 15
"""Of a number: so many are the same whichever way they become a float."""

LARGEST_ID = (1 << 63) - 1
MOST_DIGITS = len(str(LARGEST_ID))

FURTHEST = 4
"""Words that are looked at at once."""


class Word(NamedTuple):
    """A text without its quotes, a number, a name, or a sign; `low` is a name in lower case."""

    kind: str
    said: str
    low: str


def words(sql: str) -> Iterator[Word]:
    """All words, and one of kind "end".

    >>> [word.said for word in words("SELECT max(value) > 1")]
    ['SELECT', 'max', '(', 'value', ')', '>', '1', '']

    Raises:
        UnsuitedError: there is something else among them.
    """
    kind, read = "", WORD.scanner(sql).match  # type: ignore[attr-defined]
    while kind != "end":
        found = read()
        if found is None:
            raise UnsuitedError
        kind = found.lastgroup or ""
        said = found[kind]
        if kind == "text":
            # Of no use as a keyword, whatever is in it.
            yield Word(kind, said[1:-1].replace("''", "'"), "")
        else:
            yield Word(kind, said, said.lower())


class Reader:
    """Reads words from left to right; what does not fit raises UnsuitedError."""

    def __init__(self, read: list[Word]) -> None:
        self._words = read + read[-1:] * FURTHEST
        self.at = 0

    def peek(self, ahead: int = 0) -> Word:
        """The next word, or one that comes after it."""
        return self._words[self.at + ahead]

    def next(self) -> Word:
        """The next word, taken."""
        word = self.peek()
        if word.kind == "end":
            raise UnsuitedError
        self.at += 1
        return word

    def is_at(self, *lows: str) -> bool:
        """Whether these come next."""
        return all(self._words[at].low == low for at, low in enumerate(lows, self.at))

    def take(self, low: str) -> bool:
        """Take the next word if it is this one."""
        found = self._words[self.at].low == low
        self.at += found
        return found

    def need(self, *lows: str) -> None:
        """Take these words."""
        if not self.is_at(*lows):
            raise UnsuitedError
        self.at += len(lows)

    def listed(self, one: Callable[[], T]) -> list[T]:
        """Some of a kind, with commas between them."""
        found = [one()]
        while self.take(","):
            found.append(one())
        return found

    def is_name(self) -> bool:
        """Whether a name comes next that may be one of a column or table."""
        word = self.peek()
        return word.kind == "name" and word.low not in RESERVED

    def name(self) -> Word:
        """Such a name."""
        if not self.is_name():
            raise UnsuitedError
        return self.next()

    def label(self) -> str:
        """What stands after AS: any word, but one that begins another clause here."""
        word = self.next()
        if word.kind != "name" or word.low == "from":
            raise UnsuitedError
        return word.said

    def text(self) -> str:
        """A text."""
        word = self.next()
        if word.kind != "text":
            raise UnsuitedError
        return word.said

    def whole(self, most: int = 10**EXACT_DIGITS) -> int:
        """A whole number."""
        word = self.next()
        if word.kind != "number" or not word.said.isdecimal() or len(word.said) > MOST_DIGITS:
            raise UnsuitedError
        if int(word.said) > most:
            raise UnsuitedError
        return int(word.said)

    def series_id(self) -> int:
        """A number of a series."""
        return (-1 if self.take("-") else 1) * self.whole(LARGEST_ID)

    def float(self) -> float:
        """A number."""
        sign = -1.0 if self.take("-") else 1.0
        word = self.next()
        if word.kind != "number" or len(word.said) > EXACT_DIGITS:
            raise UnsuitedError
        return sign * float(word.said)

    def interval(self) -> tuple[int, str]:
        """A length of time, and how it is written."""
        self.need("interval")
        if self.peek().kind == "text":
            text = self.text()
            return spelled(text), f"'{text}'"
        number, unit = self.whole(), self.name().low
        return interval(number, unit), f"{number} {unit}"
