"""The program, run as a user runs it: `installed` starts it anew, the others fork it."""

import os
import subprocess

import pytest

from tests.cli.fork_server import PROGRAM, ForkServer
from tests.patience import PATIENCE


def _environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLEETLAKE", "DAGSTER"))}
    return kept | {"NO_COLOR": "1", "COLUMNS": "100"}


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory):
    server = ForkServer(_environment(), tmp_path_factory.mktemp("fork_server"))
    yield server
    server.stop()


@pytest.fixture
def installed(tmp_path):
    """Runs the program in an empty folder, imports and all; gives the finished process."""

    def run(*arguments, text=True, timeout=2 * PATIENCE):
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
def fleetlake(fork_server, tmp_path):
    """Runs the program in an empty folder; gives the finished process."""

    def run(*arguments, text=True, timeout=2 * PATIENCE, input=None):
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        process = fork_server.start(
            arguments, cwd=tmp_path, env=_environment(), stdin=stdin, text=text
        )
        try:
            written = process.communicate(input, timeout)
        finally:
            process.close()
        return subprocess.CompletedProcess(process.args, process.returncode, *written)

    return run


@pytest.fixture
def started(fork_server, tmp_path):
    """Starts the program and leaves it running; killed at the end if it still is."""
    running = []
    with (tmp_path / "stderr").open("wb") as errors:

        def start(*arguments):
            environment = _environment() | {"PYTHONUNBUFFERED": "1"}
            process = fork_server.start(arguments, cwd=tmp_path, env=environment, stderr=errors)
            running.append(process)
            return process

        yield start
        for process in running:
            process.close()
