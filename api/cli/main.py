"""`fleetlake`: the program."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.terminal import err

OUR_ERRORS = frozenset(
    f"{package}.errors" for package in ("api", "detectors", "ingest", "lake", "orchestration")
)
"""Modules: to name the classes, all five packages would have to be loaded."""

FAILED = 2

COMMANDS = {
    "demo": (
        "api.cli.demo:demo",
        "Simulate three clusters for two days, ingest, detect, and compare with the truth.",
    ),
    "up": ("api.cli.up:up", "Run everything: take data, keep it, score it each minute, show it."),
    "sql": (
        "api.cli.sql:sql",
        "Run SQL on the lake. Views: samples, series, metrics, events, anomalies and more.",
    ),
    "import": (
        "api.cli.import_files:import_files",
        "Import files: tables, or expositions whose samples state their time.",
    ),
    "detect": (
        "api.cli.detect:detect",
        "Score every row of a file, each from earlier rows and itself only; 1.0 is the threshold.",
    ),
    "forecast": (
        "api.cli.forecast:forecast",
        "Tell when each series reaches a threshold, with an interval, or why that cannot be told.",
    ),
    "forecasts": (
        "api.cli.forecasts:forecasts",
        "Tell what of the lake fills, and when, soonest first.",
    ),
    "backtest": (
        "api.cli.backtest:backtest",
        "Replay history as live detection would have seen it: alerts, overlap, delay and cost.",
    ),
    "rank-causes": (
        "api.cli.rank_causes:rank_causes",
        "Rank entities by what speaks for their being the cause of an incident.",
    ),
    "incident": (
        "api.cli.incident:incident",
        "List incidents, or print the report of one as Markdown.",
    ),
    "advice": (
        "api.cli.advice:advice",
        "Show what would save requests, or risk less.",
    ),
    "place": (
        "api.cli.place:place",
        "Rank queues of GPUs for a job: waiting time, when it is done, and why.",
    ),
    "check-detector": (
        "api.cli.check_detector:check_detector",
        "Try a detector by the laws that every detector must obey.",
    ),
    "families": (
        "api.cli.families:families",
        "Show what applies to a metric: reading, direction, least deviation, entity.",
    ),
    "choose": (
        "api.cli.choose:choose",
        "Put known faults into each metric's own clean history; tell which detector finds them.",
    ),
    "lake": ("api.cli.lake:app", "What the lake consists of, and its maintenance."),
}
"""Name of each command to where it is, and the first line of its help. A server takes seconds to
load; who asks for help, or asks a lake, does not wait for it."""

SERVERS = frozenset({"up"})
ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"
"""Arrow reads it once, as it is loaded. Its own pool keeps what a flush of many series took; the
system's gives it back, which is 80 MiB less at the peak of a million series."""


def program(arguments: Sequence[str]) -> typer.Typer:
    """The program with the one command that is meant; the others can only be listed."""
    app = typer.Typer(
        name="fleetlake",
        help="One open data lake for the metrics and events of many Kubernetes clusters, "
        "and the anomalies in it. New here? Run [bold]fleetlake demo[/bold].",
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(root)
    meant = next((each for each in arguments if not each.startswith("-")), None)
    if meant in SERVERS:
        os.environ.setdefault(ARROW_POOL, "system")
    for name, (place, text) in COMMANDS.items():
        if name != meant:
            app.command(name, help=text)(_listed)
            continue
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _listed() -> None:
    """Stands for a command that was not asked for."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("fleetlake"))
        raise typer.Exit


def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Options of the program itself."""


def run() -> None:
    """Run the program; our errors become one line on standard error and exit code 2."""
    try:
        program(sys.argv[1:])()
    except Exception as error:
        if OUR_ERRORS.isdisjoint(base.__module__ for base in type(error).__mro__):
            raise
        # Errors of the SQL engine point at the place below the line: what is one line has no below.
        lines = [line.strip() for line in str(error).splitlines()]
        text = " ".join(line for line in lines if line.strip("^"))
        err.print(f"[bold red]error:[/bold red] {escape(text)}", soft_wrap=True, markup=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
