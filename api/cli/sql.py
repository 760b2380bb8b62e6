"""`fleetlake sql`: SQL in the terminal, on the lake here or on a server."""

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.cli.query.asking import Done, Sink, ask
from api.cli.query.files import sink_of
from api.cli.query.mistakes import shown
from api.cli.query.prompt import Prompt
from api.cli.query.sources import LocalSource, RemoteSource, Source
from api.cli.query.table import TableSink
from api.cli.terminal import ConfigFile, err, out
from api.errors import OutputError
from lake.errors import QueryCancelledError, QueryError
from lake.results import Format
from orchestration.opening import open_lake
from orchestration.settings import load_from_environment

FAILED, CANCELLED = 2, 130


class Shown(StrEnum):
    """How rows are shown or written."""

    table = "table"
    json = "json"
    ndjson = "ndjson"
    csv = "csv"
    arrow = "arrow"
    parquet = "parquet"


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="A SELECT; `-` or nothing = standard input, or a prompt."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the query from a file.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The data folder. [default: the settings']")
    ] = None,
    config: ConfigFile = None,
    url: Annotated[
        str | None, typer.Option(help="Ask this server, e.g. http://127.0.0.1:8428.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="FLEETLAKE_TOKEN", help="The server's read token.", show_default=False),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME|SNAPSHOT", help="What was known then.")
    ] = None,
    form: Annotated[
        Shown | None, typer.Option("--format", help="How to print. [default: table]")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file, by its ending.")
    ] = None,
) -> None:
    """Run SQL on the lake. Views: samples, series, metrics, events, anomalies and more."""
    chosen = _form(form, output, as_json=json_)
    sink = _sink(chosen, output)
    source = RemoteSource(url, token, as_of) if url else _local(directory, config, as_of)
    text = _text(query, file)
    if text is None:
        Prompt(source, sink, _tell).run()
        return
    try:
        done = ask(source, text, sink())
    except QueryCancelledError:
        err.print("cancelled")
        raise typer.Exit(CANCELLED) from None
    except QueryError as error:
        err.print(shown(str(error)), soft_wrap=True)
        raise typer.Exit(FAILED) from None
    except BrokenPipeError:
        # Whoever read has had enough, `head` say; Python would complain of it once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if chosen is Shown.table or output is not None:
        _tell(done)


def _tell(done: Done) -> None:
    rows = f"{done.rows:,} row{'' if done.rows == 1 else 's'}"
    err.print(f"{rows} in {done.seconds:.2f} s, snapshot {done.snapshot_id}", soft_wrap=True)


def _form(form: Shown | None, output: Path | None, *, as_json: bool) -> Shown:
    if as_json:
        return Shown.json
    if form is not None:
        return form
    if output is None:
        return Shown.table
    try:
        return Shown(output.suffix.removeprefix("."))
    except ValueError:
        raise OutputError(
            f"{output.name}: {output.suffix or 'no ending'} is no format: name one with --format"
        ) from None


def _sink(form: Shown, output: Path | None) -> Callable[[], Sink]:
    if form is not Shown.table:
        return sink_of(Format(form), output)
    if output is not None:
        raise OutputError(f"a table is for the terminal: name a format for {output.name}")
    return lambda: TableSink(out, err)


def _local(directory: Path | None, config: Path | None, as_of: str | None) -> Source:
    lake = open_lake(load_from_environment(config), create=False, data_dir=directory)
    return LocalSource(lake, as_of)


def _text(query: str | None, file: Path | None) -> str | None:
    """The query; None = ask for it at a prompt."""
    if file is not None:
        try:
            return file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OutputError(f"cannot read {file}: {error}") from error
    if query is not None and query != "-":
        return query
    if query is None and sys.stdin.isatty():
        return None
    return sys.stdin.read()
