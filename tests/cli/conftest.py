"""The installed program, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("fleetlake")


def _environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETLAKE", "DAGSTER"))}
    return kept | {"NO_COLOR": "1", "COLUMNS": "100"}


@pytest.fixture
def fleetlake(tmp_path):
    """Runs the program in an empty folder; gives the finished process."""

    def run(*arguments, text=True, timeout=60):
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=_environment(),
            capture_output=True,
            text=text,
            timeout=timeout,
        )

    return run


@pytest.fixture
def started(tmp_path):
    """Starts the program and leaves it running; killed at the end if it still is."""
    errors = (tmp_path / "stderr").open("wb")
    running = []

    def start(*arguments):
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            cwd=tmp_path,
            env=_environment() | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
    errors.close()
