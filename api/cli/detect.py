"""`fleetlake detect`: anomalies in any file, without a lake."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.terminal import err, progress
from api.errors import ApiError
from lake.errors import FileFormatError
from orchestration.steps.detect_file import detect_file_to
from orchestration.steps.file_columns import Job


def detect(
    file: Annotated[
        Path, typer.Argument(help="Parquet or CSV: timestamp (or time), value, labels.")
    ],
    out: Annotated[Path, typer.Option(help="Where the scores go: .parquet or .csv.")],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Score all series of one value together.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A text column that is no label.")
    ] = None,
    train_where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Selects clean history. [default: first 15 % of a series; at most 750 rows for "
            "novelty]",
        ),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="novelty, window_memory, entity_memory, pyod.ECOD, pooled.KNN, your own "
            "package.module:Class, …",
        ),
    ] = None,
) -> None:
    """Score every row of a file, each from earlier rows and itself only; 1.0 is the threshold."""
    if out.suffix not in {".parquet", ".csv"}:
        raise FileFormatError(str(out), "is neither .parquet nor .csv")
    if not out.parent.is_dir():
        raise ApiError(f"folder {out.parent} does not exist: nowhere to write {out.name}")
    job = Job(file, by, tuple(ignore or ()), train_where, detector)
    with progress(f"Scoring {file.name}") as told:
        done = detect_file_to(job, out, told, lambda text: err.print(f"[yellow]{text}[/yellow]"))
    err.print(f"{done.rows:,} rows, {done.flagged:,} at or over the threshold, written to {out}")
    if done.silent:
        err.print(
            "[yellow]every score is 0: nothing ever moved, or there was too little to learn "
            "from[/yellow]"
        )
