"""The SQL views over a snapshot: each table under its own name, and `metrics` for analysts.

Views read an explicit list of files, so a query sees one version however long it runs. Files are
pruned by `date` from their paths before they are opened, and by Parquet statistics after.
"""

import re
from collections.abc import Collection, Sequence

import pyarrow as pa

from lake.schema import ENTITY_COLUMNS
from lake.table_spec import TableSpec

_ENTITY = ", ".join(ENTITY_COLUMNS)

SERIES_VIEW = f"""
SELECT cluster, metric, series_id, {_ENTITY},
       any_value(labels) AS labels,
       arg_max(kind, last_seen) AS kind,
       arg_max(unit, last_seen) AS unit,
       arg_max(help, last_seen) AS help,
       min(first_seen) AS first_seen,
       max(last_seen) AS last_seen
FROM stored.series
GROUP BY cluster, metric, series_id, {_ENTITY}
"""
"""A series is written again when it is seen on another day or its metadata changes. The entity
columns are functions of `series_id`; as group keys they let filters reach the files."""

EVENTS_VIEW = """
SELECT * FROM stored.events
QUALIFY row_number() OVER (PARTITION BY date, cluster, time, source, uid, count) = 1
"""
"""Kubernetes sends an event again under the same uid and count; filters on the partition keys
pass through the window to the files."""

ANOMALIES_VIEW = """
SELECT * FROM stored.anomalies
QUALIFY row_number() OVER (
    PARTITION BY date, cluster, anomaly_id
    ORDER BY lake_version DESC, "end" DESC, state = 'final' DESC, score DESC,
             incident_id NULLS LAST) = 1
"""
"""An open interval is written again as it grows, as its peak does (by a newer model, at the same
end), and when it is final: the newest row counts."""

INCIDENTS_VIEW = """
SELECT * FROM stored.incidents
QUALIFY row_number() OVER (
    PARTITION BY date, cluster, incident_id ORDER BY revision DESC, updated_at DESC) = 1
"""
"""An incident is written again as it grows, under the next number: clocks may be set back. Its
start, that of its first anomaly, stays."""

FORECASTS_VIEW = """
SELECT * FROM stored.forecasts
QUALIFY row_number() OVER (
    PARTITION BY date, cluster, forecast_id, made_at ORDER BY lake_version DESC) = 1
"""
"""A forecast that is made again of the same time replaces the one before."""

ADVICE_VIEW = """
SELECT * FROM stored.advice
QUALIFY row_number() OVER (
    PARTITION BY date, cluster, advice_id ORDER BY revision DESC, made_at DESC) = 1
"""
"""As an incident: an advice keeps the time since which it is given, and with it its day."""


def _metrics(on: str) -> str:
    return f"""
SELECT s.date, s.cluster, s.metric, s.series_id, s.time, s.value,
       {", ".join(f"r.{name}" for name in ENTITY_COLUMNS)}, r.labels, r.kind, r.unit
FROM stored.samples s JOIN ({SERIES_VIEW}) r {on}
"""


METRICS_VIEW = _metrics("USING (cluster, metric, series_id)")
"""Not over the views `samples` and `series`: a query that names this one alone needs no others."""

METRICS_OF_NAMED_VIEW = _metrics("""ON s.series_id = r.series_id
     AND CASE WHEN s.cluster = r.cluster AND s.metric = r.metric THEN true ELSE false END""")
"""The same rows, sooner where many are read: it joins by a number, and compares texts where that
is the same.
But which metrics the series are of, it does not use to leave out row groups, as an equality would;
so it is for queries that name their metrics."""

VIEWS: dict[str, str] = {
    "samples": "SELECT * FROM stored.samples",
    "series": SERIES_VIEW,
    "events": EVENTS_VIEW,
    "anomalies": ANOMALIES_VIEW,
    "objects": "SELECT * FROM stored.objects",
    "samples_5m": "SELECT * FROM stored.samples_5m",
    "samples_1h": "SELECT * FROM stored.samples_1h",
    "models": "SELECT * FROM stored.models",
    "incidents": INCIDENTS_VIEW,
    "forecasts": FORECASTS_VIEW,
    "advice": ADVICE_VIEW,
    "metrics": METRICS_VIEW,
}
"""Name of each view to its query, in the order in which they are made."""


OF_NAMED = "metrics of named"
"""Among the views that a query reads: where it reads `metrics`, it says of which metrics."""


def queries_of(views: Collection[str] | None) -> dict[str, str]:
    """The views that a query reads: name to query, in the order in which they are made.

    >>> queries_of({"metrics", OF_NAMED})["metrics"] == METRICS_OF_NAMED_VIEW
    True

    Args:
        views: their names, perhaps with `OF_NAMED`; None = all.
    """
    found = {name: query for name, query in VIEWS.items() if views is None or name in views}
    if views is not None and OF_NAMED in views and "metrics" in found:
        found["metrics"] = METRICS_OF_NAMED_VIEW
    return found


_IN_VIEWS = re.compile(r"\b(stored\.|(?<=FROM )|(?<=JOIN ))(\w+)\b(?= |\n|$)")
"""A table or view where a view reads it."""


def stored_view(spec: TableSpec, paths: Sequence[str]) -> str:
    """The view `stored.<table>` over a version's files; typed and empty where there are none."""
    return f"CREATE VIEW stored.{spec.name} AS {stored_rows(spec, paths)}"


def stored_rows(spec: TableSpec, paths: Sequence[str]) -> str:
    """The query behind `stored_view`."""
    if paths:
        return rows_of(spec, f"[{', '.join(map(quote, paths))}]")
    typed = ", ".join(
        f'CAST(NULL AS {_sql_type(field.type)}) AS "{field.name}"' for field in spec.stored_schema
    )
    return f"SELECT {typed} WHERE false"


def rows_of(spec: TableSpec, files: str) -> str:
    """All rows of some files of a table.

    Args:
        spec: of the table.
        files: a SQL expression that gives their paths, one at least.
    """
    columns = ", ".join(f'"{name}"' for name in spec.stored_schema.names)
    partition = ", hive_types = {'date': DATE}" if spec.day_of else ""
    hive = "true" if spec.day_of else "false"
    return f"SELECT {columns} FROM read_parquet({files}, hive_partitioning = {hive}{partition})"


def quote(text: str) -> str:
    """A SQL string literal.

    >>> quote("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A SQL name.

    >>> identifier('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    if pa.types.is_map(kind):
        return "MAP(VARCHAR, VARCHAR)"
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    return {
        "string": "VARCHAR",
        "int64": "BIGINT",
        "double": "DOUBLE",
        "date32[day]": "DATE",
        "bool": "BOOLEAN",
    }[str(kind)]


def past_name(name: str, number: int) -> str:
    """What a table or view is called as it was in one of the pasts that a query names."""
    return f"{name}@{number}"


def past_views(tables: Collection[str]) -> dict[str, str]:
    """The views over tables of pasts: name to query, in the order in which they are made.

    >>> past_views(["events@0", "samples@1"])["samples@1"]
    'SELECT * FROM stored."samples@1"'

    Args:
        tables: names by `past_name`; a view is made where all its tables are there.
    """
    found = {}
    for number in sorted({name.partition("@")[2] for name in tables if "@" in name}):
        for name, query in VIEWS.items():
            past = _IN_VIEWS.sub(lambda of: f'{of[1] or ""}"{of[2]}@{number}"', query)  # noqa: B023
            if all(f"{of[2]}@{number}" in tables for of in _IN_VIEWS.finditer(query)):
                found[f"{name}@{number}"] = past
    return found


def view_names() -> frozenset[str]:
    """Every name that a query may read."""
    return frozenset(VIEWS)
