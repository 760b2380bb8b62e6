"""`fleetlake lake`: what the lake consists of, and its maintenance by hand."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import pyarrow as pa
import typer

from api.cli import lake_upkeep
from api.cli.lake_report import AsJson, Directory, draw, existing_lake, text_of
from api.cli.terminal import ConfigFile, out
from lake import utc_now
from lake.inspect import lake_tables
from lake.inspect_log import LogSize, log_size

app = typer.Typer(help="What the lake consists of, and its maintenance.", no_args_is_help=True)

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
    config: ConfigFile = None,
    as_json: AsJson = False,
    clusters: Annotated[
        bool,
        typer.Option("--clusters", help="Each cluster's share too: reads a column of all samples."),
    ] = False,
) -> None:
    """Tables, files, bytes, hot days and logs. The same as SQL: lake_tables and lake_files."""
    lake = existing_lake(directory, config)
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
        typer.echo(json.dumps(told, default=text_of))
        return
    now = utc_now()
    out.print(f"snapshot {snapshot.id}", soft_wrap=True)
    draw("Tables", tables.drop_columns(["hottest_date", "hottest_files", "hottest_bytes"]))
    draw("Logs", _log_rows(logs, now))
    draw("Hot days", days)
    if shares is not None:
        draw("Clusters, bytes by their share of the samples", shares)


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


app.command("compact")(lake_upkeep.compact)
app.command("clean")(lake_upkeep.clean)
app.command("delete-cluster")(lake_upkeep.delete)
app.command("take-out")(lake_upkeep.take_out)
