"""`fleetlake import`: files of samples into the lake."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.cli.terminal import out, progress
from ingest.files import import_file
from lake import Lake, utc_now
from orchestration.settings import load_from_environment


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Parquet or CSV files.")],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The data folder. [default: the settings']")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Cluster of rows without a `cluster` column.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric name of files without a `metric` column.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Import files: `timestamp` (or `time`), `value`, `metric`; other text columns are labels.

    A file that is in the lake already is passed over, so that a broken run can be repeated.
    """
    settings = load_from_environment()
    lake = Lake.open((directory / "lake") if directory else settings.lake_dir)
    latest = utc_now() + settings.ingest.max_future
    done = []
    with progress(f"Importing {len(files)} files") as told:
        for number, path in enumerate(files, start=1):
            done.append(import_file(lake, path, latest=latest, cluster=cluster, metric=metric))
            told(number / len(files))
    if as_json:
        rows = [{"file": str(d.path), "samples": d.samples, "series": d.series} for d in done]
        typer.echo(json.dumps(rows))
        return
    for one in done:
        what = (
            f"{one.samples:,} samples of {one.series:,} series" if one.samples else "had it already"
        )
        out.print(f"{one.path}: {what}")
