"""How rows of each table are merged: what is one row, which of several stays, what is cut where.

Every rule gives the same rows whether files are merged at once or in steps, and whether or not a
view looks at them before: each keeps one of the rows it is given, chosen by the view's own order
(`lake.views`), or as the later commit.
"""

from dataclasses import dataclass

from lake.schema import ENTITY_COLUMNS, TABLES

RECENCY = "file_index DESC, file_row_number DESC"
"""The later commit first: files are read in order of commit."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table's rows are merged.

    Attributes:
        slices: expressions, the beginning of the table's sort order (or coarser), that no group of
            rows to be merged straddles: large merges are done a range of them at a time.
        query: a SELECT over `source`, the rows of one slice with `file_index` and
            `file_row_number`, that gives each row once, in any order; empty = all rows as they are,
            and of neighbours in sort order with the same `key` the later commit is kept.
        key: the columns of one row; empty = rows are all kept.
    """

    slices: tuple[str, ...]
    query: str = ""
    key: tuple[str, ...] = ()


def _newest(name: str, by: tuple[str, ...], order: str) -> str:
    columns = ", ".join(f'"{column}"' for column in TABLES[name].schema.names)
    return f"""
SELECT {columns} FROM source
QUALIFY row_number() OVER (PARTITION BY {", ".join(by)} ORDER BY {order}, {RECENCY}) = 1"""


_SERIES = ("cluster", "metric", "series_id")
_WITHIN = f"PARTITION BY {', '.join(_SERIES)}"


def _newest_with(column: str) -> str:
    """Whether a row is the newest of its series among those that have the column."""
    return (
        f"({column} IS NOT NULL AND row_number() OVER ({_WITHIN} "
        f"ORDER BY {column} IS NULL, last_seen DESC, {RECENCY}) = 1)"
    )


_OTHERS = ", ".join((*ENTITY_COLUMNS, "labels", "kind", "unit", "help"))

_SERIES_QUERY = f"""
SELECT {", ".join(_SERIES)}, {_OTHERS}, min(first_seen) OVER ({_WITHIN}) AS first_seen, last_seen
FROM source
QUALIFY row_number() OVER ({_WITHIN} ORDER BY last_seen DESC, {RECENCY}) = 1
   OR {_newest_with("kind")} OR {_newest_with("unit")} OR {_newest_with("help")}"""
"""The view takes kind, unit and help each from the newest row that has it. A row that is the newest
for one of them stays, with its own `last_seen`; nearly always that is one row for all."""

_SAMPLES = Shape(_SERIES, key=(*_SERIES, "time"))

SHAPES: dict[str, Shape] = {
    "samples": _SAMPLES,
    "samples_5m": _SAMPLES,
    "samples_1h": _SAMPLES,
    "series": Shape(_SERIES, _SERIES_QUERY),
    "events": Shape(
        ("cluster", "date_trunc('hour', time)"),
        _newest("events", ("cluster", "time", "source", "uid", "count"), "time"),
    ),
    "anomalies": Shape(
        ("cluster",),
        _newest(
            "anomalies",
            ("cluster", "anomaly_id"),
            "lake_version DESC, \"end\" DESC, state = 'final' DESC, score DESC, "
            "incident_id NULLS LAST",
        ),
    ),
    "objects": Shape(("cluster", "kind")),
    "models": Shape(("cluster", "name")),
    "incidents": Shape(
        ("cluster",),
        _newest("incidents", ("cluster", "incident_id"), "revision DESC, updated_at DESC"),
    ),
    "forecasts": Shape(
        ("cluster",),
        _newest("forecasts", ("cluster", "forecast_id", "made_at"), "lake_version DESC"),
    ),
    "advice": Shape(
        ("cluster",),
        _newest("advice", ("cluster", "advice_id"), "revision DESC, made_at DESC"),
    ),
}
"""A table that is not here is merged as it is, a cluster at a time; see `shape_of`."""


def shape_of(name: str) -> Shape:
    """How the rows of a table are merged."""
    return SHAPES.get(name, Shape(("cluster",)))
