"""Where in a query a name is a column of which mention of a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lake.schema import ENTITY_COLUMNS
from lake.syntax import Node

TIMED = {"time": "time", "date": "day", "cluster": "text"}
KEYED = {**TIMED, "metric": "text"}

COLUMNS: dict[str, dict[str, str]] = {
    "samples": KEYED,
    "samples_5m": KEYED,
    "samples_1h": KEYED,
    "buckets": KEYED,
    "metrics": KEYED,
    "events": TIMED,
    "objects": TIMED,
    "models": {"date": "day", "cluster": "text"},
    "forecasts": {"made_at": "time", "date": "day", "cluster": "text"},
    # Whether `start` is that of the newest row of an anomaly, its other rows' statistics do not
    # tell; but all rows of one lie on one day.
    "anomalies": {"start": "day", "date": "day", "cluster": "text"},
    "incidents": {"start": "day", "date": "day", "cluster": "text"},
    "advice": {"since": "day", "date": "day", "cluster": "text"},
    "series": {"cluster": "text", "metric": "text"},
}
"""View to those columns that tell of files, and how."""

ABOUT = frozenset({*ENTITY_COLUMNS, "labels"})
"""Columns that are functions of a series alone, and never change. (Kind, unit and help may.)"""

WITH_SERIES_ID = frozenset({"samples", "samples_5m", "samples_1h", "buckets", "metrics"})

Shared = Mapping[str, frozenset[str]]
"""Column to the other names of tables under which it is the same column, by a join's USING."""


@dataclass(frozen=True)
class Mention:
    """One mention of a table, subquery or CTE in a FROM clause.

    Attributes:
        alias: the name that it goes by.
        view: the view that it is of; None for a subquery or CTE.
        shared: columns that it shares with others.
    """

    alias: str
    view: str | None = None
    shared: Shared = field(default_factory=dict)

    def column(self, reference: Node) -> str | None:
        """The column of this mention that a reference names; None where it is none, or unknown.

        A name without a table is this mention's if it has such a column: were it another's too,
        the engine would refuse the query.
        """
        *qualifiers, column = [str(part).lower() for part in reference["column_names"]]
        others = self.shared.get(column, frozenset())
        if len(qualifiers) > 1:
            return None
        if qualifiers and qualifiers[0] not in others | {self.alias}:
            return None
        if self.view is None or column in self._own() or others:
            return column
        return None

    def _own(self) -> frozenset[str]:
        assert self.view is not None  # noqa: S101 - asked for views only
        own = frozenset(COLUMNS[self.view])
        if self.view in WITH_SERIES_ID or self.view == "series":
            own |= {"series_id"}
        return own | ABOUT if self.view in {"metrics", "series"} else own


def share(shared: Shared, columns: list[str], names: frozenset[str]) -> Shared:
    """Columns that a join below shares besides: these, among the tables of these names."""
    return {**shared, **{name: shared.get(name, frozenset()) | names for name in columns}}
