"""What a range query asks, as data."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is, by its name in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """`time_bucket(…, time)`: the begin of a span of so many microseconds.

    The same length that is written in another way is another expression, for an engine.
    """

    micros: int
    written: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over the rows of a group; `count(*)` has no column."""

    function: str
    column: str | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """A plain NULL."""


Key: TypeAlias = Column | Bucket
Expression: TypeAlias = Key | Aggregate | Nothing


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the answer."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on a number of each row: the operator is `=`, `<>`, `<`, `<=`, `>` or `>=`."""

    column: str
    operator: str
    number: float


BEFORE_ALL = -(1 << 62)
AFTER_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Question:
    """One SELECT over the samples or buckets of some series.

    Attributes:
        table: `samples`, `samples_5m` or `samples_1h`.
        outputs: columns of the answer.
        keys: what rows are grouped by; None = they are not.
        texts: for columns of text, the values that are wanted.
        series_ids: the series that are wanted; None = all.
        comparisons: on numbers; all of them hold.
        start: of the rows' time, inclusive, in microseconds since 1970.
        end: likewise, exclusive.
        joined: rows without a row in `series` are left out, and its columns are there.
        order: positions of outputs, and whether greatest first.
        limit: the most rows.
    """

    table: str
    outputs: tuple[Output, ...]
    keys: tuple[Key, ...] | None
    texts: dict[str, frozenset[str]] = field(default_factory=dict)
    series_ids: frozenset[int] | None = None
    comparisons: tuple[Comparison, ...] = ()
    start: int = BEFORE_ALL
    end: int = AFTER_ALL
    joined: bool = False
    order: tuple[tuple[int, bool], ...] = ()
    limit: int | None = None

    def of_series(self) -> set[str]:
        """The columns of text that the answer needs, beside those that only choose series."""
        wanted: set[str] = set()
        for key in (*(self.keys or ()), *(output.expression for output in self.outputs)):
            if isinstance(key, Column) and key.name not in NUMBERS:
                wanted.add(key.name)
        return wanted

    def numbers(self) -> set[str]:
        """The numbers of each row that are read."""
        named = {each.column for each in self.comparisons}
        for output in self.outputs:
            if isinstance(output.expression, Aggregate) and output.expression.column is not None:
                named.add(output.expression.column)
            elif isinstance(output.expression, Column):
                named.add(output.expression.name)
        if "avg" in named:
            named |= {"sum", "count"}
        return {name for name in named if name in STORED_NUMBERS}


BUCKET_NUMBERS = ("min", "max", "sum", "count", "last", "increase")

STORED_NUMBERS = frozenset({"value", *BUCKET_NUMBERS})

NUMBERS = STORED_NUMBERS | {"avg", "time", "series_id"}
"""Columns that are no text."""


class UnsuitedError(Exception):
    """It is not for this package: an engine answers it. Never seen outside."""
