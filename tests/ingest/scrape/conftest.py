"""Targets that misbehave, and a receiver that keeps what it is handed."""

import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ingest.outcome import Written, settled
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema
from tests.patience import wait_until

STALE = struct.pack(">Q", 0x7FF0000000000002)


def unpacked(body: bytes) -> list[tuple[dict[str, str], int, float | str]]:
    """(labels, ms, value) of a packed body; a stale marker is the value `stale`."""
    request = schema.WriteRequest.FromString(bytes(message.unpack(body, 1 << 30)))
    found = []
    for one in request.timeseries:
        labels = {}
        for raw in one.labels:
            label = schema.Label.FromString(raw)
            labels[label.name.decode()] = label.value.decode()
        assert list(labels) == sorted(labels)
        for sample in one.samples:
            stale = struct.pack(">d", sample.value) == STALE
            found.append((labels, sample.timestamp, "stale" if stale else sample.value))
    return found


@pytest.fixture(scope="session")
def unpack() -> Callable:
    return unpacked


@pytest.fixture(scope="session")
def describe() -> Callable[[bytes], dict[str, tuple[int, str]]]:
    """The descriptions in a packed body."""

    def read(body: bytes) -> dict[str, tuple[int, str]]:
        request = schema.WriteRequest.FromString(bytes(message.unpack(body, 1 << 30)))
        return {
            one.metric_family_name.decode(): (one.type, one.help.decode())
            for one in request.metadata
        }

    return read


class KeepingReceiver:
    """Keeps samples; `refuse` is raised instead while it is set."""

    def __init__(self) -> None:
        self.samples: list[tuple[dict[str, str], int, float | str]] = []
        self.senders = set()
        self.refuse: Exception | None = None
        self._lock = threading.Lock()

    def write_samples(self, body, sender):
        if self.refuse is not None:
            raise self.refuse
        with self._lock:
            self.samples += unpacked(body)
            self.senders.add(sender)
        return settled(Written(samples=1))

    def of(self, name: str, instance: str = "") -> list[float | str]:
        with self._lock:
            return [
                value
                for labels, _, value in self.samples
                if labels["__name__"] == name and instance in labels["instance"]
            ]


@pytest.fixture
def receiver() -> KeepingReceiver:
    return KeepingReceiver()


@pytest.fixture
def serve() -> Iterator[Callable]:
    """Starts a server: `answer(handler)` writes the answer. Gives its `host:port`."""
    servers = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    answer(self)
                except OSError:
                    self.close_connection = True

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture
def open_receiver_now(lake, tmp_path):
    """A real receiver by the machine's clock."""
    from ingest.receiver import Receiver  # noqa: PLC0415 - only where a test asks for it
    from ingest.settings import IngestSettings  # noqa: PLC0415

    one = Receiver(lake, tmp_path / "receiver", IngestSettings())
    yield one
    one.close()
