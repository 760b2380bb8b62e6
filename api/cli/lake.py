"""`fleetlake lake`: what the lake consists of, and its maintenance by hand."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pyarrow as pa
import typer
from rich import box
from rich.table import Table as Drawn
from rich.text import Text

from api.cli.query.table import cell_texts
from api.cli.terminal import err, out
from lake import Lake, utc_now
from lake.inspect import lake_tables
from lake.inspect_log import LogSize, log_size
from lake.maintenance import delete_cluster, lease
from lake.maintenance.levels import plan
from orchestration.opening import open_lake
from orchestration.settings import load_from_environment
from orchestration.steps.maintain import clean_lake, compact_lake

app = typer.Typer(help="What the lake consists of, and its maintenance.", no_args_is_help=True)

Directory = Annotated[
    Path | None, typer.Option("--dir", help="The data folder. [default: the settings']")
]
AsJson = Annotated[bool, typer.Option("--json", help="For scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

T = TypeVar("T")

HOT_DAYS = """
SELECT table_name, date, count(*) AS files, sum(bytes)::BIGINT AS bytes, sum(rows)::BIGINT AS rows
FROM lake_files WHERE date IS NOT NULL
GROUP BY table_name, date ORDER BY files DESC, bytes DESC, date DESC LIMIT 10
"""

CLUSTERS = """
SELECT cluster, count(*) AS samples,
       (count(*) / sum(count(*)) OVER ()
        * (SELECT sum(bytes) FROM lake_files WHERE table_name = 'samples'))::BIGINT AS bytes
FROM samples GROUP BY cluster ORDER BY samples DESC, cluster
"""


@app.command()
def inspect(
    directory: Directory = None,
    as_json: AsJson = False,
    clusters: Annotated[
        bool,
        typer.Option("--clusters", help="Each cluster's share too: reads a column of all samples."),
    ] = False,
) -> None:
    """Tables, files, bytes, hot days and logs. The same as SQL: lake_tables and lake_files."""
    lake = _lake(directory, create=False)
    snapshot = lake.snapshot()
    tables = lake_tables(snapshot)
    days = lake.sql(HOT_DAYS)
    shares = lake.sql(CLUSTERS) if clusters else None
    logs = {name: log_size(table) for name, table in lake.tables.items()}
    if as_json:
        told: dict[str, Any] = {
            "snapshot_id": snapshot.id,
            "tables": [
                {**row, "log": asdict(logs[row["table_name"]])} for row in tables.to_pylist()
            ],
            "hot_days": days.to_pylist(),
        }
        if shares is not None:
            told["clusters"] = shares.to_pylist()
        typer.echo(json.dumps(told, default=_text))
        return
    now = utc_now()
    out.print(f"snapshot {snapshot.id}", soft_wrap=True)
    _draw("Tables", tables.drop_columns(["hottest_date", "hottest_files", "hottest_bytes"]))
    _draw("Logs", _log_rows(logs, now))
    _draw("Hot days", days)
    if shares is not None:
        _draw("Clusters, bytes by their share of the samples", shares)


@app.command()
def compact(directory: Directory = None, as_json: AsJson = False, dry_run: DryRun = False) -> None:
    """Merge small files of every table now, as maintenance does every few minutes."""
    lake = _lake(directory, create=False)
    policy = load_from_environment().maintenance.policy()
    if dry_run:
        rows = [
            {
                "table_name": name,
                "date": merge.day,
                "files": len(merge.files),
                "rows": merge.rows,
                "level": merge.level,
            }
            for name, table in lake.tables.items()
            for merge in plan(table.files()[1], utc_now(), policy.compaction)
        ]
        _report(
            "First merges of each day; what they give may be merged again", rows, as_json=as_json
        )
        return
    done = _at_work("Merging", lambda: compact_lake(lake, policy, utc_now))
    rows = [
        {
            "table_name": name,
            "merges": one.merges,
            "files_in": one.files_in,
            "files_out": one.files_out,
            "bytes_in": one.bytes_in,
            "bytes_out": one.bytes_out,
            "dropped_rows": one.dropped,
        }
        for name, one in done.tables.items()
    ]
    _report("Merged", rows, as_json=as_json)
    for name, one in done.tables.items():
        for damaged in one.damaged:
            err.print(f"{name}: {damaged}", soft_wrap=True)


@app.command()
def clean(directory: Directory = None, as_json: AsJson = False) -> None:
    """Apply retention, delete files nobody needs any more, tidy the logs."""
    lake = _lake(directory, create=False)
    policy = load_from_environment().maintenance.policy()
    done = _at_work("Cleaning", lambda: clean_lake(lake, policy, utc_now))
    rows = [
        {
            "table_name": name,
            "deleted_files": len(one.expired) + len(one.orphans),
            "deleted_bytes": one.bytes,
            "foreign_files": len(one.foreign),
        }
        for name, one in done.vacuumed.items()
    ]
    _report("Cleaned", rows, as_json=as_json)
    for name, error in done.failures.items():
        err.print(f"{name}: {error}", soft_wrap=True)
    if done.failures:
        raise typer.Exit(2)


@app.command("delete-cluster")
def delete(
    cluster: Annotated[str, typer.Argument(help="Whose data is deleted, from every table.")],
    directory: Directory = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all data of one cluster. Stop its senders first."""
    lake = _lake(directory, create=False)
    policy = load_from_environment().maintenance.policy()
    if dry_run:
        counts = {name: _rows_of(lake, name, cluster) for name in lake.tables}
        rows = [{"table_name": name, "rows": count} for name, count in counts.items()]
        _report("Rows to be deleted", rows, as_json=as_json)
        return
    if not yes:
        typer.confirm(f"Delete all data of cluster {cluster!r}?", abort=True, err=True)
    with lease(lake, utc_now):
        done = _at_work("Deleting", lambda: delete_cluster(lake, cluster, policy, utc_now()))
    rows = [
        {"table_name": name, "rows": count, "files": done.files[name]}
        for name, count in done.rows.items()
    ]
    _report("Deleted", rows, as_json=as_json)
    err.print(f"the last byte is gone with the first `lake clean` after {_text(done.gone_at)}")


def _lake(directory: Path | None, *, create: bool) -> Lake:
    return open_lake(load_from_environment(), create=create, data_dir=directory)


def _rows_of(lake: Lake, table: str, cluster: str) -> int:
    # Of the stored rows: a view shows some of them once.
    query = f"SELECT count(*) AS n FROM stored.{table} WHERE cluster = $cluster"  # noqa: S608
    return int(lake.sql(query, {"cluster": cluster})["n"][0].as_py())


def _at_work(text: str, act: Callable[[], T]) -> T:
    with err.status(text):
        return act()


def _log_rows(logs: dict[str, LogSize], now: datetime) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "table_name": name,
                "files": log.files,
                "bytes": log.bytes,
                "after_checkpoint": log.tail,
                "checkpoint_age": ""
                if log.checkpoint is None
                else str(now - log.checkpoint).split(".")[0],
            }
            for name, log in logs.items()
        ]
    )


def _report(title: str, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, default=_text))
    elif rows:
        _draw(title, pa.Table.from_pylist(rows))
    else:
        err.print("nothing to do")


def _draw(title: str, rows: pa.Table) -> None:
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


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
