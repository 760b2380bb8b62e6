"""Real programs for tests, started on loopback and ended by their own process."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE, SOON, wait_until

FLEETLAKE = Path(sys.executable).with_name("fleetlake")


def need(*names: str) -> list[str]:
    """Paths of programs; skips the test where one is missing."""
    paths = []
    for name in names:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed (Debian: apt-get install {name})")
        paths.append(path)
    return paths


def free_port() -> int:
    """A port that nobody else is given for a minute; programs that reuse addresses can bind it.

    A connection that was closed from the listening side leaves it so (TIME_WAIT): tests that run
    beside this one ask for free ports, too.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe, socket.socket() as other:
        other.connect(probe.getsockname())
        accepted, _ = probe.accept()
        accepted.close()
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command: list[str], log: Path, **kwargs) -> Iterator[subprocess.Popen]:
    """A process that runs while the block does."""
    with log.open("ab") as sink:
        child = subprocess.Popen(command, stdout=sink, stderr=sink, **kwargs)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                # A Prometheus whose receiver is gone goes on sending for a minute.
                child.wait(SOON)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_for(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; connection errors count as no."""

    def holds() -> object:
        with contextlib.suppress(httpx.HTTPError):
            return true()
        return None

    wait_until(holds, seconds, what, every=0.1)


def tell(figures: str) -> None:
    """Figures of a run, seen with `pytest -s`."""
    sys.stdout.write(f"\n{figures}\n")


def answers(url: str) -> Callable[[], bool]:
    return lambda: httpx.get(url, timeout=5).is_success
