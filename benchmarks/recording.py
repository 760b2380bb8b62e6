"""A recording of real scrapes: node_exporter, Prometheus and VictoriaMetrics, once a second.

    uv run python benchmarks/recording.py [--seconds 1200] [--folder ~/.cache/fleetlake-bench]

Starts the three (Debian's packages `prometheus-node-exporter`, `prometheus`, `victoria-metrics`) on
loopback. The two databases scrape all three every five seconds, so that their own figures move.
About 1,700 series; 20 minutes are two million samples. `benchmarks/storage.py` reads it.
"""

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# A script's own folder comes first, where this file could hide a package.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.receivers import free_port  # noqa: E402
from ingest.families import KINDS, Metadata  # noqa: E402
from ingest.scrape.exposition import NO_TIME, Parser  # noqa: E402
from ingest.scrape.labels import merge  # noqa: E402

FOLDER = Path("~/.cache/fleetlake-bench")
START_SECONDS = 60.0
SUFFIXES = ("_bucket", "_sum", "_count", "_total", "_created")
LABELS = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True)
class Recording:
    """What was scraped.

    Attributes:
        series: labels (map, `__name__` included), kind, unit, help; row number = series number.
        samples: series (int32), tick (int32, which second), time_ms (when it was asked for, int64),
            value (float64); in the order in which it came.
    """

    series: pa.Table
    samples: pa.Table


@dataclass
class _Target:
    """One exporter, its parser, and what it gave so far."""

    job: str
    url: str
    client: httpx.Client
    first: int = 0
    labels: list[dict[str, str]] = field(default_factory=list)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parser = Parser(self._number)

    def _number(self, labels: dict[str, str]) -> int:
        ours = {"job": self.job, "instance": self.url.split("/")[2]}
        self.labels.append(merge(labels, ours, honor=False))
        return len(self.labels) - 1

    def scrape(self, tick: int) -> None:
        """One request; a target that is late or away leaves a gap, as it would anywhere."""
        at_ms = round(time.time() * 1000)
        try:
            body = self.client.get(self.url).raise_for_status().content
        except httpx.HTTPError as error:
            print(f"{self.job} at {tick} s: {error!r}", file=sys.stderr)
            return
        found = self.parser.parse(body, openmetrics=False)
        if (found.time_ms != NO_TIME).any():
            raise ValueError(f"{self.url} states times of its own")
        n = len(found.series)
        self.parts.append(
            (
                np.array(found.series, np.int32),
                np.full(n, tick, np.int32),
                np.full(n, at_ms, np.int64),
                found.values,
            )
        )

    def family(self, name: str) -> Metadata:
        """What the exporter says of a metric."""
        metadata = self.parser.metadata
        for suffix in ("", *SUFFIXES):
            if name.endswith(suffix) and (known := metadata.get(name.removesuffix(suffix))):
                return known
        return Metadata(name, 0, "", "")


@contextlib.contextmanager
def exporters(folder: Path) -> Iterator[dict[str, str]]:
    """The three programs, running; URLs of their metrics by job."""
    ports = {job: free_port() for job in ("node", "prometheus", "victoria-metrics")}
    config = folder / "scrape.yml"
    jobs = "".join(
        f"- job_name: {job}\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
        for job, port in ports.items()
    )
    config.write_text(f"global: {{scrape_interval: 5s}}\nscrape_configs:\n{jobs}")
    at = {job: f"127.0.0.1:{port}" for job, port in ports.items()}
    commands = [
        ["prometheus-node-exporter", f"--web.listen-address={at['node']}"],
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={at['prometheus']}",
            "--log.level=error",
        ],
        [
            "victoria-metrics",
            f"-storageDataPath={folder / 'vm'}",
            f"-httpListenAddr={at['victoria-metrics']}",
            f"-promscrape.config={config}",
            "-loggerLevel=ERROR",
        ],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    children = []
    try:
        for command in commands:
            if shutil.which(command[0]) is None:
                raise FileNotFoundError(f"{command[0]} is not installed")
            children.append(subprocess.Popen(command, **quiet))
        yield {job: f"http://{address}/metrics" for job, address in at.items()}
    finally:
        for child in children:
            child.terminate()
            child.wait()


def record(seconds: int) -> Recording:
    """Scrape for so long. An interrupt ends it early and loses nothing."""
    with (
        tempfile.TemporaryDirectory() as folder,
        exporters(Path(folder)) as urls,
        httpx.Client(timeout=0.9) as client,
    ):
        targets = [_Target(job, url, client) for job, url in urls.items()]
        for target in targets:
            _wait_for(client, target.url)
        begin = float(int(time.time()) + 2)
        with contextlib.suppress(KeyboardInterrupt):
            for tick in range(seconds):
                time.sleep(max(0.0, begin + tick - time.time()))
                for target in targets:
                    target.scrape(tick)
    return _joined(targets)


def _wait_for(client: httpx.Client, url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if client.get(url).is_success:
                return
        if time.monotonic() > end:
            raise TimeoutError(f"{url} did not answer")
        time.sleep(0.1)


def _joined(targets: list[_Target]) -> Recording:
    labels: list[dict[str, str]] = []
    about: list[Metadata] = []
    parts = []
    for target in targets:
        first = len(labels)
        labels += target.labels
        about += [target.family(one["__name__"]) for one in target.labels]
        parts += [(number + first, *rest) for number, *rest in target.parts]
    parts.sort(key=lambda part: int(part[1][0]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    series = {
        "labels": pa.array([sorted(one.items()) for one in labels], LABELS),
        "kind": [KINDS.get(one.kind, "") for one in about],
        "unit": [one.unit for one in about],
        "help": [one.help for one in about],
    }
    names = ["series", "tick", "time_ms", "value"]
    return Recording(pa.table(series), pa.table(dict(zip(names, columns, strict=True))))


def save(recording: Recording, folder: Path) -> None:
    """Keep a recording."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(recording.series, folder / "series.parquet", compression="zstd")
    pq.write_table(recording.samples, folder / "samples.parquet", compression="zstd")


def load(folder: Path) -> Recording:
    """A recording that was kept.

    Raises:
        FileNotFoundError: there is none.
    """
    return Recording(
        pq.read_table(folder / "series.parquet"), pq.read_table(folder / "samples.parquet")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    recording = record(options.seconds)
    save(recording, options.folder.expanduser())
    print(f"{recording.samples.num_rows} samples of {recording.series.num_rows} series")


if __name__ == "__main__":
    main()
