"""Filters on what is known of a series: which metrics have such series, and on which days.

The table `series` is small beside the samples, and a series is written to it again on each later
day on which it is seen (and when it is seen earlier), before the samples are: so its days tell of
all its samples. It is asked only where many files are left.
"""

import functools
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import duckdb

from lake.files import TableFile
from lake.pruning.columns import ABOUT, WITH_SERIES_ID, Mention
from lake.pruning.conditions import Days, joined
from lake.pruning.constants import Constants
from lake.pruning.passing import reference, replaced
from lake.syntax import Node, nodes, parse, parser, text

FUNCTIONS = frozenset(
    {
        *("~~", "!~~", "~~*", "!~~*", "starts_with", "prefix", "^@", "ends_with", "suffix"),
        *("contains", "list_contains", "list_value", "lower", "upper", "label", "element_at"),
        *("~", "!~", "regexp_matches", "regexp_full_match", "map_contains", "map_extract_value"),
    }
)
"""Functions whose cost is bounded by the text that they are given: this runs in the caller's own
process, for strangers too."""

CLASSES = frozenset(
    {
        *("COLUMN_REF", "CONSTANT", "PARAMETER", "COMPARISON", "CONJUNCTION", "OPERATOR"),
        *("FUNCTION", "BETWEEN"),
    }
)

QUESTION = """
SELECT DISTINCT cluster, metric, CAST(min(first_seen) AS DATE), CAST(max(last_seen) AS DATE)
FROM stored.series WHERE true GROUP BY cluster, metric, series_id ORDER BY cluster, metric"""

LAST_CHARACTER = chr(0x10FFFF)

Question = tuple[str, tuple[tuple[str, object], ...]]
"""SQL over `stored.series`, and its parameters."""

Row = tuple[str, str, date, date]
Ask = Callable[[Question], Sequence[Row]]


class Known:
    """A condition: files that may hold a series of these."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Of rows of cluster, metric, first and last day, by cluster and metric."""
        self._clusters: list[str] = []
        self._metrics: dict[str, list[str]] = {}
        self._days: dict[str, list[Days]] = {}
        runs: set[Days] = set()
        for cluster, metric, first, last in rows:
            if cluster not in self._metrics:
                self._clusters.append(cluster)
                self._metrics[cluster], self._days[cluster] = [], []
            self._metrics[cluster].append(metric)
            self._days[cluster].append((first, last))
            runs.add((first, last))
        self._runs = joined(runs)

    def admits(self, file: TableFile) -> bool:
        """See `Condition.admits`."""
        clusters = self._clusters[_between(self._clusters, file.clusters)]
        return any(
            file.day is None or first <= file.day <= last
            for cluster in clusters
            for first, last in self._days[cluster][_between(self._metrics[cluster], file.metrics)]
        )

    def days(self) -> list[Days]:
        """See `Condition.days`."""
        return self._runs


def _between(texts: list[str], bounds: tuple[str, str] | None) -> slice:
    """Those of sorted texts between a file's bounds (the greatest may be cut short)."""
    if bounds is None:
        return slice(None)
    return slice(bisect_left(texts, bounds[0]), bisect_right(texts, bounds[1] + LAST_CHARACTER))


def question(mention: Mention, filters: Iterable[Node], constants: Constants) -> Question | None:
    """What to ask the table `series` for filters on a mention; None where they say nothing."""
    if mention.view not in WITH_SERIES_ID:
        return None

    def own(name: Node) -> Node | None:
        column = mention.column(name)
        return None if column is None else reference(column)

    params = constants.params
    usable = [each for each in (replaced(each, own) for each in filters) if _usable(each, params)]
    if not any(_is_about_series(each) for each in usable):
        return None
    sql = constants.once(["question", usable], lambda: _sql(usable))
    if sql is None:
        return None
    names = {node["identifier"] for node in nodes(usable) if node.get("class") == "PARAMETER"}
    return sql, tuple((name, _hashable(params[name])) for name in sorted(names))


def _sql(filters: list[Node]) -> str | None:
    tree = json.loads(_question())
    tree["statements"][0]["node"]["where_clause"] = {
        "class": "CONJUNCTION",
        "type": "CONJUNCTION_AND",
        "alias": "",
        "children": filters,
    }
    with parser() as connection:
        try:
            return text(connection, tree)
        except duckdb.Error:
            return None


@functools.cache
def _question() -> str:
    with parser() as connection:
        return json.dumps(parse(connection, QUESTION))


def _usable(filter_: Node, params: Mapping[str, object]) -> bool:
    """Whether it can be asked: of a series' own columns, of parameters that are texts."""
    for node in nodes(filter_):
        kind = node.get("class")
        if kind is not None and kind not in CLASSES:
            return False
        if kind == "FUNCTION" and node["function_name"].lower() not in FUNCTIONS:
            return False
        if kind == "COLUMN_REF" and node["column_names"][-1] not in ABOUT | KEYS:
            return False
        if kind == "PARAMETER" and not _is_plain(params.get(node["identifier"])):
            return False
    return True


KEYS = frozenset({"cluster", "metric", "series_id"})


def _is_about_series(filter_: Node) -> bool:
    return any(
        node["column_names"][-1] in ABOUT | {"series_id", "metric"}
        for node in nodes(filter_)
        if node.get("class") == "COLUMN_REF"
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, str | int) for each in value)
    return isinstance(value, str | int)


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else value
