"""The tables of the lake, schema version 1, as data.

A spec says everything the writer and the views need: columns, sort order, and which column of
time gives the partition day. `date` is never handed in: it is the UTC day of that column.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import SchemaError

SCHEMA_VERSION = 1

TIMESTAMP = pa.timestamp("us", tz="UTC")
LABELS = pa.map_(pa.string(), pa.string())

ENTITY_COLUMNS = (
    "namespace",
    "workload",
    "pod",
    "container",
    "node",
    "service",
    "job",
    "instance",
)
"""Labels that have a column of their own, so that Parquet statistics can prune by them."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its columns without `date`, its sort order, and its column of time.

    Attributes:
        name: name of the folder and of the view.
        schema: columns in order, `date` excluded.
        sort: rows of a file are ordered by these, so that statistics prune.
        day_of: the timestamp column whose UTC day is the partition `date`; None = unpartitioned.
    """

    name: str
    schema: pa.Schema
    sort: tuple[str, ...]
    day_of: str | None

    @property
    def stored_schema(self) -> pa.Schema:
        """Columns as the Delta table has them, `date` first where the table is partitioned."""
        if self.day_of is None:
            return self.schema
        return pa.schema([pa.field("date", pa.date32(), nullable=False), *self.schema])

    @property
    def partition_by(self) -> list[str]:
        """Delta's partition columns."""
        return [] if self.day_of is None else ["date"]

    def conform(self, rows: pa.Table) -> pa.Table:
        """Rows with exactly this table's columns, in order; dictionaries stay dictionaries.

        Raises:
            SchemaError: a column is missing, unknown, of another type, or null where it may not be.
        """
        unknown = [name for name in rows.column_names if name not in self.schema.names]
        if unknown:
            raise SchemaError(self.name, f"unknown column {unknown[0]!r}")
        columns = []
        for field in self.schema:
            if field.name not in rows.column_names:
                raise SchemaError(self.name, f"column {field.name!r} is missing")
            column = rows.column(field.name)
            if not field.nullable and column.null_count:
                raise SchemaError(self.name, f"column {field.name!r} has nulls and must not")
            columns.append(_cast(self.name, field, column))
        return pa.table(columns, names=self.schema.names)

    def sorted(self, rows: pa.Table) -> pa.Table:
        """Rows in this table's sort order."""
        plain = pa.table([_decode(rows.column(name)) for name in self.sort], names=list(self.sort))
        order = pc.sort_indices(plain, sort_keys=[(name, "ascending") for name in self.sort])
        return rows.take(order)


def _decode(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Arrow cannot sort by dictionaries."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _cast(table: str, field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type) and column.type.value_type == field.type:
        return column
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            table, f"column {field.name!r} is {column.type}, not {field.type}"
        ) from error


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


_ENTITY_FIELDS = [pa.field(name, pa.string()) for name in ENTITY_COLUMNS]

SAMPLES = TableSpec(
    "samples",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("metric", pa.string()),
            _required("series_id", pa.int64()),
            _required("time", TIMESTAMP),
            _required("value", pa.float64()),
        ]
    ),
    sort=("cluster", "metric", "series_id", "time"),
    day_of="time",
)

SERIES = TableSpec(
    "series",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("metric", pa.string()),
            _required("series_id", pa.int64()),
            *_ENTITY_FIELDS,
            pa.field("labels", LABELS),
            pa.field("kind", pa.string()),
            pa.field("unit", pa.string()),
            pa.field("help", pa.string()),
            _required("first_seen", TIMESTAMP),
            _required("last_seen", TIMESTAMP),
        ]
    ),
    sort=("cluster", "metric", "series_id"),
    day_of=None,
)

EVENTS = TableSpec(
    "events",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("time", TIMESTAMP),
            _required("source", pa.string()),
            pa.field("type", pa.string()),
            pa.field("reason", pa.string()),
            pa.field("kind", pa.string()),
            pa.field("namespace", pa.string()),
            pa.field("name", pa.string()),
            _required("uid", pa.string()),
            pa.field("message", pa.string()),
            _required("count", pa.int64()),
            pa.field("attributes", LABELS),
        ]
    ),
    sort=("cluster", "time"),
    day_of="time",
)

ANOMALIES = TableSpec(
    "anomalies",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("anomaly_id", pa.string()),
            pa.field("series_id", pa.int64()),
            pa.field("metric", pa.string()),
            *_ENTITY_FIELDS,
            _required("start", TIMESTAMP),
            _required("end", TIMESTAMP),
            _required("peak_time", TIMESTAMP),
            _required("score", pa.float64()),
            pa.field("p_value", pa.float64()),
            pa.field("actual", pa.float64()),
            pa.field("expected", pa.float64()),
            pa.field("lower", pa.float64()),
            pa.field("upper", pa.float64()),
            pa.field("direction", pa.string()),
            _required("detector", pa.string()),
            _required("model_version", pa.string()),
            _required("lake_version", pa.int64()),
            _required("state", pa.string()),
            pa.field("incident_id", pa.string()),
        ]
    ),
    sort=("cluster", "start"),
    day_of="start",
)

OBJECTS = TableSpec(
    "objects",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("time", TIMESTAMP),
            _required("kind", pa.string()),
            pa.field("namespace", pa.string()),
            _required("name", pa.string()),
            _required("uid", pa.string()),
            _required("change", pa.string()),
            pa.field("created", TIMESTAMP),
            pa.field("owner_kind", pa.string()),
            pa.field("owner_name", pa.string()),
            pa.field("workload_kind", pa.string()),
            pa.field("workload", pa.string()),
            pa.field("node", pa.string()),
            pa.field("labels", LABELS),
            pa.field("state", pa.string()),
        ]
    ),
    sort=("cluster", "kind", "time"),
    day_of="time",
)

_ROLLUP = pa.schema(
    [
        _required("cluster", pa.string()),
        _required("metric", pa.string()),
        _required("series_id", pa.int64()),
        _required("time", TIMESTAMP),
        _required("min", pa.float64()),
        _required("max", pa.float64()),
        _required("sum", pa.float64()),
        _required("count", pa.int64()),
        _required("last", pa.float64()),
        _required("increase", pa.float64()),
    ]
)

SAMPLES_5M = TableSpec("samples_5m", _ROLLUP, sort=SAMPLES.sort, day_of="time")
SAMPLES_1H = TableSpec("samples_1h", _ROLLUP, sort=SAMPLES.sort, day_of="time")

ALL_CLUSTERS = "*"
"""The cluster of a row that is of none in particular: no caller of some clusters sees it."""

MODELS = TableSpec(
    "models",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("name", pa.string()),
            _required("version", pa.int64()),
            _required("alias", pa.string()),
            _required("detector", pa.string()),
            pa.field("entity", pa.string()),
            _required("parameters", pa.string()),
            _required("trained_from", TIMESTAMP),
            _required("trained_to", TIMESTAMP),
            _required("lake_version", pa.int64()),
            _required("metrics", pa.string()),
            _required("digest", pa.string()),
            _required("created_at", TIMESTAMP),
        ]
    ),
    sort=("cluster", "name", "version"),
    day_of="created_at",
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (SAMPLES, SERIES, EVENTS, ANOMALIES, OBJECTS, SAMPLES_5M, SAMPLES_1H, MODELS)
}
"""In the order in which they came to be: a new one goes to the end."""

ADDED_LATER = frozenset({MODELS.name})
"""Lakes of before have them not."""
