"""`fleetlake forecast`: when the series of any file reach a threshold, without a lake."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.cli.terminal import err, progress
from api.cli.times import how_long
from api.errors import ApiError
from lake.errors import FileFormatError
from orchestration.forecast_settings import HEAVIER_BUDGET, HEAVIER_MOST
from orchestration.steps.forecast.forecast_file import METHOD, ForecastJob, forecast_file
from orchestration.steps.forecast.heavier import HeavierModel

MICROSECOND = timedelta(microseconds=1)


def forecast(
    file: Annotated[
        Path, typer.Argument(help="Parquet or CSV: timestamp (or time), value, labels.")
    ],
    threshold: Annotated[float, typer.Option(help="What a value reaches from below.")],
    out: Annotated[Path, typer.Option(help="Where the forecasts go: .parquet or .csv.")],
    horizon: Annotated[str, typer.Option(help="How far ahead: 30m, 4h, 2d.")] = "4h",
    every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="A forecast from each such time, as 30m. [default: from the newest time alone]",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A text column that is no label.")
    ] = None,
    heavier: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A heavier model for what is reached soonest, where it was better so far: "
            "statsforecast (extra forecasts), or another package's.",
        ),
    ] = None,
    most: Annotated[
        int, typer.Option("--heavier-most", min=1, help="Series it is asked of, from each time.")
    ] = HEAVIER_MOST,
    seconds: Annotated[
        int, typer.Option("--heavier-seconds", min=1, help="What it may take in all.")
    ] = round(HEAVIER_BUDGET.total_seconds()),
) -> None:
    """Tell when each series reaches a threshold, with an interval, or why that cannot be told."""
    if out.suffix not in {".parquet", ".csv"}:
        raise FileFormatError(str(out), "is neither .parquet nor .csv")
    if not out.parent.is_dir():
        raise ApiError(f"folder {out.parent} does not exist: nowhere to write {out.name}")
    apart = None if every is None else how_long(every) // MICROSECOND
    job = ForecastJob(
        file,
        threshold,
        how_long(horizon) // MICROSECOND,
        apart,
        tuple(ignore or ()),
        HeavierModel(heavier, most, seconds) if heavier else None,
    )
    with progress(f"Forecasting {file.name}") as told:
        rows = forecast_file(job, told)
    # Beside the target: a reader never meets half a file.
    ready = out.with_name(f".{out.name}.part")
    try:
        if out.suffix == ".csv":
            rows.write_csv(ready)
        else:
            rows.write_parquet(ready)
        ready.replace(out)
    finally:
        ready.unlink(missing_ok=True)
    passing = rows["eta"].count()
    abstained = int(rows["abstained"].sum())
    if heavier:
        by = int((rows[METHOD] == heavier).sum())
        err.print(f"{by:,} by {heavier}, which was clearly better on their past")
    err.print(
        f"{rows.height:,} forecasts, {passing:,} reach {threshold:g} within {horizon}, "
        f"{abstained:,} cannot be told, written to {out}"
    )
