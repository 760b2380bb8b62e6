"""`fleetlake up`: receivers, API, page and the minute tick, in one process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from api.app import create_app
from api.cli.terminal import ConfigFile, err
from api.server import address, bind, serve
from orchestration.service import Service
from orchestration.settings import CONFIG_VARIABLE, Settings, load

DAGSTER_PORT = 3000

# One run at a time: its SQLite storage locks under more. Old ticks are of no use to anybody.
DAGSTER_INSTANCE = """\
telemetry:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
retention:
  schedule:
    purge_after_days: 30
  sensor:
    purge_after_days: 30
"""
STOP_SECONDS = 20.0


def up(
    config: ConfigFile = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on. [default: `api.port` of the settings]")
    ] = None,
    dagster: Annotated[
        bool, typer.Option("--dagster", help="Start Dagster's daemon and web server beside it.")
    ] = False,
    dagster_port: Annotated[int, typer.Option(help="Port of Dagster's web server.")] = DAGSTER_PORT,
) -> None:
    """Run everything: take data, keep it, score it each minute, show it."""
    path = config or (Path("fleetlake.yaml") if Path("fleetlake.yaml").exists() else None)
    settings = load(path)
    listener = bind(settings.api.host, settings.api.port if port is None else port)
    service = Service.build(settings)
    app = create_app(service)
    url = address(listener)
    _welcome(url, settings)
    if settings.sources and not dagster:
        err.print("[yellow]Sources are pulled by Dagster: nothing pulls them without --dagster.[/]")
    if not dagster:
        serve(app, listener)
        return
    with _dagster(settings, path, dagster_port):
        err.print(f"  Dagster:  http://127.0.0.1:{dagster_port}")
        serve(app, listener)


def _welcome(url: str, settings: Settings) -> None:
    err.print(
        f"""[bold]fleetlake is up[/bold]
  Page:     {url}
  API:      {url}/docs
  Lake:     {escape(settings.lake_url)}

Send it a cluster's metrics: in that cluster's Prometheus,
  global:
    external_labels: {{cluster: my-cluster}}
  remote_write:
    - url: {url}/api/v1/write
""",
        soft_wrap=True,
        markup=True,
    )


@contextmanager
def _dagster(settings: Settings, config: Path | None, port: int) -> Iterator[None]:
    """Dagster's daemon and web server as a child process, ended with the block."""
    home = settings.dagster_dir.resolve()
    home.mkdir(parents=True, exist_ok=True)
    instance = home / "dagster.yaml"
    if not instance.exists():
        instance.write_text(DAGSTER_INSTANCE)
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    if config is not None:
        environment[CONFIG_VARIABLE] = str(config.resolve())
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions"]
    child = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        [*command, "--host", "127.0.0.1", "--port", str(port)], env=environment
    )
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
