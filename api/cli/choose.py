"""`fleetlake choose`: which detector finds known faults best in each metric's own history."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
import yaml

from api.cli.backtest import parsed
from api.cli.lake_report import AsJson, Directory, draw, existing_lake
from api.cli.terminal import ConfigFile, err, out, progress
from api.cli.times import moment
from api.errors import ApiError
from detectors.selection.choose import MARGIN
from lake import TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.opening import open_lake
from orchestration.settings import load_from_environment
from orchestration.steps.anomaly_rows import label
from orchestration.steps.choose import Chosen, choose_families
from orchestration.steps.choose_report import changes, details, entries, shown
from orchestration.steps.keep_choices import keep as keep_choices

MANY = 10
"""Metrics above which the time that it takes is told before."""

SECONDS = 15

UNSURE = 0.05
"""Regret in VUS-PR above which a choice is doubted."""


def choose(
    metric: Annotated[
        str,
        typer.Option(metavar="REGEX", help="Only metrics whose whole name matches."),
    ] = ".*",
    since: Annotated[
        str, typer.Option(metavar="TIME", help="A time (ISO 8601, UTC), or so long ago: 12h, 7d.")
    ] = "3d",
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="As --since. [default: now]")
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A candidate: window_memory, 'entity_memory by pod', pyod.ECOD, …; may be given "
            "more than once. [default: seven, see docs/detection.md]",
        ),
    ] = None,
    series: Annotated[
        int, typer.Option(metavar="N", min=1, max=100, help="Series of a metric to look at.")
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Other faults.")] = 0,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep them in the lake: detection uses them from now on."),
    ] = False,
    yaml_out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the settings that follow from it."),
    ] = None,
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Put known faults into each metric's own clean history; tell which detector finds them."""
    settings = load_from_environment(config).detection
    known = {label(one): one for one in settings.detectors}
    candidates = [known.get(name) or parsed(name) for name in dict.fromkeys(detector or ())]
    now = datetime.now(UTC)
    end = now if until is None else min(now, moment(until, now))
    between = TimeRange(moment(since, now), end)
    lake = existing_lake(directory, config)
    found: list[Chosen] = []
    with progress("Choosing") as told:
        try:
            for one in choose_families(
                lake,
                settings,
                between,
                metric=metric,
                detectors=candidates,
                most=series,
                seed=seed,
                begun=_announce,
                progress=told,
            ):
                found.append(one)  # noqa: PERF402 - one by one: an interrupt keeps what is there
        except KeyboardInterrupt:
            if not found:
                raise
    text = yaml.safe_dump(
        {"detection": {"detectors": entries(settings, found)}}, sort_keys=False, width=1000
    )
    if yaml_out is not None:
        _write(yaml_out, text)
    if keep:
        # An old lake gets the table now.
        lake = open_lake(load_from_environment(config), data_dir=directory)
        kept = keep_choices(lake, found, now)
        err.print(f"{kept} kept in the table models; detection.use_champions: false ignores them.")
    if as_json:
        typer.echo(json.dumps({"families": [details(one) for one in found], "settings": text}))
        return
    draw("What finds known faults best", pa.Table.from_pylist([shown(one) for one in found]))
    if not keep:
        _next_step(settings, found, text, yaml_out)


def _announce(families: int) -> None:
    if families > MANY:
        err.print(
            f"{families} metrics at about {SECONDS} s of processor time each: --metric takes some "
            "of them, and Ctrl-C ends with what is there by then."
        )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise ApiError(f"{str(path)!r} cannot be written: {error.strerror}") from error


def _next_step(
    settings: DetectionSettings, found: list[Chosen], text: str, written: Path | None
) -> None:
    if not changes(found):
        err.print(
            f"Keep what you have: nothing finds the faults better by {MARGIN:g}, twice, without "
            "being worse at something that counts. All figures: --json."
        )
        return
    missing = [one for one in changes(found) if one.regret and one.regret.overall > UNSURE]
    if missing:
        names = ", ".join(one.family for one in missing[:5])
        err.print(f"[yellow]Unsure: {names}: another was better on the faults kept back.[/yellow]")
    if written is not None:
        err.print(f"Written to {written}. See what it would raise: fleetlake backtest --since 2d")
        return
    err.print(
        "To use it, run this again with --keep, or put this into fleetlake.yaml; and to see first "
        "what it would raise: fleetlake backtest --since 2d"
    )
    out.print(text, markup=False, soft_wrap=True)
