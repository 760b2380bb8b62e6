"""Types and columns that several tables have."""

import pyarrow as pa

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

ENTITY_FIELDS = tuple(pa.field(name, pa.string()) for name in ENTITY_COLUMNS)


def required(name: str, kind: pa.DataType) -> pa.Field:
    """A column that is never null."""
    return pa.field(name, kind, nullable=False)
