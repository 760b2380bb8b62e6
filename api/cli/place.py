"""`fleetlake place`: where and when a job that needs GPUs should be submitted."""

import json
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli.lake_report import AsJson, Directory, text_of
from api.cli.terminal import ConfigFile, err, out, plain
from api.cli.times import ahead
from lake import utc_now
from orchestration.opening import open_lake
from orchestration.settings import load_from_environment
from orchestration.steps.advice.placement.ask import Asked
from orchestration.steps.advice.placement.ask import place as ask
from orchestration.steps.advice.placement.sentence import chance, clock, starts, where

GIB = 1024.0**3


def place(
    gpus: Annotated[int, typer.Option(help="GPUs that it gets all at once.")],
    hours: Annotated[float, typer.Option(help="How long it runs; a rough figure will do.")],
    memory: Annotated[
        float, typer.Option(metavar="GIB", help="Memory that it needs on each GPU, GiB.")
    ] = 0.0,
    dataset: Annotated[
        str | None, typer.Option(help="Data set that it reads: Fluid's namespace/name.")
    ] = None,
    deadline: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="By when it has to be done: 12h, 2026-11-30T08:00."),
    ] = None,
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Rank queues of GPUs for a job: waiting time, when it is done, and why."""
    settings = load_from_environment(config)
    lake = open_lake(settings, create=False, data_dir=directory)
    now = utc_now()
    due = None if deadline is None else ahead(deadline, now)
    asked = Asked(gpus, hours, memory * GIB, dataset, due)
    found = ask(lake.snapshot(), asked, now, settings.advice)
    if as_json:
        typer.echo(json.dumps(found, default=text_of))
        return
    for note in found["notes"]:
        err.print(plain(note))
    if found["places"]:
        out.print(_table(found["places"], now))
    for one in found["refused"]:
        out.print(plain(f"not {where(one)}: {one['reason']}"))
    text = found["text"]
    out.print(plain(text[0].upper() + text[1:]))


def _table(places: list[dict[str, Any]], now: datetime) -> Table:
    drawn = Table(title="Places, the soonest done first", title_justify="left")
    for heading in ("place", "starts", "done", "data", "in time", "cost", "free", "waiting"):
        drawn.add_column(heading)
    for row in places:
        transfer, in_time, cost = row["transfer_hours"], row["in_time"], row["cost"]
        drawn.add_row(
            plain(where(row)),
            starts(row).removeprefix("it starts "),
            "–" if row["done"] is None else clock(row["done"], now),
            "–" if transfer is None else f"{transfer:.1f} h",
            "–" if in_time is None else chance(in_time),
            "–" if cost is None else f"{cost:.4g}",
            f"{row['gpus_free']:g} of {row['gpus']:g}",
            "–" if row["jobs_waiting"] is None else str(row["jobs_waiting"]),
        )
    return drawn
