"""`fleetlake demo`: the whole product on a simulated fleet, in about a minute."""

import json
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.markup import escape
from rich.table import Table

from api.app import create_app
from api.cli import incident
from api.cli.terminal import err, out, progress
from api.errors import ApiError
from api.server import bind, serving
from ingest.simulation import simulate
from ingest.simulation.configuration import simulate_configuration
from lake import utc_now
from orchestration.service import Service
from orchestration.settings import ApiSettings, Settings
from orchestration.steps import demo as steps
from orchestration.steps.advice.placement.ask import Asked, place
from orchestration.steps.advice.summary import summary
from orchestration.steps.demo import Report
from orchestration.steps.forecast.soonest import soonest
from orchestration.steps.panels import align

REQUEST_SECONDS = 60.0

EXAMPLE = "SELECT cluster, metric, start, score FROM anomalies ORDER BY score DESC LIMIT 5"

JOB = Asked(gpus=2, hours=3.0, dataset="ml/clicks")
"""That somebody would like to know where to submit."""


def demo(
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="Keep the lake in this folder. [default: temporary]"),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Exit instead of serving.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 = any free one.")] = 8428,
    seed: Annotated[int, typer.Option(help="Of the simulated fleet.")] = 7,
) -> None:
    """Simulate three clusters for two days, ingest, detect, and compare with the truth.

    Six faults are scripted into the second day. Everything takes the real way: remote write and
    events over HTTP, write-ahead log, Delta tables, detection, API.
    """
    listener = bind("127.0.0.1", port)
    with _folder(directory) as folder:
        settings = Settings(data_dir=folder, api=ApiSettings(port=listener.getsockname()[1]))
        # Variables count before arguments, and nobody's real lake is to hold a simulation.
        settings = settings.model_copy(update={"data_dir": folder, "lake": None})
        service = Service.build(settings)
        app = create_app(service, run_worker=False)
        with serving(app, listener) as url:
            report = _run(service, url, seed, settings)
            if as_json:
                typer.echo(json.dumps(steps.as_json(report), indent=2))
            else:
                _print(report)
            if not once:
                _wait(url, folder)


def _run(service: Service, url: str, seed: int, settings: Settings) -> Report:
    detection = settings.detection
    end = align(utc_now(), detection.step)
    with progress("Simulating three clusters"):
        simulation = simulate(end=end, seed=seed)
        configuration = simulate_configuration(end=end, seed=seed)
    with (
        progress(f"Sending {simulation.samples:,} samples") as told,
        httpx.Client(base_url=url, timeout=REQUEST_SECONDS) as client,
    ):
        steps.push(simulation, client, told)
        # More than this at once would be refused until the worker, which is not here, has flushed.
        service.receiver.flush()
        steps.push(configuration, client, told)
    with progress("Flushing to the lake"):
        service.receiver.flush()
    with progress(f"Scoring {len(simulation.series)} series") as told:
        done = steps.score(service.lake, detection, settings.incidents, simulation, told)
    if done.scored is None:
        raise ApiError(f"nothing was scored: {done.reason}")
    with progress("Foretelling what fills"):
        foretold = soonest(service.lake, settings.forecasts, end)
    with progress("Looking for what is too large or too small"):
        advised = summary(service.lake, settings.advice, end)
    with progress("Placing a job that needs GPUs"):
        placed = place(service.lake.snapshot(), JOB, end, settings.advice)["text"]
    report = steps.compare(service.lake, simulation, done.scored)
    return replace(report, forecasts=foretold, advice=advised, placement=placed)


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="fleetlake-demo-") as folder:
            yield Path(folder)
        return
    if (directory / "lake").exists():
        raise ApiError(f"{directory} holds a lake already: name an empty folder, or remove it")
    yield directory


def _print(report: Report) -> None:
    table = Table(title="Scripted faults, and what was found of them", title_justify="left")
    for heading in ("", "cluster", "fault", "first flagged", "peak score", "anomalies"):
        table.add_column(
            heading, justify="right" if heading in {"peak score", "anomalies"} else "left"
        )
    for one in report.faults:
        mark = "[green]found[/green]" if one.found else "[red]missed[/red]"
        peak = max((row["score"] for row in one.anomalies), default=None)
        table.add_row(
            mark,
            one.fault.cluster,
            one.fault.title,
            "–" if one.delay is None else f"after {_minutes(one.delay)}",
            "–" if peak is None else f"{peak:.1f}",
            str(len(one.anomalies)),
        )
    out.print(table)
    false, missed = len(report.false), len(report.faults) - report.found
    out.print(
        f"found {report.found}, missed {missed}, false {false} "
        f"({report.false_per_cluster_day:.1f} a cluster and day)"
    )
    out.print(incident.table("Incidents, the earliest first", list(report.incidents)))
    out.print(f"right cause first in {report.causes_found} of {len(report.faults)}")
    for text in report.forecasts:
        out.print(f"foretold: {escape(text)}")
    advised = report.advice
    out.print(
        f"advice: {advised.count}, which would free {advised.saving or 'nothing'} of what is "
        "requested (fleetlake advice)"
    )
    for text in advised.best[:1]:
        out.print(f"worth most: {escape(text)}")
    for text in advised.nodes[:1]:
        out.print(f"to be emptied: {escape(text)}")
    for text in advised.looks[:2]:
        out.print(f"worth a look: {escape(text)}")
    out.print(f"a job of {JOB.gpus} GPUs for {JOB.hours:g} h: {escape(report.placement)}")


def _minutes(span: timedelta) -> str:
    return f"{round(span.total_seconds() / 60)} min"


def _wait(url: str, folder: Path) -> None:
    err.print(
        f"\nLook around: [bold]{url}[/bold]   API: {url}/docs   stop with Ctrl-C\n"
        f"SQL, from another terminal:\n"
        f"""  [bold]uv run fleetlake sql --dir {escape(str(folder))} "{EXAMPLE}"[/bold]""",
        soft_wrap=True,
    )
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        stopped.wait()
    except KeyboardInterrupt:
        err.print("stopping")
