"""Spans of a file: whose they are, whom they call, and what of their time is their own."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl

from lake.external import read_rows
from orchestration.errors import CausesError
from orchestration.steps.causes.names import Names

Warn = Callable[[str], None]

DURATIONS = {"duration_ns": 1e-9, "duration_us": 1e-6, "duration_ms": 1e-3, "duration": 1.0}
"""Columns of durations, and how many seconds one of them is."""

OPERATIONS = ("operation", "operation_name", "span_name", "name")


def read_spans(path: Path, by: str, names: Names, until: datetime, warn: Warn) -> pl.DataFrame:
    """The spans up to a time, what time is their own, what calls them and whom they call.

    Returns:
        `timestamp`, `trace_id`, `entity`, `operation`; `own`: seconds without those of the calls
        that it made; `caller`, `caller_operation` and `parent`: of the span that it is part of;
        `callee`: the other entity that it calls, if it does.

    Raises:
        FileFormatError: it cannot be read, or lacks a column.
        CausesError: no column has the duration, or the operation.
    """
    rows = pl.DataFrame(read_rows(path, ("span_id", "parent_span_id"), timed=True))
    rows = rows.filter(pl.col("timestamp") <= until)
    duration = next((name for name in DURATIONS if name in rows.columns), None)
    operation = next((name for name in OPERATIONS if name in rows.columns), None)
    if duration is None or operation is None:
        wanted = DURATIONS if duration is None else OPERATIONS
        raise CausesError(f"{path} has no column {' or '.join(wanted)}")
    if not rows.schema[duration].is_numeric():
        raise CausesError(
            f"{path}: column {duration!r} is no number: it is {rows.schema[duration]}"
        )
    if rows.is_empty():
        warn(f"{path} has no spans before {until}")
    entity = names.of_rows(rows, by)
    unknown = entity.null_count()
    if unknown:
        warn(f"{unknown:,} of {rows.height:,} spans are of nothing that is ranked")
    trace = ident(rows, "trace_id") if "trace_id" in rows.columns else pl.lit("")
    spans = rows.select(
        "timestamp",
        trace.fill_null("").alias("trace_id"),
        ident(rows, "span_id").alias("span_id"),
        ident(rows, "parent_span_id").alias("parent"),
        entity.alias("entity"),
        pl.col(operation).cast(pl.String).alias("operation"),
        (pl.col(duration).cast(pl.Float64) * DURATIONS[duration]).alias("seconds"),
    ).filter(pl.col("entity").is_not_null())
    whole = pl.col("seconds").is_finite() & pl.col("operation").is_not_null()
    # What is delivered at least once is one span all the same.
    kept = spans.filter(whole.fill_null(False)).unique(
        ("trace_id", "span_id"), keep="first", maintain_order=True
    )
    if kept.height < spans.height:
        warn(f"{spans.height - kept.height:,} spans are there twice, or have no duration")
    return _related(kept)


def ident(rows: pl.DataFrame, name: str) -> pl.Expr:
    """A column of ids as text; OpenTelemetry's are bytes."""
    column = pl.col(name)
    return column.bin.encode("hex") if rows.schema[name] == pl.Binary else column.cast(pl.String)


def _related(spans: pl.DataFrame) -> pl.DataFrame:
    parents = spans.select(
        "trace_id",
        pl.col("span_id").alias("parent"),
        pl.col("entity").alias("caller"),
        pl.col("operation").alias("caller_operation"),
    ).unique(("trace_id", "parent"), keep="first", maintain_order=True)
    spans = spans.join(parents, on=("trace_id", "parent"), how="left", maintain_order="left")
    away = pl.col("entity") != pl.col("caller")
    # A span that waits is within the handling of its own service; one that itself handles a request
    # does its own work beside what it calls.
    waits = pl.col("caller") == pl.col("entity")
    children = spans.group_by("trace_id", pl.col("parent").alias("span_id")).agg(
        pl.col("seconds").sum().alias("inner"),
        pl.col("entity").filter(away).first().alias("called"),
    )
    for part in (children, _within_siblings(spans)):
        spans = spans.join(part, on=("trace_id", "span_id"), how="left", maintain_order="left")
    inner = pl.col("inner").fill_null(0.0) + pl.col("beside").fill_null(0.0)
    return spans.with_columns(
        (pl.col("seconds") - inner).clip(0.0).alias("own"),
        pl.when(waits).then(pl.col("called")).alias("callee"),
    ).drop("seconds", "inner", "beside", "called")


def _within_siblings(spans: pl.DataFrame) -> pl.DataFrame:
    """Seconds of each span in which the next one of the same parent runs too.

    Frameworks that call back record what a handler awaits beside it, not below it.
    """
    of = ("trace_id", "parent")
    begin, length = pl.col("timestamp").dt.timestamp("us") / 1e6, pl.col("seconds")
    inside = spans.filter(pl.col("parent").is_not_null() & (pl.col("parent") != ""))
    ordered = inside.select(*of, "span_id", begin.alias("begin"), "seconds").sort(
        *of, "begin", "seconds", descending=[False, False, False, True]
    )
    # Past these, one runs after the other.
    overlap = pl.min_horizontal(
        pl.col("begin") + length, (pl.col("begin") + length).shift(-1)
    ) - pl.col("begin").shift(-1)
    beside = overlap.clip(0.0).over(of)
    return (
        ordered.with_columns(beside.alias("beside"))
        .filter(pl.col("beside") > 0.0)
        .select("trace_id", "span_id", "beside")
        .unique(("trace_id", "span_id"), keep="first", maintain_order=True)
    )


def calls_in(spans: pl.DataFrame) -> list[tuple[str, str]]:
    """Callers and callees that spans show."""
    pairs = spans.filter(pl.col("caller") != pl.col("entity")).select("caller", "entity").unique()
    return [(str(one), str(other)) for one, other in pairs.sort("caller", "entity").iter_rows()]
