"""From the text of a SELECT to what it asks, where that is a range query.

It is a parser of its own for a small part of DuckDB's SQL: to have the engine's tell of a query
takes as long as to answer it. Whatever it does not know for certain is left to the engine, which
also tells what is wrong with a query; so what comes out here needs no guard.
"""

from collections.abc import Callable
from datetime import datetime

from lake.range_query.question import (
    NUMBERS,
    Aggregate,
    Bucket,
    Column,
    Expression,
    Key,
    Nothing,
    Output,
    Question,
    UnsuitedError,
)
from lake.range_query.sources import IDENTITY, Source, source_of
from lake.range_query.where import Where
from lake.range_query.words import Reader, words

AGGREGATES = frozenset({"min", "max", "avg", "sum", "count"})

OVER_TIME = frozenset({"arg_max", "increase", "rate"})
"""Functions of a number and `time`."""

WHOLE = frozenset({"count", "time", "series_id"})
"""No floats: what functions make of them has other types."""

MOST_OUTPUTS = 64

LONGEST = 20_000
"""Characters of a query that is looked at here."""


def asked(sql: str, now: Callable[[], datetime]) -> Question | None:
    """What a query asks; None where it is for an engine.

    Args:
        sql: one statement.
        now: the time that `now()` is.
    """
    if len(sql) > LONGEST:
        return None
    try:
        return _Parser(Reader(list(words(sql))), now).question()
    except UnsuitedError:
        return None


class _Parser:
    def __init__(self, read: Reader, now: Callable[[], datetime]) -> None:
        self._read = read
        self._where = Where(read, now)

    def question(self) -> Question:
        """All of it."""
        read = self._read
        read.need("select")
        begin = read.at
        # What is selected are columns of what is named after it.
        while not read.is_at("from"):
            read.next()
        read.need("from")
        self._source = self._from()
        if read.take("where"):
            self._where.condition(self._column())
            while read.take("and"):
                self._where.condition(self._column())
        after, read.at = read.at, begin
        outputs = self._outputs()
        read.at = after
        keys = self._group_by(outputs)
        order = self._order_by(outputs)
        limit = read.whole() if read.take("limit") else None
        read.take(";")
        if read.peek().kind != "end":
            raise UnsuitedError
        return Question(
            self._source.table,
            outputs,
            keys,
            self._where.texts,
            self._where.series_ids,
            tuple(self._where.comparisons),
            self._where.start,
            self._where.end,
            self._source.joined,
            order,
            limit,
        )

    def _from(self) -> Source:
        read, step, of_series = self._read, None, None
        name = read.name().low
        if name == "buckets":
            read.need("(")
            step, _ = read.interval()
            read.need(")")
        alias = self._alias()
        if read.take("join"):
            read.need("series")
            of_series = self._alias() or "series"
            read.need("using", "(")
            if set(read.listed(lambda: read.name().low)) != IDENTITY:
                raise UnsuitedError
            read.need(")")
        return source_of(name, step, alias, of_series)

    def _alias(self) -> str | None:
        if self._read.take("as") or self._read.is_name():
            return self._read.name().low
        return None

    def _column(self) -> str:
        name = self._read.name().low
        if not self._read.take("."):
            return self._source.column(name)
        return self._source.column(self._read.name().low, name)

    def _selected(self) -> str:
        """A column that is selected or grouped by."""
        qualified, name = self._read.peek(1).low == ".", self._column()
        if qualified and name in IDENTITY and self._source.qualifies_twice:
            raise UnsuitedError  # of which of the two tables makes a difference, to an engine
        return name

    # What is selected.

    def _outputs(self) -> tuple[Output, ...]:
        found = self._read.listed(self._output)
        self._read.need("from")
        if len(found) > MOST_OUTPUTS:
            raise UnsuitedError
        return tuple(found)

    def _output(self) -> Output:
        expression = self._expression()
        if self._read.take("as"):
            return Output(self._read.label(), expression)
        if isinstance(expression, Column):
            return Output(expression.name, expression)
        if expression == Aggregate("count", None):
            return Output("count_star()", expression)
        if isinstance(expression, Nothing):
            return Output("NULL", expression)
        raise UnsuitedError  # the engine names it by how it is written

    def _expression(self) -> Expression:
        if self._read.take("null"):
            return Nothing()
        if self._read.peek(1).low != "(":
            return Column(self._selected())
        function = self._read.name().low
        self._read.need("(")
        if function == "time_bucket":
            found: Expression = Bucket(*self._read.interval())
            self._read.need(",")
            self._of_time()
        elif function == "count" and self._read.take("*"):
            found = Aggregate(function, None)
        else:
            found = self._aggregate(function)
        self._read.need(")")
        return found

    def _aggregate(self, function: str) -> Aggregate:
        column = self._column()
        if column not in NUMBERS or (column in WHOLE and function != "count"):
            raise UnsuitedError
        if function in OVER_TIME:
            self._read.need(",")
            self._of_time()
        elif function not in AGGREGATES:
            raise UnsuitedError
        return Aggregate(function, column)

    def _of_time(self) -> None:
        if self._column() != "time":
            raise UnsuitedError

    # What comes after the conditions.

    def _group_by(self, outputs: tuple[Output, ...]) -> tuple[Key, ...] | None:
        expressions = [each.expression for each in outputs]
        keys = [each for each in expressions if isinstance(each, Column | Bucket)]
        aggregated = any(isinstance(each, Aggregate) for each in expressions)
        if not self._read.take("group"):
            if aggregated and keys:
                raise UnsuitedError
            return () if aggregated else None
        self._read.need("by")
        if self._read.take("all"):
            found: list[Expression] = [*keys]
        else:
            found = self._read.listed(lambda: self._grouped(outputs))
        kept = tuple(dict.fromkeys(key for key in found if isinstance(key, Column | Bucket)))
        if not aggregated or not kept or not set(keys) <= set(kept):
            raise UnsuitedError
        return kept

    def _grouped(self, outputs: tuple[Output, ...]) -> Expression:
        if self._read.peek().kind == "number":
            found = outputs[self._position(outputs)].expression
        elif self._read.peek(1).low in {"(", "."}:
            found = self._expression()
        else:
            found = self._named(self._read.name().low, outputs)
        if isinstance(found, Aggregate):
            raise UnsuitedError
        return found

    def _position(self, outputs: tuple[Output, ...]) -> int:
        place = self._read.whole() - 1
        if not 0 <= place < len(outputs):
            raise UnsuitedError
        return place

    def _named(self, low: str, outputs: tuple[Output, ...]) -> Expression:
        """A column or an output, where it cannot be two things."""
        found = {each.expression for each in outputs if each.name.lower() == low}
        if self._source.may_know(low):
            found.add(Column(self._source.column(low)))
        if len(found) != 1:
            raise UnsuitedError
        return found.pop()

    def _order_by(self, outputs: tuple[Output, ...]) -> tuple[tuple[int, bool], ...]:
        if not self._read.take("order"):
            return ()
        self._read.need("by")
        return tuple(self._read.listed(lambda: self._ordered(outputs)))

    def _ordered(self, outputs: tuple[Output, ...]) -> tuple[int, bool]:
        if self._read.peek().kind == "number":
            place = self._position(outputs)
        else:
            wanted = self._named(self._read.name().low, outputs)
            expressions = [each.expression for each in outputs]
            if wanted not in expressions:
                raise UnsuitedError
            place = expressions.index(wanted)
        descending = self._read.take("desc")
        if not descending:
            self._read.take("asc")
        return place, descending
