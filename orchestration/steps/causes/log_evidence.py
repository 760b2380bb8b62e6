"""What logs say: lines that come more or less often, a request, than they did."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from lake.external import read_rows
from orchestration.errors import CausesError
from orchestration.steps.causes.evidence import Evidence
from orchestration.steps.causes.minutes import MINUTE, by_minute, changes
from orchestration.steps.causes.names import Names

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
    text = pl.col(body).cast(pl.String).str.slice(0, LOOKED_AT)
    for pattern, mask in MASKS:
        text = text.str.replace_all(pattern, mask)
    trace = pl.col("trace_id") if "trace_id" in rows.columns else pl.lit(None)
    lines = rows.select(
        "timestamp",
        names.of_column(rows, by).alias("entity"),
        text.str.slice(0, LONGEST).alias("template"),
        trace.cast(pl.String).alias("trace_id"),
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
    requests = within if spans is None else by_minute(spans, at, window)
    # A minute of which there are no lines at all was not logged: it does not say that none came.
    requests = requests.join(within.select(MINUTE).unique(), on=MINUTE, how="semi")
    chances = requests.group_by("entity", MINUTE).agg(pl.col("trace_id").n_unique().alias("chance"))
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


def _shown(template: str) -> str:
    text = " ".join(template.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
