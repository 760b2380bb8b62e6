"""What the commands of `fleetlake lake` share: the lake, tables and bars on a terminal, JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich import box
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Drawn
from rich.text import Text

from api.cli.query.table import cell_texts
from api.cli.terminal import err, out
from lake import Lake
from orchestration.opening import open_lake
from orchestration.settings import load_from_environment

Directory = Annotated[
    Path | None, typer.Option("--dir", help="The data folder. [default: the settings']")
]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def existing_lake(directory: Path | None, config: Path | None) -> Lake:
    """The lake of this data folder, or of the settings; none is made."""
    return open_lake(load_from_environment(config), create=False, data_dir=directory)


def report(title: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Rows as JSON, or drawn; none = that there is nothing to do."""
    if as_json:
        typer.echo(json.dumps(rows, default=text_of))
    elif rows:
        draw(title, pa.Table.from_pylist(rows))
    else:
        err.print("nothing to do")


def draw(title: str, rows: pa.Table) -> None:
    """Rows as a table, on standard output."""
    drawn = Drawn(title=title, box=box.ROUNDED, title_justify="left")
    for field in rows.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        drawn.add_column(field.name, justify="right" if number else "left")
    cells = [
        [f"{value:,}" for value in column.to_pylist()]
        if pa.types.is_integer(column.type) and not column.null_count
        else cell_texts(column)
        for column in rows.columns
    ]
    for row in zip(*cells, strict=True):
        drawn.add_row(*(Text(text) for text in row))
    out.print(drawn)


def text_of(value: object) -> str:
    """What JSON has no type for."""
    return value.isoformat() if isinstance(value, date) else str(value)


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each thing that is worked at, on standard error; none where that is no terminal."""
    columns = (TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=err, disable=not err.is_terminal) as drawn:

        def told(what: str, done: int, whole: int) -> None:
            if what not in tasks:
                tasks[what] = drawn.add_task(what)
            # A bar without an end would swing to and fro; a whole of nothing is done.
            drawn.update(tasks[what], completed=done if whole else 1, total=whole or 1)

        yield told
