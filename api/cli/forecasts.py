"""`fleetlake forecasts`: what fills in a lake, and when, as a table, JSON or CSV."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.lake_report import AsJson, Directory, existing_lake
from api.cli.rows import all_pages, as_csv, as_json
from api.cli.terminal import ConfigFile, err, out, plain
from api.cli.times import how_long
from lake import utc_now
from lake.schema import FORECASTS
from orchestration.forecast_settings import SLOT
from orchestration.settings import load_from_environment
from orchestration.steps.forecast.kinds import kinds_named
from orchestration.steps.forecast.known import Known, known
from orchestration.steps.forecast.listing import Wanted, current, is_past
from orchestration.steps.forecast.make import DELAY, make_forecasts
from orchestration.steps.forecast.sentence import length, sentence
from orchestration.steps.paging import Row
from orchestration.steps.panels import align

FEW = 50
"""Rows of a table for people; the other forms have all."""

FEW_PAST = 20
"""Of those that are past their last level, which quotas may be for months."""

SOON = timedelta(hours=1)

CURVE = (
    "SELECT time, value FROM samples WHERE series_id = {series} "
    "AND time > now() - INTERVAL 6 HOUR ORDER BY time DESC"
)


class Form(StrEnum):
    """How it is written."""

    table = "table"
    json = "json"
    csv = "csv"


def forecasts(
    form: Annotated[Form, typer.Option("--format", help="How to print.")] = Form.table,
    as_json_: AsJson = False,
    within: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="What is reached within so long: 90m, 4h, 2d; by default as far as is looked "
            "ahead.",
        ),
    ] = None,
    cluster: Annotated[list[str] | None, typer.Option(help="Only these clusters.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Only this namespace.")] = None,
    resource: Annotated[
        str | None, typer.Option(help="Only this kind, as filesystem or volume.")
    ] = None,
    abstained: Annotated[
        bool, typer.Option("--abstained", help="Also what cannot be told, and why.")
    ] = False,
    make: Annotated[
        bool, typer.Option("--make", help="Work them out now; else as the server last did.")
    ] = False,
    directory: Directory = None,
    config: ConfigFile = None,
) -> None:
    """Tell what of the lake fills, and when, soonest first."""
    asked = None if within is None else how_long(within)
    settings = load_from_environment(config).forecasts
    lake = existing_lake(directory, config)
    if make:
        make_forecasts(lake, settings, align(utc_now() - DELAY, SLOT))
    now = utc_now()
    kinds = () if resource is None else kinds_named(lake, settings, resource, now)
    wanted = Wanted(asked or settings.horizon, cluster or (), namespace, kinds, abstained)
    there = known(lake, wanted, now)
    if asked is None and there.horizon is not None:
        # What the lake has may be by other settings than those here.
        wanted = replace(wanted, within=there.horizon)
    form = Form.json if as_json_ else form
    rows = all_pages(lambda limit, cursor: current(lake, wanted, now, limit, cursor))
    lines: list[str] = []
    if form is Form.table:
        past = [row for row in rows if is_past(row)]
        rows = rows[len(past) :]
        if past:
            out.print(table("What is past its last level, the latest first", past[:FEW_PAST], now))
        if rows:
            title = f"What fills within {length(wanted.within)}, soonest first"
            out.print(table(title, rows[:FEW], now))
        if len(past) > FEW_PAST:
            more = len(past) - FEW_PAST
            lines.append(f"{more:,} more are past their last level: --format csv prints all")
        lines += [*told(there, wanted, rows, settings.every), *curve(rows, directory)]
    else:
        rows = [row | {"text": sentence(row)} for row in rows]
        names = [*FORECASTS.schema.names, "text"]
        typer.echo(as_json(rows) if form is Form.json else as_csv(rows, names), nl=False)
    if note := there.beyond(wanted.within):
        lines.append(note)
    for line in lines:
        err.print(line, soft_wrap=True, markup=False)


def table(title: str, rows: Sequence[Row], now: datetime) -> Table:
    """Forecasts as a table: when, what, how much of it is used, how likely it is in time.

    What is past its level has the time since when it is.
    """
    drawn = Table(title=title, title_justify="left")
    for heading in ("due (UTC)", "forecast", "used", "chance"):
        drawn.add_column(heading, justify="left" if heading == "forecast" else "right")
    for row in rows:
        at = row["eta_upper"] if is_past(row) else row["eta"]
        soon = at is not None and at - now < SOON
        due = "–" if at is None else f"{at:%d %b %H:%M}"
        drawn.add_row(
            f"[red]{due}[/red]" if soon else due,
            plain(sentence(row, now)),
            _share(row["value"] / row["capacity"] if _limited(row) else None),
            _share(row["chance"]),
        )
    return drawn


def told(there: Known, wanted: Wanted, rows: Sequence[Row], every: timedelta) -> Sequence[str]:
    """What the table leaves open: of how many resources it tells, and of how many nobody can."""
    if there.made_at is None and (wanted.clusters or wanted.namespace or wanted.kinds):
        return ["no forecast of what is asked for: --cluster, --namespace, --resource narrow it"]
    if there.made_at is None:
        made = f"a server makes them every {length(every)}"
        return [f"no forecasts of the last day: --make works them out now, {made}"]
    timed = sum(row["eta"] is not None for row in rows)
    within = f"within {length(wanted.within)}"
    lines = [
        f"{timed or 'none'} of {there.resources:,} resources: next level reached {within}, "
        # What does not fill has a row a day, however often it is looked at.
        f"{'by forecasts of' if timed else 'nothing new since'} {there.made_at:%d %b %H:%M} UTC"
    ]
    if len(rows) > FEW:
        lines.append(f"{len(rows) - FEW:,} more rows: --format csv prints all")
    left_out = there.left_out()
    if left_out and not wanted.abstained:
        left_out[-1] += "; --abstained tells of which"
    return lines + left_out


def curve(rows: Sequence[Row], directory: Path | None) -> list[str]:
    """How to see what the first of them comes from."""
    series = next((row["series_id"] for row in rows if row["eta"] and row["series_id"]), None)
    if series is None:
        return []
    where = f"--dir {shlex.quote(str(directory))} " if directory else ""
    query = CURVE.format(series=series)
    return [f'the curve of the first: fleetlake sql {where}"{query}"']


def _limited(row: Row) -> bool:
    return row["value"] is not None and bool(row["capacity"])


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
