"""The same samples put into each store, in the form in which it keeps them for good."""

import json
import math
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np

from benchmarks.receivers import cpu_seconds, ours, send, settle, started, victoria_metrics
from benchmarks.recording import Recording
from ingest.remote_write import message
from ingest.scrape.labels import encode
from lake import Lake
from lake.maintenance.compaction import compact
from lake.maintenance.policy import CompactionPolicy

MERGE_SECONDS = 60.0
QUIET_LOOKS = 4


@dataclass(frozen=True)
class Samples:
    """What is stored everywhere.

    Attributes:
        labels: of each series, `__name__` included.
        series: int32[n], number of each sample's series.
        time_ms: int64[n].
        values: float64[n], in the order of time.
    """

    labels: list[dict[str, str]]
    series: np.ndarray
    time_ms: np.ndarray
    values: np.ndarray

    def bodies(self) -> list[bytes]:
        """Remote-write requests, one for each time of each target."""
        labels = [encode(one) for one in self.labels]
        cuts = np.flatnonzero(np.diff(self.time_ms)) + 1
        return [
            message.pack(
                message.build(
                    [labels[number] for number in self.series[rows]],
                    np.ones(len(rows), np.int64),
                    self.time_ms[rows],
                    self.values[rows],
                )
            )
            for rows in np.split(np.arange(len(self.series)), cuts)
        ]


@dataclass
class Stored:
    """What a store made of it.

    Attributes:
        name: of the store.
        size: bytes of each of its parts.
        cpu: seconds, of taking the samples and putting them into their final form.
        exact: how many values are as they were sent; None = not looked at.
    """

    name: str
    size: dict[str, int]
    cpu: float
    exact: int | None = None

    @property
    def total(self) -> int:
        """Bytes of all."""
        return sum(self.size.values())


def samples_of(recording: Recording, begin: datetime, cluster: str, *, grid: bool) -> Samples:
    """A recording as it is sent.

    Args:
        recording: of scrapes.
        begin: time of the first scrape.
        cluster: a label of every series, as a fleet's Prometheus adds it.
        grid: whole seconds, as an aligned scraper has them; else the milliseconds as they came.
    """
    samples = recording.samples
    begin_ms = round(begin.timestamp() * 1000)
    if grid:
        time_ms = begin_ms + samples["tick"].to_numpy().astype(np.int64) * 1000
    else:
        at = samples["time_ms"].to_numpy()
        time_ms = begin_ms + at - at[0]
    labels = [dict(one, cluster=cluster) for one in recording.series["labels"].to_pylist()]
    return Samples(labels, samples["series"].to_numpy(), time_ms, samples["value"].to_numpy())


def into_lake(samples: Samples, folder: Path) -> tuple[Lake, Stored]:
    """Sent to our server, then compacted as on the day after."""
    server = ours(folder)
    with started(server) as (child, client):
        before = cpu_seconds(child.pid)
        send(server, [samples.bodies()])
        settle(server, client)
        received = cpu_seconds(child.pid) - before
    lake = Lake.open(folder / "data" / "lake", create=False)
    later = datetime.fromtimestamp(samples.time_ms[-1] / 1000, tz=UTC) + timedelta(days=3)
    before = time.process_time()
    for table in (lake.samples, lake.series):
        compact(table, CompactionPolicy(), later)
    cpu = received + time.process_time() - before
    sizes = {name: _live_bytes(lake, name) for name in ("samples", "series")}
    return lake, Stored("fleetlake", sizes, cpu)


def into_victoria_metrics(samples: Samples, folder: Path) -> Stored | None:
    """Sent to VictoriaMetrics, flushed and merged; read back to see which values are the same."""
    server = victoria_metrics(folder)
    if server is None:
        return None
    server.command.append("-retentionPeriod=100y")
    with started(server) as (child, client):
        send(server, [samples.bodies()])
        settle(server, client)
        client.get("/internal/force_flush").raise_for_status()
        client.get("/internal/force_merge").raise_for_status()
        _wait_for_merges(client)
        cpu = cpu_seconds(child.pid)
        exact = _exact(samples, client)
    sizes = {part: _folder_bytes(folder / "vm" / part) for part in ("data", "indexdb")}
    return Stored("victoria-metrics", sizes, cpu, exact)


def into_prometheus(samples: Samples, folder: Path) -> Stored | None:
    """A block by Prometheus' own tool, as its compaction makes them."""
    if shutil.which("promtool") is None:
        return None
    text, blocks = folder / "samples.om", folder / "blocks"
    with text.open("w") as file:
        file.writelines(_open_metrics(samples))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text.unlink()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sizes = {
        part: sum(_folder_bytes(block / part) for block in blocks.iterdir())
        for part in ("chunks", "index")
    }
    return Stored("prometheus", sizes, cpu)


def _live_bytes(lake: Lake, table: str) -> int:
    return sum(file.size for file in lake.tables[table].files()[1])


def _folder_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _wait_for_merges(client: httpx.Client) -> None:
    """A forced merge goes on in the background: until nothing has been merging for a second."""
    end, quiet = time.monotonic() + MERGE_SECONDS, 0
    while quiet < QUIET_LOOKS:
        if time.monotonic() > end:
            raise TimeoutError("victoria-metrics goes on merging")
        time.sleep(0.25)
        lines = client.get("/metrics").text.splitlines()
        active = [ln for ln in lines if ln.startswith("vm_active_merges{")]
        quiet = 0 if any(float(ln.split()[-1]) for ln in active) else quiet + 1


def _exact(samples: Samples, client: httpx.Client) -> int:
    """How many samples come back with the value that was sent."""
    numbers = {_key(labels): number for number, labels in enumerate(samples.labels)}
    sent = dict(
        zip(
            zip(samples.series.tolist(), samples.time_ms.tolist(), strict=True),
            samples.values.tolist(),
            strict=True,
        )
    )
    same = 0
    query = {"match[]": '{__name__!=""}', "start": int(samples.time_ms[0] // 1000) - 1}
    with client.stream("GET", "/api/v1/export", params=query) as reply:
        for line in reply.iter_lines():
            row = json.loads(line)
            number = numbers[_key(row["metric"])]
            for at, value in zip(row["timestamps"], row["values"], strict=True):
                was = sent[number, at]
                now = math.nan if value is None else float(value)
                same += was == now or (math.isnan(was) and math.isnan(now))
    return same


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def _open_metrics(samples: Samples) -> Iterator[str]:
    heads = []
    for labels in samples.labels:
        pairs = (f"{n}={_quoted(v)}" for n, v in labels.items() if n != "__name__")
        heads.append(f"{labels['__name__']}{{{','.join(pairs)}}}")
    rows = zip(
        samples.series.tolist(), samples.values.tolist(), samples.time_ms.tolist(), strict=True
    )
    for number, value, at in rows:
        shown = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value) or repr(value)
        yield f"{heads[number]} {shown} {at / 1000:.3f}\n"
    yield "# EOF\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
