"""`fleetlake incident`: the incidents of a lake, and the report of one."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli.lake_report import AsJson, Directory, existing_lake
from api.cli.terminal import ConfigFile, err, out, plain
from api.cli.times import how_long
from lake import TimeRange, utc_now
from orchestration.steps import paging
from orchestration.steps.incidents import browse
from orchestration.steps.incidents.report import markdown

COLOURS = {"critical": "red", "major": "yellow", "minor": "cyan", "low": "dim"}


def incident(
    incident_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Its id, or how it begins. [default: list them]"),
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="24h", help="How far back the list goes: 24h, 7d.")
    ] = "24h",
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List incidents, or print the report of one as Markdown."""
    lake = existing_lake(directory, config)
    if incident_id is not None:
        row = browse.incident(lake, incident_id)
        typer.echo(json.dumps(row, default=_text) if as_json else markdown(row), nl=as_json)
        return
    now = utc_now()
    wanted = browse.Wanted(TimeRange(now - how_long(since), now + timedelta(minutes=1)))
    rows = browse.incidents(lake, wanted, paging.MAX_PAGE).rows
    if as_json:
        typer.echo(json.dumps(rows, default=_text))
        return
    if not rows:
        err.print(f"no incident within {since}: --since 7d looks back further")
        return
    out.print(table("Incidents, the latest first", rows))
    err.print(f"more of one: fleetlake incident {rows[0]['incident_id'][: browse.LEAST_ID]}")


def table(title: str, rows: list[dict[str, Any]]) -> Table:
    """Incidents as a table: id, severity, state, title, first cause."""
    drawn = Table(title=title, title_justify="left")
    for heading in ("id", "severity", "state", "incident", "first cause"):
        drawn.add_column(heading)
    for row in rows:
        colour = COLOURS[row["severity"]]
        drawn.add_row(
            row["incident_id"][: browse.LEAST_ID],
            f"[{colour}]{row['severity']}[/{colour}]",
            row["state"],
            plain(row["title"]),
            plain(cause(row)),
        )
    return drawn


def cause(row: dict[str, Any]) -> str:
    """The first cause in a sentence, or why none is named."""
    if row["abstained"]:
        return f"none named: {row['abstained']}"
    first = row["causes"][0]
    return f"{first['entity']} ({first['confidence']:.0%}): {first['reason']}"


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
