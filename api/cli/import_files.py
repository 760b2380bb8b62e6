"""`fleetlake import`: files of samples into the lake."""

import json
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import typer

from api.cli.terminal import ConfigFile, out, progress
from ingest.files import Imported, import_file
from lake import utc_now
from orchestration.opening import open_lake
from orchestration.settings import load_from_environment


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(help="Parquet, CSV, OpenMetrics or text files (the latter also as .gz)."),
    ],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The data folder. [default: the settings']")
    ] = None,
    config: ConfigFile = None,
    cluster: Annotated[str | None, typer.Option(help="Cluster of samples that name none.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric name of rows of tables that name none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Import files: tables, or expositions whose samples state their time.

    Tables have columns `timestamp` (or `time`), `value` and `metric`; all others are labels. A
    file that was imported adds nothing, and an import that broke off goes on where it stopped when
    it is run again.
    """
    settings = load_from_environment(config)
    lake = open_lake(settings, data_dir=directory)
    latest = utc_now() + settings.ingest.max_future
    done: list[Imported] = []
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
    whole = max(1, sum(sizes))
    with progress(f"Importing {len(files)} files") as told:
        for path, size, before in zip(files, sizes, accumulate(sizes, initial=0), strict=False):

            def part(share: float, size: int = size, before: int = before) -> None:
                told((before + share * size) / whole)

            done.append(
                import_file(lake, path, latest=latest, cluster=cluster, metric=metric, told=part)
            )
    if as_json:
        typer.echo(json.dumps([_row(one) for one in done]))
        return
    for one in done:
        out.print(f"{one.path}: {_told(one)}", soft_wrap=True, markup=False)


def _row(one: Imported) -> dict[str, object]:
    return {
        "file": str(one.path),
        "samples": one.samples,
        "series": one.series,
        "resumed": one.resumed,
        "exemplars_dropped": one.exemplars,
    }


def _told(one: Imported) -> str:
    """What a person is told.

    >>> _told(Imported(Path("x.om"), 1200, 3, exemplars=2))
    '1,200 samples of 3 series, 2 exemplars dropped'
    """
    if not one.samples:
        return "had it already"
    parts = [f"{one.samples:,} samples of {one.series:,} series"]
    if one.resumed:
        parts.append(f"going on after {one.resumed:,} rows of an import that broke off")
    if one.exemplars:
        parts.append(f"{one.exemplars:,} exemplars dropped")
    return ", ".join(parts)
