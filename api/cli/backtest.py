"""`fleetlake backtest`: detectors side by side on the history of a lake."""

import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pyarrow as pa
import typer
from pydantic import ValidationError

from api.cli.lake_report import AsJson, Directory, draw, existing_lake
from api.cli.terminal import ConfigFile, err, progress
from api.cli.times import moment
from api.errors import ApiError
from lake import TimeRange
from orchestration.detection_settings import DetectorSettings
from orchestration.settings import load_from_environment
from orchestration.steps.anomaly_rows import label
from orchestration.steps.backtest import Replayed, replay
from orchestration.steps.overlap import overlap

MINUTE = timedelta(minutes=1)


def backtest(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="A time (ISO 8601, UTC), or so long ago: 12h, 7d.")
    ],
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="window_memory, 'entity_memory by pod', pyod.ECOD, 'pyod.KNN after "
            "online_level', your own package.module:Class, …; may be given more than once. "
            "[default: those of the settings]",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="As --since. [default: now]")
    ] = None,
    directory: Directory = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Replay history as live detection would have seen it: alerts, overlap, delay and cost."""
    settings = load_from_environment(config).detection
    known = {label(one): one for one in settings.detectors}
    # Once each: two of one name could not be told apart.
    chosen = [known.get(name) or parsed(name) for name in dict.fromkeys(detector or known)]
    now = datetime.now(UTC)
    end = now if until is None else min(now, moment(until, now))
    between = TimeRange(moment(since, now), end)
    # A terminated program leaves no folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    lake = existing_lake(directory, config)
    with progress("Replaying") as told:
        found = replay(lake, settings, chosen, between, progress=told)
    gap = settings.merge_gap * settings.step
    detectors = [_summary(one, settings.step) for one in found]
    pairs = [_pair(one, two, gap) for one in found for two in found if one is not two]
    if as_json:
        typer.echo(json.dumps({"detectors": detectors, "pairs": pairs}))
        return
    replayed = found[0].between
    span = f"{replayed.start:%Y-%m-%d %H:%M} to {replayed.end:%Y-%m-%d %H:%M} UTC"
    draw(f"What each would have raised, {span}", pa.Table.from_pylist(detectors))
    if pairs:
        draw(
            "Of the first's alerts, those that the second raises, too", pa.Table.from_pylist(pairs)
        )
    for one in found:
        if one.reason:
            err.print(f"[yellow]{one.detector}: nothing was scored: {one.reason}[/yellow]")


def parsed(name: str) -> DetectorSettings:
    """A detector by its name in `anomalies`.

    Raises:
        ApiError: if what stands after "by" is no entity.

    >>> parsed("entity_memory by pod").by
    'pod'
    >>> parsed("pyod.KNN after online_level").candidates.of
    'online_level'
    """
    detector, by, entity = name.partition(" by ")
    detector, after, screen = detector.partition(" after ")
    given: dict[str, Any] = {"name": detector}
    if by:
        given["by"] = entity
    if after:
        given["candidates"] = {"of": screen}
    try:
        return DetectorSettings.model_validate(given)
    except ValidationError as error:
        raise ApiError(f"{name!r}: {entity!r} is no entity: {error.errors()[0]['msg']}") from None


def _summary(one: Replayed, step: timedelta) -> dict[str, Any]:
    lengths = sorted((row["end"] - row["start"]) / MINUTE for row in one.rows)
    points = one.series * ((one.between.end - one.between.start) / step)
    return {
        "detector": one.detector,
        "series": one.series,
        "alerts": len(one.rows),
        "alerts_a_day": round(one.alerts_a_day, 2),
        "median_minutes": lengths[len(lengths) // 2] if lengths else None,
        "cpu_s": round(one.cpu_seconds, 2),
        "cpu_s_per_million_points": round(one.cpu_seconds / points * 1e6, 2) if points else None,
    }


def _pair(one: Replayed, two: Replayed, gap: timedelta) -> dict[str, Any]:
    both = overlap(one.rows, two.rows, gap)
    return {
        "first": one.detector,
        "second": two.detector,
        "both": both.both,
        "alone": both.alone,
        "share": None if both.share is None else round(both.share, 3),
        "later_minutes": None if both.later is None else round(both.later / MINUTE, 1),
    }
