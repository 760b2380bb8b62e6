"""Real programs for tests, started on loopback and ended by their own process."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
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
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def wait_for(true: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds; connection errors count as no."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if true():
                return
        time.sleep(0.1)
    pytest.fail(f"{what}: not within {seconds} s")


def tell(figures: str) -> None:
    """Figures of a run, seen with `pytest -s`."""
    sys.stdout.write(f"\n{figures}\n")


def answers(url: str) -> Callable[[], bool]:
    return lambda: httpx.get(url, timeout=2).is_success
