"""`fleetlake sql`: SQL in the terminal."""

import json
import sys
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import typer
from rich.markup import escape
from rich.table import Table

from api.cli.terminal import err, out
from api.plain import plain
from lake import Lake
from orchestration.settings import load_from_environment

SHOWN_ROWS = 200


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT, e.g. over `metrics` or `anomalies`.")],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The data folder. [default: the settings']")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.table,
) -> None:
    """Run SQL on the lake. Views: samples, series, metrics, events, anomalies."""
    root = (directory / "lake") if directory else load_from_environment().lake_dir
    rows = Lake.open(root, create=False).sql(query)
    if form is Format.table:
        _print_table(rows)
    elif form is Format.json:
        typer.echo(json.dumps(_objects(rows), default=_text, ensure_ascii=False))
    elif form is Format.csv:
        typer.echo(pl.DataFrame(_flat(rows)).write_csv(), nl=False)
    else:
        pyarrow.parquet.write_table(rows, sys.stdout.buffer)


def _print_table(rows: pa.Table) -> None:
    table = Table(show_lines=False)
    for field in rows.schema:
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(escape(field.name), justify="right" if number else "left", overflow="fold")
    shown = rows.slice(0, SHOWN_ROWS)
    for row in zip(*(column.to_pylist() for column in shown.columns), strict=True):
        table.add_row(*(escape(_cell(value)) for value in row))
    out.print(table)
    if rows.num_rows > SHOWN_ROWS:
        err.print(f"{SHOWN_ROWS} of {rows.num_rows:,} rows; --format csv prints all")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and all(isinstance(item, tuple) for item in value):
        return ", ".join(f"{name}={text}" for name, text in value)
    return str(value)


def _flat(rows: pa.Table) -> pa.Table:
    """CSV has no nested columns: they are written as JSON, and bytes as base64."""
    columns = [
        pa.array([None if v is None else _compact(v) for v in plain(column)], pa.string())
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type)
        else column
        for column in rows.columns
    ]
    return pa.table(columns, names=rows.column_names)


def _compact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(_named(value), default=_text)


def _objects(rows: pa.Table) -> list[dict[str, object]]:
    columns = [plain(column) for column in rows.columns]
    return [
        {name: _named(value) for name, value in zip(rows.column_names, row, strict=True)}
        for row in zip(*columns, strict=True)
    ]


def _named(value: object) -> object:
    """JSON's keys are texts."""
    if isinstance(value, dict):
        return {_text(key): _named(item) for key, item in value.items()}
    return [_named(item) for item in value] if isinstance(value, list) else value


def _text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
