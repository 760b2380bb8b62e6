"""What every kind of forecast comes out as, before it has an id."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lake.schema import ENTITY_COLUMNS

TIME = pl.Datetime("us", "UTC")

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "resource": pl.String,
    "cluster": pl.String,
    "key": pl.String,
    "series_id": pl.Int64,
    "metric": pl.String,
    **dict.fromkeys(ENTITY_COLUMNS, pl.String),
    "subject": pl.String,
    "eta": TIME,
    "eta_lower": TIME,
    "eta_upper": TIME,
    "value": pl.Float64,
    "capacity": pl.Float64,
    "threshold": pl.Float64,
    "chance": pl.Float64,
    "method": pl.String,
    "abstained": pl.Boolean,
    "reason": pl.String,
}
"""A row a resource; `key` tells those of one kind and cluster apart."""


def frame_of(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All parts, with all columns in their order."""
    empty = pl.DataFrame(schema=SCHEMA)
    return pl.concat([empty, *(part.select(*SCHEMA) for part in parts)])
