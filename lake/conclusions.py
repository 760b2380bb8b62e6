"""The tables of what is concluded from the others: anomalies, models, incidents, forecasts, advice.

Part of `lake.schema`, which is to be imported.
"""

import pyarrow as pa

from lake.columns import ENTITY_FIELDS, NAMES, TIMESTAMP, required
from lake.table_spec import TableSpec

ANOMALIES = TableSpec(
    "anomalies",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("anomaly_id", pa.string()),
            pa.field("series_id", pa.int64()),
            pa.field("metric", pa.string()),
            *ENTITY_FIELDS,
            required("start", TIMESTAMP),
            required("end", TIMESTAMP),
            required("peak_time", TIMESTAMP),
            required("score", pa.float64()),
            pa.field("p_value", pa.float64()),
            pa.field("actual", pa.float64()),
            pa.field("expected", pa.float64()),
            pa.field("lower", pa.float64()),
            pa.field("upper", pa.float64()),
            pa.field("direction", pa.string()),
            required("detector", pa.string()),
            required("model_version", pa.string()),
            required("lake_version", pa.int64()),
            required("state", pa.string()),
            pa.field("incident_id", pa.string()),
        ]
    ),
    sort=("cluster", "start"),
    day_of="start",
)

MODELS = TableSpec(
    "models",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("name", pa.string()),
            required("version", pa.int64()),
            required("alias", pa.string()),
            required("detector", pa.string()),
            pa.field("entity", pa.string()),
            required("parameters", pa.string()),
            required("trained_from", TIMESTAMP),
            required("trained_to", TIMESTAMP),
            required("lake_version", pa.int64()),
            required("metrics", pa.string()),
            required("digest", pa.string()),
            required("created_at", TIMESTAMP),
        ]
    ),
    sort=("cluster", "name", "version"),
    day_of="created_at",
)

INCIDENTS = TableSpec(
    "incidents",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("incident_id", pa.string()),
            required("clusters", NAMES),
            required("start", TIMESTAMP),
            required("end", TIMESTAMP),
            required("state", pa.string()),
            pa.field("merged_into", pa.string()),
            required("severity", pa.string()),
            required("title", pa.string()),
            required("anomaly_ids", NAMES),
            required("entities", NAMES),
            required("patterns", NAMES),
            required("causes", pa.string()),
            pa.field("abstained", pa.string()),
            required("impact", pa.string()),
            pa.field("quieted", pa.string()),
            required("revision", pa.int64()),
            required("lake_version", pa.int64()),
            required("updated_at", TIMESTAMP),
        ]
    ),
    sort=("cluster", "start"),
    day_of="start",
)

FORECASTS = TableSpec(
    "forecasts",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("forecast_id", pa.string()),
            required("resource", pa.string()),
            pa.field("series_id", pa.int64()),
            pa.field("metric", pa.string()),
            *ENTITY_FIELDS,
            pa.field("subject", pa.string()),
            required("made_at", TIMESTAMP),
            pa.field("value", pa.float64()),
            pa.field("capacity", pa.float64()),
            pa.field("threshold", pa.float64()),
            pa.field("eta", TIMESTAMP),
            pa.field("eta_lower", TIMESTAMP),
            pa.field("eta_upper", TIMESTAMP),
            required("horizon_seconds", pa.float64()),
            pa.field("chance", pa.float64()),
            pa.field("coverage", pa.float64()),
            pa.field("method", pa.string()),
            required("abstained", pa.bool_()),
            pa.field("reason", pa.string()),
            required("lake_version", pa.int64()),
        ]
    ),
    sort=("cluster", "resource", "forecast_id", "made_at"),
    day_of="made_at",
)

ADVICE = TableSpec(
    "advice",
    pa.schema(
        [
            required("cluster", pa.string()),
            required("advice_id", pa.string()),
            required("adviser", pa.string()),
            required("kind", pa.string()),
            required("entity", pa.string()),
            pa.field("namespace", pa.string()),
            pa.field("workload", pa.string()),
            pa.field("workload_kind", pa.string()),
            pa.field("container", pa.string()),
            pa.field("node", pa.string()),
            required("title", pa.string()),
            required("current", pa.string()),
            required("proposed", pa.string()),
            pa.field("saving_cpu_cores", pa.float64()),
            pa.field("saving_memory_bytes", pa.float64()),
            pa.field("saving_gpus", pa.float64()),
            pa.field("saving_cost", pa.float64()),
            pa.field("risk", pa.float64()),
            pa.field("current_risk", pa.float64()),
            pa.field("confidence", pa.float64()),
            required("reason", pa.string()),
            required("evidence", pa.string()),
            required("abstained", pa.bool_()),
            required("state", pa.string()),
            required("feedback", pa.string()),
            pa.field("effect", pa.string()),
            required("since", TIMESTAMP),
            required("made_at", TIMESTAMP),
            required("revision", pa.int64()),
            required("lake_version", pa.int64()),
        ]
    ),
    sort=("cluster", "kind", "advice_id"),
    day_of="since",
)
