"""`fleetlake rank-causes`: which entity is the cause, from any files, without a lake."""

import json
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli.lake_report import AsJson
from api.cli.terminal import err, out, plain, progress
from api.cli.times import how_long, moment
from orchestration.steps.causes.question import Question
from orchestration.steps.causes.rank_file import Answer, Cause, rank_file

SHOWN = 20
"""Entities that a list shows unless more are asked for."""


def rank_causes(
    files: Annotated[
        list[Path],
        typer.Argument(help="Parquet or CSV of metrics: timestamp (or time), value, labels."),
    ],
    by: Annotated[
        str, typer.Option(metavar="COLUMN", help="Whose values are ranked: service, pod, metric.")
    ],
    at: Annotated[
        str, typer.Option(metavar="TIME", help="When it began or was noticed: 2026-11-29T14:03.")
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(help="Metrics when all was well. [default: the rows before --at]"),
    ] = None,
    symptom: Annotated[
        str | None, typer.Option(metavar="ENTITY[:METRIC]", help="Where it shows.")
    ] = None,
    graph: Annotated[
        Path | None, typer.Option(help="Who calls whom: source, target. [default: by --traces]")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Events, among them changes: timestamp, reason, name, …")
    ] = None,
    logs: Annotated[Path | None, typer.Option(help="Log lines: timestamp, pod, body.")] = None,
    traces: Annotated[
        Path | None,
        typer.Option(
            help="Spans: timestamp, duration_us, span_id, parent_span_id, pod, operation."
        ),
    ] = None,
    lasting: Annotated[
        str | None,
        typer.Option("--for", metavar="5m", help="How long it lasts. [default: 5m or more]"),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many to list.")] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """Rank entities by what speaks for their being the cause of an incident.

    Several files of metrics are one table. Rows before --at are the baseline, however old.
    """
    question = Question(
        files,
        by,
        moment(at, datetime.now(UTC)),
        baseline,
        symptom,
        graph,
        events,
        logs,
        traces,
        None if lasting is None else how_long(lasting),
    )
    with progress("Ranking causes") as told:
        answer = rank_file(
            question, told, lambda text: err.print(f"[yellow]{plain(text)}[/yellow]")
        )
    if as_json:
        typer.echo(json.dumps([row(one) for one in answer.causes[:top]]))
    else:
        _draw(answer, by, top)
    if answer.abstained:
        err.print(f"[yellow]{answer.abstained}[/yellow]")


def row(cause: Cause) -> dict[str, Any]:
    """A cause as JSON: what the list shows, and the evidence by kind."""
    return {
        "rank": cause.rank,
        "entity": cause.entity,
        "score": round(cause.score, 4),
        "confidence": round(cause.confidence, 4),
        "metric": cause.metric,
        "onset": _time(cause.onset),
        "reason": cause.reason,
        "evidence": [
            {
                "kind": kind,
                "what": one.what,
                "reason": one.reason,
                "size": round(one.size, 4),
                "onset": _time(one.onset),
                "actual": _finite(one.actual),
                "expected": _finite(one.expected),
                "series": one.series,
            }
            for kind, one in cause.evidence
        ],
    }


def _finite(value: float | None) -> float | None:
    """JSON knows no other."""
    return value if value is not None and isfinite(value) else None


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _draw(answer: Answer, by: str, top: int) -> None:
    table = Table(title=f"Likely causes ({_window(answer.window)} looked at)", title_justify="left")
    for name in ("rank", by, "score", "onset", "why"):
        table.add_column(name, justify="right" if name in {"rank", "score"} else "left")
    for one in answer.causes[:top]:
        onset = "" if one.onset is None else f"{one.onset:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            str(one.rank), plain(one.entity), f"{one.score:.2f}", onset, plain(one.reason)
        )
    out.print(table)


def _window(window: timedelta) -> str:
    minutes = window / timedelta(minutes=1)
    return f"{minutes:.0f} min" if minutes == round(minutes) else f"{window.total_seconds():.0f} s"
