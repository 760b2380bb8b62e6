"""Which resources of the lake have a limit: values and their limits, matched for all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from lake.query import run
from lake.schema import ENTITY_COLUMNS
from lake.snapshot import Snapshot
from orchestration.forecast_settings import ResourceSettings
from orchestration.steps.forecast.resources import INSTEAD

LABELS = f"""
SELECT cluster, metric, series_id, {", ".join(ENTITY_COLUMNS)}, unit, first_seen, last_seen,
       list_transform($names, lambda name: labels[name]) AS told
FROM series
WHERE list_contains($metrics, metric) AND last_seen >= $since AND first_seen < $until
ORDER BY cluster, metric, series_id
"""  # noqa: S608 - column names are ours

KEY = "key"
"""What tells resources of one kind and cluster apart."""

# Of units as exporters and OpenTelemetry write them; what is not here is compared as it is.
SAME_UNIT = {"By": "bytes", "byte": "bytes", "s": "seconds", "second": "seconds", "": None}
UNITS = ("bytes", "seconds", "ratio", "percent", "celsius", "cores", "kilobytes", "mebibytes")


@dataclass(frozen=True, slots=True)
class Found:
    """Series of one kind of resource.

    Attributes:
        kind: what it is.
        values: a row a series of values, by cluster and key: `cluster`, `key` (text), `series_id`,
            `metric`, the entity columns, `subject`, `limit_id` (null = no limit is known),
            `limit_metric`, `contradict` (the units of value and limit do).
    """

    kind: ResourceSettings
    values: pl.DataFrame


def find(
    snapshot: Snapshot, kinds: Sequence[ResourceSettings], made_at: datetime
) -> Sequence[Found]:
    """The series of each kind that there are, with those of their limits.

    Args:
        snapshot: where they are.
        kinds: what is looked for.
        made_at: series that ended over a day before, or began after, are left out.
    """
    if not kinds:
        return []
    metrics = sorted({name for kind in kinds for name in (kind.metric, kind.limit) if name})
    names = sorted({name for kind in kinds for name in _names(kind)})
    params = {
        "names": names,
        "metrics": metrics,
        # `last_seen` is exact to the day.
        "since": made_at - timedelta(days=1),
        "until": made_at,
    }
    series = pl.DataFrame(run(snapshot, LABELS, params).rows)
    series = series.with_columns(
        pl.col("told").list.get(place, null_on_oob=True).alias(f"label {name}")
        for place, name in enumerate(names)
    ).drop("told")
    found = {kind.name: Found(kind, _matched(series, kind)) for kind in kinds}
    for name, instead in INSTEAD.items():
        if name in found and instead in found:
            known = found[instead].values.select("cluster", KEY)
            rows = found[name].values.join(known, on=["cluster", KEY], how="anti")
            found[name] = Found(found[name].kind, rows)
    return [one for one in found.values() if one.values.height]


def _names(kind: ResourceSettings) -> set[str]:
    asked = {*kind.match, *kind.labels, *kind.but_not, *kind.limit_labels, *kind.subject}
    return asked - set(ENTITY_COLUMNS)


def label(name: str) -> pl.Expr:
    """The column that a label's value is in."""
    return pl.col(name if name in ENTITY_COLUMNS else f"label {name}")


def matching(patterns: dict[str, str]) -> list[pl.Expr]:
    """Whether labels match, an absent one as an empty one."""
    return [
        label(name).fill_null("").str.contains(f"^(?:{pattern})$")
        for name, pattern in patterns.items()
    ]


def _matched(series: pl.DataFrame, kind: ResourceSettings) -> pl.DataFrame:
    values = series.filter(
        pl.col("metric") == kind.metric,
        *matching(kind.labels),
        *(~one for one in matching(kind.but_not)),
    )
    subject = pl.concat_str(
        [label(name) for name in kind.subject], separator=" ", ignore_nulls=True
    )
    values = values.with_columns(
        _key(kind).alias(KEY),
        (subject if kind.subject else pl.lit(None, dtype=pl.String)).alias("subject"),
    )
    columns = ["cluster", KEY, "series_id", "metric", *ENTITY_COLUMNS, "subject", "unit"]
    values = values.select(columns)
    if kind.limit is None:
        return values.with_columns(
            pl.lit(None, dtype=pl.Int64).alias("limit_id"),
            pl.lit(None, dtype=pl.String).alias("limit_metric"),
            pl.lit(value=False).alias("contradict"),
        ).drop("unit")
    limits = (
        series.filter(pl.col("metric") == kind.limit, *matching(kind.limit_labels))
        .with_columns(_key(kind).alias(KEY))
        .sort("last_seen", "first_seen", "series_id")
        .unique(["cluster", KEY], keep="last", maintain_order=True)
        .select(
            "cluster",
            KEY,
            pl.col("series_id").alias("limit_id"),
            pl.col("metric").alias("limit_metric"),
            pl.col("unit").alias("limit_unit"),
        )
    )
    joined = values.join(limits, on=["cluster", KEY], how="left", maintain_order="left")
    value_unit, limit_unit = _unit("unit", kind.metric), _unit("limit_unit", kind.limit)
    # Null where either is unknown.
    contradict = (value_unit != limit_unit).fill_null(value=False)
    return joined.with_columns(contradict.alias("contradict")).drop("unit", "limit_unit")


def _key(kind: ResourceSettings) -> pl.Expr:
    """Labels that are absent are as if empty: so Prometheus has it."""
    if not kind.match:
        return pl.col("series_id").cast(pl.String)
    return pl.concat_str([label(name).fill_null("") for name in kind.match], separator="\x1f")


def _unit(column: str, metric: str) -> pl.Expr:
    """As the sender told it, else as the metric's name ends; null = unknown."""
    ending = metric.removesuffix("_total").rpartition("_")[2]
    by_name = pl.lit(ending if ending in UNITS else None, dtype=pl.String)
    return pl.coalesce(pl.col(column).replace(SAME_UNIT), by_name)
