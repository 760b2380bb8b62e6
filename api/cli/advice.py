"""`fleetlake advice`: what would save or risk less, as a table, JSON, CSV or patches."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli.lake_report import Directory, existing_lake
from api.cli.rows import all_pages, as_csv, as_json
from api.cli.terminal import ConfigFile, err, out, plain
from lake import utc_now
from lake.schema import ADVICE
from orchestration.settings import load_from_environment
from orchestration.steps.advice import browse
from orchestration.steps.advice.make import make_advice
from orchestration.steps.advice.patches import as_yaml, patches
from orchestration.steps.advice.rows import JSON_COLUMNS

SHORT_ID = 8

FEW = 50
"""Rows of a table for people; the other forms have all."""


class Form(StrEnum):
    """How it is written."""

    table = "table"
    json = "json"
    csv = "csv"
    patch = "patch"


def advice(
    form: Annotated[
        Form, typer.Option("--format", help="patch: strategic-merge patches for kubectl, as YAML.")
    ] = Form.table,
    cluster: Annotated[list[str] | None, typer.Option(help="Only these clusters.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    workload: Annotated[str | None, typer.Option(help="Only this workload.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only these kinds, as container_cpu.")
    ] = None,
    by_risk: Annotated[
        bool, typer.Option("--by-risk", help="What takes most risk away first.")
    ] = False,
    abstained: Annotated[
        bool, typer.Option("--abstained", help="Also what nothing can be proposed for, and why.")
    ] = False,
    make: Annotated[
        bool, typer.Option("--make", help="Work it out now; else as the server last did.")
    ] = False,
    directory: Directory = None,
    config: ConfigFile = None,
) -> None:
    """Show what would save requests, or risk less."""
    lake = existing_lake(directory, config)
    if make:
        settings = load_from_environment(config).advice
        made = make_advice(lake, settings, utc_now())
        for adviser, why in made.failed.items():
            err.print(f"[red]{adviser} failed[/red]: {plain(str(why))}")
    wanted = browse.Wanted(
        cluster or (),
        kind or (),
        namespace,
        workload,
        abstained=abstained,
        order="risk" if by_risk else "saving",
    )
    rows = all_pages(
        lambda limit, cursor: browse.listing(lake, wanted, limit, cursor),
        FEW if form is Form.table else None,
    )
    if form is Form.patch:
        found = patches(rows)
        typer.echo(as_yaml(found), nl=False)
        left_out = len(found.left_out)
        err.print(f"{len(found.patches)} workloads, {left_out} pieces of advice left out")
    elif form is Form.json:
        typer.echo(as_json(rows), nl=False)
    elif form is Form.csv:
        typer.echo(as_csv(rows, ADVICE.schema.names, JSON_COLUMNS), nl=False)
    elif rows:
        out.print(table("Advice, what is worth most first", rows))
        err.print("patches for kubectl: --format patch; what cannot be told: --abstained")
    else:
        err.print("no advice: --make works it out now, --abstained tells what cannot be told")


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Advice as a table: id, what, risk before and after, how sure."""
    drawn = Table(title=title, title_justify="left")
    for heading in ("id", "advice", "risk now", "then", "sure"):
        drawn.add_column(heading, justify="left" if heading in {"id", "advice"} else "right")
    for row in rows:
        drawn.add_row(
            row["advice_id"][:SHORT_ID],
            plain(row["title"]),
            *(_percent(row[name]) for name in ("current_risk", "risk", "confidence")),
        )
    return drawn


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
