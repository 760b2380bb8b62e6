"""A real `fleetlake up` on loopback that can be killed and started again on the same folder."""

import contextlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from lake import Lake
from tests.patience import PATIENCE
from tests.real.programs import FLEETLAKE, answers, free_port, wait_for


@dataclass
class ReceiverProcess:
    """A process with its folder and port.

    Attributes:
        folder: of its settings, log file and data.
        ingest: settings of `ingest`.
        starts: how often it was started.
    """

    folder: Path
    ingest: dict = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lake(self) -> Lake:
        return Lake.open(self.folder / "data" / "lake", create=False)

    def launch(self) -> None:
        """Start without waiting until it answers."""
        settings = {
            "data_dir": str(self.folder / "data"),
            "api": {"port": self.port},
            "ingest": {"flush_every": "PT1S", **self.ingest},
        }
        config = self.folder / "fleetlake.yaml"
        config.write_text(yaml.safe_dump(settings))
        with (self.folder / "fleetlake.log").open("ab") as sink:
            self.process = subprocess.Popen(
                [str(FLEETLAKE), "up", "--config", str(config)], stdout=sink, stderr=sink
            )
        self.starts += 1

    def ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            log = (self.folder / "fleetlake.log").read_text()[-3000:]
            pytest.fail(f"fleetlake up ended with {self.process.returncode}:\n{log}")
        with contextlib.suppress(httpx.HTTPError):
            return answers(self.url + "/healthz")()
        return False

    def start(self) -> None:
        self.launch()
        wait_for(self.ready, "fleetlake up")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = PATIENCE) -> int:
        """As an operator stops it; its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"fleetlake up did not stop within {seconds} s")

    def metrics(self) -> dict[str, float]:
        """What `/metrics` says, by series as it is written there."""
        text = httpx.get(self.url + "/metrics", timeout=PATIENCE).raise_for_status().text
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def resident_bytes(self) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def wait_flushed(self, seconds: float = 2 * PATIENCE) -> None:
        """Until nothing acknowledged waits for the lake."""

        def empty() -> bool:
            found = self.metrics()
            return not found["fleetlake_samples_waiting"] and not found["fleetlake_log_bytes"]

        wait_for(empty, "a flush of everything", seconds)

    def __enter__(self) -> "ReceiverProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
