"""The tables of the lake, schema version 1, as data.

A spec says everything the writer and the views need: columns, sort order, and which column of
time gives the partition day. `date` is never handed in: it is the UTC day of that column.
"""

import pyarrow as pa

from lake.columns import (
    ENTITY_COLUMNS,
    ENTITY_FIELDS,
    LABELS,
    NAMES,
    TIMESTAMP,
    required,
)
from lake.conclusions import ADVICE, ANOMALIES, FORECASTS, INCIDENTS, MODELS
from lake.table_spec import TableSpec

__all__ = [
    "ADDED_LATER",
    "ADVICE",
    "ALL_CLUSTERS",
    "ANOMALIES",
    "ENTITY_COLUMNS",
    "EVENTS",
    "FORECASTS",
    "INCIDENTS",
    "LABELS",
    "MODELS",
    "NAMES",
    "OBJECTS",
    "SAMPLES",
    "SAMPLES_1H",
    "SAMPLES_5M",
    "SCHEMA_VERSION",
    "SERIES",
    "TABLES",
    "TIMESTAMP",
]

SCHEMA_VERSION = 1

SAMPLES = TableSpec(
    "samples",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("metric", pa.string()),
            required("series_id", pa.int64()),
            required("time", TIMESTAMP),
            required("value", pa.float64()),
        ]
    ),
    sort=("cluster", "metric", "series_id", "time"),
    day_of="time",
)

SERIES = TableSpec(
    "series",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("metric", pa.string()),
            required("series_id", pa.int64()),
            *ENTITY_FIELDS,
            pa.field("labels", LABELS),
            pa.field("kind", pa.string()),
            pa.field("unit", pa.string()),
            pa.field("help", pa.string()),
            required("first_seen", TIMESTAMP),
            required("last_seen", TIMESTAMP),
        ]
    ),
    sort=("cluster", "metric", "series_id"),
    day_of=None,
)

EVENTS = TableSpec(
    "events",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("time", TIMESTAMP),
            required("source", pa.string()),
            pa.field("type", pa.string()),
            pa.field("reason", pa.string()),
            pa.field("kind", pa.string()),
            pa.field("namespace", pa.string()),
            pa.field("name", pa.string()),
            required("uid", pa.string()),
            pa.field("message", pa.string()),
            required("count", pa.int64()),
            pa.field("attributes", LABELS),
        ]
    ),
    sort=("cluster", "time"),
    day_of="time",
)

OBJECTS = TableSpec(
    "objects",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("time", TIMESTAMP),
            required("kind", pa.string()),
            pa.field("namespace", pa.string()),
            required("name", pa.string()),
            required("uid", pa.string()),
            required("change", pa.string()),
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
        required("cluster", pa.string()),
        required("metric", pa.string()),
        required("series_id", pa.int64()),
        required("time", TIMESTAMP),
        required("min", pa.float64()),
        required("max", pa.float64()),
        required("sum", pa.float64()),
        required("count", pa.int64()),
        required("last", pa.float64()),
        required("increase", pa.float64()),
    ]
)

SAMPLES_5M = TableSpec("samples_5m", _ROLLUP, sort=SAMPLES.sort, day_of="time")
SAMPLES_1H = TableSpec("samples_1h", _ROLLUP, sort=SAMPLES.sort, day_of="time")

ALL_CLUSTERS = "*"
"""The cluster of a row that is of none in particular: no caller of some clusters sees it."""

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
        ADVICE,
    )
}
"""In the order in which they came to be: a new one goes to the end."""

ADDED_LATER = frozenset({MODELS.name, INCIDENTS.name, FORECASTS.name, ADVICE.name})
"""Lakes of before have them not."""
