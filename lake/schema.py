"""The tables of the lake, schema version 1, as data.

A spec says everything the writer and the views need: columns, sort order, and which column of
time gives the partition day. `date` is never handed in: it is the UTC day of that column.
"""

import pyarrow as pa

from lake.table_spec import TableSpec

SCHEMA_VERSION = 1

TIMESTAMP = pa.timestamp("us", tz="UTC")
LABELS = pa.map_(pa.string(), pa.string())
NAMES = pa.list_(pa.string())

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

INCIDENTS = TableSpec(
    "incidents",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("incident_id", pa.string()),
            _required("clusters", NAMES),
            _required("start", TIMESTAMP),
            _required("end", TIMESTAMP),
            _required("state", pa.string()),
            pa.field("merged_into", pa.string()),
            _required("severity", pa.string()),
            _required("title", pa.string()),
            _required("anomaly_ids", NAMES),
            _required("entities", NAMES),
            _required("patterns", NAMES),
            _required("causes", pa.string()),
            pa.field("abstained", pa.string()),
            _required("impact", pa.string()),
            pa.field("quieted", pa.string()),
            _required("revision", pa.int64()),
            _required("lake_version", pa.int64()),
            _required("updated_at", TIMESTAMP),
        ]
    ),
    sort=("cluster", "start"),
    day_of="start",
)

FORECASTS = TableSpec(
    "forecasts",
    pa.schema(
        [
            _required("cluster", pa.string()),
            _required("forecast_id", pa.string()),
            _required("resource", pa.string()),
            pa.field("series_id", pa.int64()),
            pa.field("metric", pa.string()),
            *_ENTITY_FIELDS,
            pa.field("subject", pa.string()),
            _required("made_at", TIMESTAMP),
            pa.field("value", pa.float64()),
            pa.field("capacity", pa.float64()),
            pa.field("threshold", pa.float64()),
            pa.field("eta", TIMESTAMP),
            pa.field("eta_lower", TIMESTAMP),
            pa.field("eta_upper", TIMESTAMP),
            _required("horizon_seconds", pa.float64()),
            pa.field("chance", pa.float64()),
            pa.field("coverage", pa.float64()),
            pa.field("method", pa.string()),
            _required("abstained", pa.bool_()),
            pa.field("reason", pa.string()),
            _required("lake_version", pa.int64()),
        ]
    ),
    sort=("cluster", "resource", "forecast_id", "made_at"),
    day_of="made_at",
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        SAMPLES,
        SERIES,
        EVENTS,
        ANOMALIES,
        OBJECTS,
        SAMPLES_5M,
        SAMPLES_1H,
        MODELS,
        INCIDENTS,
        FORECASTS,
    )
}
"""In the order in which they came to be: a new one goes to the end."""

ADDED_LATER = frozenset({MODELS.name, INCIDENTS.name, FORECASTS.name})
"""Lakes of before have them not."""
