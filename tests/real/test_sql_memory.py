"""A large answer passes through the server, and does not stay in it."""

import httpx
import pytest

from tests.patience import PATIENCE
from tests.real.receivers import ReceiverProcess

ROWS = 200_000
WIDE = f"SELECT i, repeat('x', 1000) || i AS t FROM range({ROWS}) t(i)"

MIB = 1 << 20

MOST_GROWTH = 48 * MIB
"""Of the server, for an answer of 200 MB; pieces are of a quarter of a MiB."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEETLAKE_API__SQL_ROWS", "1000000")
        with ReceiverProcess(tmp_path_factory.mktemp("server")) as process:
            yield process


@pytest.mark.parametrize("form", ["csv", "json", "arrow"])
def test_an_answer_of_200_mb(server, form):
    with httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as http:
        http.get("/api/v1/sql", params={"query": "SELECT 1", "format": form}).raise_for_status()
        before, most, size = server.resident_bytes(), 0, 0
        with http.stream(
            "POST", "/api/v1/sql", json={"query": WIDE}, params={"format": form}
        ) as reply:
            for number, piece in enumerate(reply.iter_raw()):
                size += len(piece)
                if number % 50 == 0:
                    most = max(most, server.resident_bytes())
    assert size > ROWS * 1000
    assert most - before < MOST_GROWTH
