"""Events of the lake counted per stream and column, by one query for all streams.

What counts of an event depends on its source. Kubernetes counts up under one uid, so that the
increase counts; an alert counts when it begins to fire; a decision and a line of a log are one
each; whatever else comes says itself how many it stands for. A stream of decisions is of a path,
whatever the namespace; one of lines is of a *text*: the message with its numbers masked, which
`detectors.events.Templates` makes into templates. Lines that are no warnings count per cluster.
"""

from datetime import timedelta

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND

REACH = timedelta(hours=1)
"""How far back the row before of a Kubernetes Event is looked for. The API server forgets an event
that is silent for so long. One without a row before counts twice at most: it came again, nobody
knows since when."""

FULLY = timedelta(minutes=5)
"""An increase since a row longer ago than this counts in part: what fell into so much of it. After
a pause of ours, or a watch's, it would be a burst that never was."""

MOST_TEXTS = 2_000
"""Texts of one cluster and block; what comes after the first so many counts as one text."""

OTHER = "<other lines>"

MOST_LETTERS = 300
"""Of a message: beyond this stand stack traces and payloads."""

ALERT, LOG, OPA = "alert", "log", "opa"

SCHEMA = {
    "cluster": pl.String,
    "source": pl.String,
    "key": pl.String,
    "namespace": pl.String,
    "column": pl.Int64,
    "events": pl.Int64,
    "loud": pl.Int64,
    "errors": pl.Int64,
}

# What varies in a line, most specific first, each replaced by <*>. RE2's expressions.
_MASKS = (
    r"\d{4}-\d\d-\d\d[T ][0-9:.,]+(Z|[+-]\d\d:?\d\d)?",
    r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    r"-[0-9a-f]{6,10}-[0-9a-z]{5}\b",
    r"\b(0x)?[0-9a-fA-F]{7,}\b",
    r"[A-Za-z0-9+/_=.-]{40,}",
    r"[0-9]+",
    r"<\*>([.:,/_-]?<\*>)+",
)


def _masked(text: str) -> str:
    for pattern in _MASKS:
        text = f"regexp_replace({text}, '{pattern}', '<*>', 'g')"
    return text


_QUIET_WORDS = r"\b(INFO|DEBUG|TRACE|NOTICE)\b|level=(info|debug|trace)|^I\d{4} "
_ERROR_WORDS = (
    r"\b(ERROR|FATAL|CRITICAL|PANIC|EMERG|SEVERE|Exception|Traceback)\b|level=(err|fatal|crit|panic)"
    r'|"(level|severity)": ?"(?i:err|fatal|crit|panic|alert|emerg)|^[EF]\d{4} '
)
_WARNING_WORDS = r'\bWARN(ING)?\b|level=warn|"(level|severity)": ?"(?i:warn)|^W\d{4} '
_ERROR_SEVERITIES = "^(err|fatal|crit|alert|emerg|panic|severe)"

COUNTS = rf"""
WITH raw AS (
    SELECT cluster, source, type, reason, namespace, uid, count, time,
           epoch_us(time) // $step_us AS "column",
           CASE WHEN source = 'log' THEN left(message, 2000) END AS message,
           CASE WHEN source = 'log' THEN lower(attributes['severity']) END AS severity,
           CASE WHEN type IS DISTINCT FROM 'Normal' THEN 2 ELSE 0 END AS level
    FROM events
    WHERE date >= $first_day AND date <= $last_day AND time >= $reach AND time < $end
), steps AS (
    SELECT *, count - lag(count) OVER seen AS more,
           epoch_us(time) - epoch_us(lag(time) OVER seen) AS since
    FROM raw WHERE source = 'kubernetes'
    WINDOW seen AS (PARTITION BY cluster, uid ORDER BY count, time)
), increases AS (
    SELECT *, CASE
        WHEN more IS NULL OR since > $reach_us THEN least(count, 2)
        WHEN more = 0 THEN 0
        ELSE greatest(1, round(more * least(1.0, $fully_us / greatest(since, 1.0)))) END AS n
    FROM steps
), lines AS (
    SELECT cluster, namespace, "column", type, severity, time,
           CASE WHEN message[1] = '{{' AND json_valid(message)
                THEN coalesce(
                    message->>'$.message', message->>'$.msg', message->>'$.error', message)
                ELSE message END AS said,
           left(message, 200) AS head
    FROM raw WHERE source = 'log' AND time >= $start
), judged AS (
    SELECT *, CASE
        WHEN type = 'Normal' THEN 0
        WHEN type = 'Warning' AND severity IS NOT NULL
            THEN CASE WHEN regexp_matches(severity, '{_ERROR_SEVERITIES}') THEN 2 ELSE 1 END
        WHEN type IS NULL AND regexp_matches(head, '{_QUIET_WORDS}') THEN 0
        WHEN regexp_matches(head, '{_ERROR_WORDS}') THEN 2
        WHEN type = 'Warning' OR regexp_matches(head, '{_WARNING_WORDS}') THEN 1
        ELSE 0 END AS level
    FROM lines
), masked AS (
    SELECT *, CASE WHEN level > 0 THEN coalesce(nullif(trim({
    _masked(f"left(split_part(trim(said), chr(10), 1), {MOST_LETTERS})")
}), ''), '{OTHER}') END AS text
    FROM judged
), texts AS (
    SELECT cluster, "column" // $block AS block, text, min(time) AS first FROM masked
    WHERE text IS NOT NULL GROUP BY ALL
), chosen AS (
    SELECT cluster, block, text FROM texts
    QUALIFY row_number() OVER (PARTITION BY cluster, block ORDER BY first, text) <= {MOST_TEXTS}
), counted AS (
    SELECT cluster, source, reason AS key, namespace, "column", level, n
    FROM increases WHERE time >= $start AND n > 0
    UNION ALL
    SELECT cluster, source, reason, NULL, "column", level, 1
    FROM raw WHERE source = 'opa' AND time >= $start
    UNION ALL
    SELECT cluster, source, reason, namespace, "column", level, 1
    FROM raw WHERE source = 'alert' AND count = 1 AND time >= $start
    UNION ALL
    SELECT cluster, source, reason, namespace, "column", level, count
    FROM raw WHERE source NOT IN ('kubernetes', 'opa', 'alert', 'log') AND time >= $start
    UNION ALL
    SELECT m.cluster, 'log', CASE WHEN m.level = 0 THEN NULL
               WHEN c.text IS NULL THEN '{OTHER}' ELSE m.text END,
           CASE WHEN m.level > 0 THEN m.namespace END, m."column", m.level, 1
    FROM masked m LEFT JOIN chosen c
      ON c.cluster = m.cluster AND c.block = m."column" // $block AND c.text = m.text
)
SELECT cluster, source, key, namespace, "column", CAST(sum(n) AS BIGINT) AS events,
       CAST(coalesce(sum(n) FILTER (level > 0), 0) AS BIGINT) AS loud,
       CAST(coalesce(sum(n) FILTER (level > 1), 0) AS BIGINT) AS errors
FROM counted GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - constants of ours


def count(
    snapshot: Snapshot, between: TimeRange, step: timedelta, block_columns: int
) -> pl.DataFrame:
    """Count the events of a range.

    What a column holds depends on rows of its block of columns and of `REACH` before it alone, so
    that blocks can be counted one by one.

    Args:
        snapshot: where the events are.
        between: whole columns.
        step: width of a column; columns are numbered from 1970.
        block_columns: columns of a block.

    Returns:
        A row per stream and column, as `SCHEMA`; `loud` are the warnings among the events, `errors`
        those of them that are no mere warnings of a log.
    """
    reach = TimeRange(between.start - REACH, between.end)
    params = {
        "first_day": reach.start.date(),
        "last_day": reach.end.date(),
        "reach": reach.start,
        "start": between.start,
        "end": between.end,
        "step_us": step // MICROSECOND,
        "block": block_columns,
        "reach_us": REACH // MICROSECOND,
        "fully_us": float(FULLY // MICROSECOND),
    }
    found = pl.from_arrow(run(snapshot, COUNTS, params, reach).rows)
    assert isinstance(found, pl.DataFrame)  # noqa: S101 - bug: a table becomes a frame
    return found.cast(SCHEMA)  # type: ignore[arg-type]


REASONS = """
SELECT date, cluster, source, reason AS key FROM events
WHERE date >= $first_day AND date <= $last_day AND source <> 'log' GROUP BY ALL ORDER BY ALL
"""


def reasons(snapshot: Snapshot, days: TimeRange) -> pl.DataFrame:
    """What reasons each source of each cluster has given, by day; lines of logs have none."""
    last = days.end - MICROSECOND
    params = {"first_day": days.start.date(), "last_day": last.date()}
    found = pl.from_arrow(run(snapshot, REASONS, params, days).rows)
    assert isinstance(found, pl.DataFrame)  # noqa: S101 - bug: a table becomes a frame
    return found
