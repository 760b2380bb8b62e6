"""What a query reads: of which tables, with which condition on their files."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb

from lake.errors import AsOfError
from lake.pruning.conditions import ALWAYS, Condition, every, size
from lake.pruning.constants import CLOCK, MOST_EVALUATIONS, Constants
from lake.pruning.entities import Question, question
from lake.pruning.leaves import SLACK, Leaves
from lake.pruning.scans import NotUnderstoodError, Scan, scans
from lake.rollups.macro import NAME, REACH
from lake.schema import TABLES
from lake.syntax import Node, nodes, parse, parser, text
from lake.timerange import MICROSECOND

BUCKETS = NAME

BEHIND = {
    **{name: (name,) for name in TABLES},
    "metrics": ("samples", "series"),
    BUCKETS: ("samples", "samples_5m", "samples_1h"),
}
"""Each view, and the tables whose files it reads."""

Moment = datetime | int | str
"""A time; the version of one table; a snapshot id or a time as text."""


@dataclass(frozen=True)
class Read:
    """What is read by one mention of a view.

    Attributes:
        view: its name.
        node: the mention, in the query's tree.
        at: the mention's own past, as `AT (VERSION => …)` gives it; None = the query's.
        condition: on the files of its tables.
        question: to narrow the files of samples down; None = nothing to ask.
        step: of `buckets`, in microseconds.
    """

    view: str
    node: Node
    at: Moment | None = None
    condition: Condition = ALWAYS
    question: Question | None = None
    step: int | None = None

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose files it reads."""
        return BEHIND[self.view]


@dataclass(frozen=True)
class Reading:
    """A query that is understood.

    Attributes:
        tree: of its syntax.
        reads: of the lake's views.
        alone: it names no other table, such as one of the catalogue's, which lists the views.
    """

    tree: Node
    reads: tuple[Read, ...]
    alone: bool = True

    def renamed(self, name: Callable[[str, Moment], str]) -> str:
        """The query with each view that has an AT clause under another name instead.

        Args:
            name: from view and past to the new name.
        """
        for read in self.reads:
            if read.at is not None:
                node = read.node
                node["alias"] = node["alias"] or node["table_name"]
                node["table_name"] = name(read.view, read.at)
                node["qualified_name"] = {"path": [node["table_name"]]}
                node["at_clause"] = None
        with parser() as connection:
            return text(connection, self.tree)

    def parameters(self) -> set[str]:
        """The names of its parameters."""
        return {node["identifier"] for node in nodes(self.tree) if node.get("class") == "PARAMETER"}


def reading(sql: str, params: Mapping[str, object] | None = None) -> Reading | None:
    """What a query reads; None where it is not understood, and may read anything.

    >>> found = reading("SELECT 1 FROM metrics JOIN events USING (cluster)")
    >>> [read.tables for read in found.reads]
    [('samples', 'series'), ('events',)]
    >>> reading("DESCRIBE samples")

    Args:
        sql: one statement.
        params: values of its `$name` parameters.

    Raises:
        AsOfError: an AT clause has no constant that names a past.
    """
    if params or len(sql) > LONGEST_KEPT or MOMENTARY.search(sql):
        return _reading(sql, params or {})
    found = _kept(sql)
    if found is not None and any(read.at is not None for read in found.reads):
        return _reading(sql, {})  # an AT that a comment hid from the pattern
    return found


MOST_QUESTIONS = 8
"""Of one query, to the table `series`: each is a query of its own, before the one that is asked."""

MOST_CONDITIONS = 1_000
"""Of one query, all in all. Each is looked at for each file: so many, for two thousand files, take
a second of the caller's own process."""

LONGEST_KEPT = 4_000
"""Characters of a query that is remembered: a dashboard asks the same again and again."""

MOMENTARY = re.compile(rf"\b(?:{'|'.join(CLOCK)}|yesterday|tomorrow)\b|\bat\s*\(", re.IGNORECASE)
"""What may make the same text read something else the next time."""


@functools.lru_cache(maxsize=256)
def _kept(sql: str) -> Reading | None:
    """Without the trees, which only AT clauses need, and which take a hundred times the memory."""
    found = _reading(sql, {})
    if found is None:
        return None
    return replace(found, tree={}, reads=tuple(replace(read, node={}) for read in found.reads))


def _reading(sql: str, params: Mapping[str, object]) -> Reading | None:
    with parser() as connection:
        try:
            tree = parse(connection, sql)
            if tree is None:
                return None
            # Apart: what is needed to run the query is not to lack for what its filters use up.
            constants, needed = Constants(connection, params), Constants(connection, params)
            reads = [_read(scan, constants, needed) for scan in scans(tree)]
            return Reading(tree, _bounded(reads), _alone(tree))
        except (duckdb.Error, RecursionError, NotUnderstoodError):
            return None
        except (LookupError, TypeError):
            # A tree of a form that no query had before: to read all is right, to fail is not.
            return None


MOST_NAMES = 2
"""Schema and table. The catalogue of a shared engine has another name for each query."""


def _alone(tree: Node) -> bool:
    """Whether every table that is named is a view of the lake or a CTE."""
    known = {*BEHIND}
    for node in nodes(tree):
        known.update(each["key"].lower() for each in (node.get("cte_map") or {}).get("map", []))
    return all(
        node["table_name"].lower() in known
        and len((node.get("qualified_name") or {}).get("path") or ()) <= MOST_NAMES
        for node in nodes(tree)
        if node.get("type") == "BASE_TABLE"
    )


def _read(scan: Scan, constants: Constants, needed: Constants) -> Read:
    view = scan.mention.view
    assert view is not None  # noqa: S101 - scans are of views
    before, after, step = SLACK, SLACK, None
    if view == BUCKETS:
        step, seconds = _step(scan, needed)
        # A month counts as 30 days in a bucket, and may have 31.
        before, after = REACH * MICROSECOND, timedelta(seconds=seconds * 31 / 30) + SLACK
    leaves = Leaves(scan.mention, constants, before, after)
    condition = every(leaves.condition(each.node) for each in scan.filters)
    exact = [each.node for each in scan.filters if each.exact]
    asked = question(scan.mention, exact, constants)
    at = None if scan.at is None else _moment(scan.at, needed)
    return Read(view, scan.node, at, condition, asked, step)


def _step(scan: Scan, constants: Constants) -> tuple[int, float]:
    """How long a bucket is, in microseconds as `buckets` has it, and at most in seconds.

    Its rows begin with it, and what it is made of lies within it.
    """
    if len(scan.arguments) != 1:
        raise NotUnderstoodError
    micros = constants.micros(scan.arguments[0])
    seconds = constants.reach(scan.arguments[0])
    if micros is None or seconds is None:
        raise NotUnderstoodError
    return micros, seconds


def _bounded(reads: list[Read]) -> tuple[Read, ...]:
    """The same with no more conditions than are worth it, and so with more files."""
    asked = list(dict.fromkeys(read.question for read in reads if read.question))
    questions = {None, *asked[:MOST_QUESTIONS]}
    conditions: set[Condition] = {ALWAYS}
    found, total = [], 0
    for read in reads:
        if read.question not in questions:
            read = replace(read, question=None)
        if read.condition not in conditions:
            total += size(read.condition)
            if total > MOST_CONDITIONS:
                read = replace(read, condition=ALWAYS)
            conditions.add(read.condition)
        found.append(read)
    return tuple(found)


def _moment(at: Node, constants: Constants) -> Moment:
    """What an AT clause says."""
    value = at["expr"]
    if at["unit"].upper() == "TIMESTAMP":
        moment = constants.moment(value)
        if moment is None:
            _refuse_if_exhausted(at, constants)
            raise AsOfError(at["unit"], "needs a constant time, such as TIMESTAMP '2026-03-01'")
        return moment
    said = constants.literal(value) or _number(value) or constants.text(value)
    if said is None:
        _refuse_if_exhausted(at, constants)
        raise AsOfError(at["unit"], "needs a constant: the version of a table, or a snapshot id")
    return int(said) if said.isdecimal() else said


def _number(value: Node) -> str | None:
    text = str((value.get("literal") or {}).get("text", ""))
    return text if text.isdecimal() else None


def _refuse_if_exhausted(at: Node, constants: Constants) -> None:
    if constants.exhausted:
        rule = f"a query may compute at most {MOST_EVALUATIONS} times and versions: name fewer"
        raise AsOfError(at["unit"], rule)
