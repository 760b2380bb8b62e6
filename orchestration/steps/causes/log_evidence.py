"""What logs say: lines that come more or less often, a request, than they did."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from lake.external import read_rows
from orchestration.errors import CausesError
from orchestration.steps.causes.evidence import Evidence
from orchestration.steps.causes.minutes import MINUTE, by_minute, changes
from orchestration.steps.causes.names import Names
from orchestration.steps.causes.spans import ident
from orchestration.steps.file_columns import TEXT

BODIES = ("body", "message", "line", "log")

MASKS = (
    (r"[0-9a-fA-F]{8,}(-[0-9a-fA-F]+)*", "*"),
    (r"\d+:\d\d:\d\d([.,]\d+)?", "*"),
    # A number that names a place in the code (File#31) says what the line is.
    (r"([^#\w]|^)\d+(\.\d+)*", "${1}*"),
)
"""What differs between lines that say the same."""

LONGEST = 150
"""Characters of a line that say what it is; behind them is what it is about."""

MICROS_A_MINUTE = 60_000_000

LOOKED_AT = 4 * LONGEST
"""Characters of a line that are masked."""

SHOWN = 90


def read_lines(path: Path, by: str, names: Names, until: datetime) -> pl.DataFrame:
    """Log lines up to a time, with their entity and template.

    Returns:
        `timestamp`, `entity`, `template`, `trace_id` (null where there is none).

    Raises:
        FileFormatError: it cannot be read, or has no time.
        CausesError: no column has the text.
    """
    rows = pl.DataFrame(read_rows(path, (), timed=True)).filter(pl.col("timestamp") <= until)
    body = next((name for name in BODIES if name in rows.columns), None)
    if body is None:
        raise CausesError(f"{path} has no column {' or '.join(BODIES)}")
    if rows.schema[body] not in TEXT:
        raise CausesError(f"{path}: column {body!r} is no text: it is {rows.schema[body]}")
    text = pl.col(body).cast(pl.String).str.slice(0, LOOKED_AT)
    for pattern, mask in MASKS:
        text = text.str.replace_all(pattern, mask)
    trace = ident(rows, "trace_id") if "trace_id" in rows.columns else pl.lit(None, pl.String)
    lines = rows.select(
        "timestamp",
        names.of_rows(rows, by).alias("entity"),
        text.str.slice(0, LONGEST).alias("template"),
        trace.alias("trace_id"),
    )
    return lines.filter(pl.col("entity").is_not_null() & pl.col("template").is_not_null())


def of_logs(
    lines: pl.DataFrame, spans: pl.DataFrame | None, at: datetime, window: timedelta
) -> list[Evidence]:
    """Evidence of entities that log something else than they did, for as many requests.

    Args:
        lines: see `read_lines`.
        spans: see `spans.read_spans`; without them, requests are the traces that lines name, and
            without those, minutes.
        at: when it began.
        window: how long it is looked at.
    """
    within = by_minute(lines, at, window)
    if within.is_empty():
        return []
    chances = _minutes(within, at, window)
    if spans is not None or within["trace_id"].null_count() == 0:
        chances = _requests(within if spans is None else by_minute(spans, at, window), chances)
    counts = within.group_by("entity", "template", MINUTE).agg(pl.len().alias("count"))
    keys = ("entity", "template")
    found = changes(counts, chances, keys, ("entity",), at_most_once=False)
    rows = found.sort(pl.col("change").abs(), *keys, descending=[True, False, False])
    return [
        Evidence(
            row["entity"],
            abs(row["change"]),
            row["template"],
            f"logs “{_shown(row['template'])}” {row['count']:.0f} times instead of "
            f"{row['expected']:.0f}",
            actual=row["count"],
            expected=row["expected"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _minutes(within: pl.DataFrame, at: datetime, window: timedelta) -> pl.DataFrame:
    """Of each entity as many chances as there are minutes, and shares of one, that were logged.

    A minute of which there are no lines at all was not logged: it does not say that none came.
    """
    time, minute = pl.col("timestamp"), pl.lit(MICROS_A_MINUTE)
    edges = within.select(
        ((time.min() - at).dt.total_microseconds() / minute).alias("first"),
        ((pl.min_horizontal(time.max(), at + window) - at).dt.total_microseconds() / minute).alias(
            "last"
        ),
    ).row(0)
    begin = pl.col(MINUTE)
    share = (pl.min_horizontal(begin + 1, edges[1]) - pl.max_horizontal(begin, edges[0])).clip(0, 1)
    minutes = within.select(MINUTE).unique().sort(MINUTE).with_columns(share.alias("chance"))
    return within.select("entity").unique(maintain_order=True).join(minutes, how="cross")


def _requests(requests: pl.DataFrame, minutes: pl.DataFrame) -> pl.DataFrame:
    """Of each entity as many chances as it had requests in those minutes; minutes if it had none.

    Who was never asked before, or is no longer asked, may log all the same.
    """
    logged = minutes.select(MINUTE).unique()
    found = (
        requests.group_by("entity", MINUTE)
        .agg(pl.col("trace_id").n_unique().cast(pl.Float64).alias("chance"))
        .join(logged, on=MINUTE, how="semi")
    )
    before = pl.col(MINUTE) < 0
    both = found.group_by("entity").agg((before.any() & (~before).any()).alias("both"))
    known = both.filter(pl.col("both")).select("entity")
    return pl.concat(
        [
            found.join(known, on="entity", how="semi"),
            minutes.join(known, on="entity", how="anti").select(found.columns),
        ]
    )


def _shown(template: str) -> str:
    text = " ".join(template.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
