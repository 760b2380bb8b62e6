"""A real server over a real lake, and bodies to send it."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pytest

from api.app import create_app
from api.server import bind, serving
from orchestration.service import Service
from orchestration.settings import Settings
from tests.patience import PATIENCE

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WRITE = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


class Running:
    """A service behind a server: `http` speaks to it, `service` is its inside."""

    def __init__(self, service, http):
        self.service, self.http = service, http

    @property
    def lake(self):
        return self.service.lake

    def write(self, body, headers=WRITE, **params):
        return self.http.post("/api/v1/write", content=body, headers=headers, params=params)

    def sql(self, query):
        return self.http.post("/api/v1/sql", json={"query": query})


@contextmanager
def _run(folder, **settings):
    service = Service.build(Settings(data_dir=folder, **settings), lambda: NOW)
    app = create_app(service, run_worker=False)
    with (
        serving(app, bind("127.0.0.1", 0)) as url,
        httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as http,
    ):
        yield Running(service, http)


@pytest.fixture
def start(tmp_path):
    """Serves with settings of one's own: `with start(api={...}) as running`."""
    return lambda **settings: _run(tmp_path / "data", **settings)


@pytest.fixture(scope="session")
def serve():
    """As `start`, in a folder of one's own: for servers that many tests share."""
    return _run


@pytest.fixture
def running(start):
    with start() as one:
        yield one


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server for all tests of a module that leave nothing behind."""
    with _run(tmp_path_factory.mktemp("shared")) as one:
        yield one


@pytest.fixture(scope="session")
def now():
    return NOW


@pytest.fixture
def samples(body):
    """A packed body of `n` samples of one series, up to now."""

    def build(n=1, at=NOW, **labels):
        end = round(at.timestamp() * 1000)
        pairs = [("__name__", "up"), *sorted(labels.items())]
        return body((pairs, [(end - i * 1000, float(i)) for i in range(n)]))

    return build


def _problem(reply, status, title, *, retry=None):
    """The reply is the problem document of that name, and its detail says something."""
    retry = status in {429, 503} if retry is None else retry
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    told = json.loads(reply.text)
    assert told["status"] == status
    assert told["title"] == title
    assert told["type"] == f"urn:fleetlake:{title.replace(' ', '-')}"
    assert told["detail"]
    assert ("retry-after" in reply.headers) == retry
    return told["detail"]


@pytest.fixture(scope="session")
def problem():
    return _problem
