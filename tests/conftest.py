"""What all tests share: a fixed time, an empty lake, rows of samples, remote-write bodies.

Builders come as fixtures, since test modules cannot import each other.
"""

import os
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema
from lake import Lake, utc_now
from lake.places import open_store
from lake.schema import SAMPLES, TIMESTAMP
from tests.remote_write_2 import encode
from tests.turns import turn

# A machine that is busy with something else is no failure of what runs on it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Much of the time of many tests is fsync, of which they only need that it is called: their folders
# are in memory where there is enough of it for them.
MEMORY, ENOUGH_BYTES = Path("/dev/shm"), 4 << 30
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before its time is counted
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


Labels = Sequence[tuple[str | bytes, str | bytes]]
Points = Sequence[tuple[int, float]]


@pytest.fixture(scope="session")
def noon() -> datetime:
    """The tests' present."""
    return NOON


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake in which nothing is: to copy it takes a thirtieth of making one."""
    folder = tmp_path_factory.mktemp("empty") / "lake"
    Lake.open(folder)
    return folder


@pytest.fixture
def lake(tmp_path: Path, empty_lake: Path) -> Lake:
    """An empty lake of which nothing was read yet, as `Lake.open` leaves one that it made."""
    return Lake(open_store(shutil.copytree(empty_lake, tmp_path / "lake"), None, {}), utc_now)


@pytest.fixture(scope="session")
def make_samples() -> Callable[..., pa.Table]:
    """Builds rows of `samples`, one a value, a second apart."""

    def build(
        values: Iterable[float] = (1.0,),
        start: datetime = NOON,
        step: timedelta = timedelta(seconds=1),
        cluster: str = "eu",
        metric: str = "up",
        series_id: int = 1,
    ) -> pa.Table:
        values = list(values)
        n = len(values)
        times = pa.array([start + i * step for i in range(n)], TIMESTAMP)
        columns = [[cluster] * n, [metric] * n, [series_id] * n, times, values]
        return pa.table(
            [pa.array(c, f.type) for c, f in zip(columns, SAMPLES.schema, strict=True)],
            names=SAMPLES.schema.names,
        )

    return build


@pytest.fixture(scope="session")
def payload() -> Callable[..., bytes]:
    """Builds an unpacked WriteRequest by protobuf's own encoder, an oracle beside ours."""

    def build(
        *series: tuple[Labels, Points],
        metadata: Sequence[tuple[str, int, str, str]] = (),
        exemplars: int = 0,
        histograms: int = 0,
    ) -> bytes:
        request = schema.WriteRequest()
        for labels, points in series:
            one = request.timeseries.add()
            for pair in labels:
                name, value = (x.encode() if isinstance(x, str) else x for x in pair)
                one.labels.append(schema.Label(name=name, value=value).SerializeToString())
            for at, value in points:
                one.samples.add(timestamp=at, value=value)
            one.exemplars.extend([b"x"] * exemplars)
            one.histograms.extend([b"x"] * histograms)
        for family, kind, text, unit in metadata:
            request.metadata.add(
                metric_family_name=family.encode(),
                type=kind,
                help=text.encode(),
                unit=unit.encode(),
            )
        return request.SerializeToString()

    return build


@pytest.fixture(scope="session")
def body(payload: Callable[..., bytes]) -> Callable[..., bytes]:
    """Builds a packed WriteRequest, as it comes over the wire."""
    return lambda *series, **parts: message.pack(payload(*series, **parts))


@pytest.fixture(scope="session")
def body_2() -> Callable[..., bytes]:
    """Builds a packed request of remote write 2.0 from `tests.remote_write_2.Series`."""
    return lambda *series, **parts: message.pack(encode(*series, **parts))
