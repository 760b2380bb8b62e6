"""`fleetlake`: the program."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from api.cli import demo, detect, import_files, lake, sql, up
from api.cli.terminal import err
from api.errors import ApiError
from detectors import DetectorsError
from ingest.errors import IngestError
from lake.errors import LakeError
from orchestration.errors import OrchestrationError

OUR_ERRORS = (ApiError, DetectorsError, IngestError, LakeError, OrchestrationError)
FAILED = 2

app = typer.Typer(
    name="fleetlake",
    help="One open data lake for the metrics and events of many Kubernetes clusters, "
    "and the anomalies in it. New here? Run [bold]fleetlake demo[/bold].",
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("sql")(sql.sql)
app.command("import")(import_files.import_files)
app.command("detect")(detect.detect)
app.add_typer(lake.app, name="lake")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("fleetlake"))
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Options of the program itself."""


def run() -> None:
    """Run the program; our errors become one line on standard error and exit code 2."""
    try:
        app()
    except OUR_ERRORS as error:
        # Errors of the SQL engine point at the place below the line: what is one line has no below.
        lines = [line.strip() for line in str(error).splitlines()]
        text = " ".join(line for line in lines if line.strip("^"))
        err.print(f"[bold red]error:[/bold red] {escape(text)}", soft_wrap=True, markup=True)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
