"""Answers flow: bounded in memory, at the client's pace, and over when the client is gone."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pytest

from lake.sandbox import process
from lake.sandbox.outlet import HELD_BYTES
from tests.patience import MINUTES, PATIENCE, SOON, wait_until

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 3"
DEAF = "SELECT " + ", ".join(f"md5(repeat('x', {300_000_000 + i}))" for i in range(200))
"""Computed while it is planned, for minutes, when the engine does not hear of anything."""

WIDE = "SELECT i, repeat('x', 1000) || i AS t FROM range({rows}) t(i)"
"""A kilobyte a row."""


def gauge(running, name):
    lines = running.http.get("/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith(f"fleetlake_sql_{name} ")]
    return float(line.split()[1])


def outcomes(running):
    text = running.http.get("/metrics").text
    marker = 'fleetlake_sql_queries_total{outcome="'
    found = [line for line in text.splitlines() if line.startswith(marker)]
    return {
        line.removeprefix(marker).split('"')[0]: float(line.split()[1])
        for line in found
        if float(line.split()[1])
    }


def expect_outcomes(running, **expected):
    """Counted once the answer has ended, which its client may hear of a moment earlier."""
    wait_until(lambda: sum(outcomes(running).values()) >= sum(expected.values()))
    assert outcomes(running) == expected


def raw(running, query, form="csv"):
    """A connection with a query sent, of which nothing has been read."""
    url = urlsplit(str(running.http.base_url))
    body = json.dumps({"query": query}).encode()
    connection = socket.create_connection((url.hostname, url.port))
    connection.sendall(
        f"POST /api/v1/sql?format={form} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\n\r\n".encode()
        + body
    )
    return connection


def read_all(connection):
    """Everything until the server closes, or the last chunk of a chunked body came."""
    received = bytearray()
    while piece := connection.recv(1 << 20):
        received += piece
        if received.endswith(b"\r\n0\r\n\r\n"):
            break
    return bytes(received)


def test_a_large_answer_comes_whole(start):
    with start(api={"sql_rows": 100_000}) as running:
        reply = running.http.post(
            "/api/v1/sql", json={"query": WIDE.format(rows=60_000)}, params={"format": "arrow"}
        )
        rows = pa.ipc.open_stream(reply.content).read_all()
    assert rows["i"].to_pylist() == list(range(60_000))
    assert "content-length" not in reply.headers


def test_rows_come_before_the_query_ends(start):
    """It would run for hours, and its client has patience for one minute."""
    slow = WIDE.format(rows=10**12) + " WHERE i < 20000"
    with (
        start(api={"sql_seconds": MINUTES}) as running,
        running.http.stream(
            "POST", "/api/v1/sql", json={"query": slow}, params={"format": "ndjson"}
        ) as reply,
    ):
        line = next(reply.iter_lines())
        assert json.loads(line)["i"] == 0
        assert gauge(running, "running") == 1


def test_a_client_that_does_not_read_stops_the_query(start):
    """The query's process waits with it, and that is none of the query's time."""
    with start(api={"sql_rows": 10_000_000, "sql_seconds": 3.0}) as running:
        with raw(running, WIDE.format(rows=40_000)) as connection:
            time.sleep(4.0)  # longer than the query may run, were it not for the wait
            assert gauge(running, "running") == 1
            received = read_all(connection)
        assert received.endswith(b"\r\n0\r\n\r\n")
        assert received.count(b",xxx") >= 39_000  # some are cut by the ends of chunks
        expect_outcomes(running, answered=1)


def test_a_client_that_never_reads_is_cut_off(start):
    with start(api={"sql_fetch_seconds": 1.0, "sql_concurrency": 1}) as running:
        with raw(running, WIDE.format(rows=90_000)) as connection:
            wait_until(lambda: gauge(running, "running") == 1)
            wait_until(lambda: gauge(running, "running") == 0)
            assert running.sql("SELECT 1").status_code == 200
            assert not read_all(connection).endswith(b"0\r\n\r\n")
        expect_outcomes(running, answered=1, cut_off=1)


DIGITS = " || ".join(f"md5((i * 16 + {k})::VARCHAR)" for k in range(16))
"""Half a kilobyte that hardly shrinks."""

LATE_ERROR = (
    f"SELECT {DIGITS} AS t, CASE WHEN i = 59999 THEN error('late') ELSE 1 END AS n "
    "FROM range(60000) t(i)"
)


@pytest.mark.parametrize("form", ["json", "csv", "ndjson", "arrow", "parquet"])
def test_an_error_after_the_first_bytes_breaks_the_answer(start, form):
    with start() as running:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            running.http.post("/api/v1/sql", json={"query": LATE_ERROR}, params={"format": form})
        expect_outcomes(running, cut_off=1)
        assert running.sql("SELECT 1").status_code == 200


def test_a_result_over_its_limit_breaks_off_or_is_refused(start, problem):
    with start(api={"sql_rows": 20_000}) as running:
        small = "SELECT * FROM range(20001)"
        problem(running.sql(small), 413, "result too large")
        with pytest.raises(httpx.RemoteProtocolError):
            running.sql(WIDE.format(rows=20_001))
    with start(api={"sql_result_mb": 1}) as running:
        assert "1048576 bytes" in problem(
            running.sql(WIDE.format(rows=2_000)), 413, "result too large"
        )


def test_an_error_in_what_is_held_back_is_told(shared, problem):
    """Some rows were made, but none was sent."""
    late = "SELECT CASE WHEN i = 20000 THEN error('late') ELSE i END FROM range(20001) t(i)"
    assert HELD_BYTES > 20_000 * 8
    assert "late" in problem(shared.sql(late), 400, "bad query")


@pytest.mark.parametrize(
    "query", [ENDLESS, DEAF, WIDE.format(rows=99_000)], ids=["heavy", "deaf", "unread"]
)
def test_a_client_that_hangs_up_frees_its_slot(start, query):
    with start(api={"sql_concurrency": 1, "sql_seconds": MINUTES}) as running:
        assert running.sql("SELECT 1").status_code == 200
        connection = raw(running, query)
        wait_until(lambda: gauge(running, "workers_busy") == 1)
        time.sleep(0.5)  # into the middle of it
        connection.close()
        wait_until(lambda: gauge(running, "running") == 0, SOON, "a free slot")
        wait_until(lambda: gauge(running, "workers_busy") == 0, SOON, "a free worker")
        assert running.sql("SELECT 1").status_code == 200
        expect_outcomes(running, answered=2, cancelled=1)


def test_a_worker_survives_a_cancelled_query(start, monkeypatch):
    """It is interrupted, not killed: dashboards call off queries all day."""
    monkeypatch.setattr(process, "CANCEL_SECONDS", SOON)  # on a busy machine it hears of it late
    with start(api={"sql_concurrency": 1}) as running:
        before = gauge(running, "workers_idle")
        running.sql("SELECT 1")
        for _ in range(5):
            connection = raw(running, ENDLESS)
            wait_until(lambda: gauge(running, "workers_busy") == 1)
            time.sleep(0.2)
            connection.close()
            wait_until(lambda: gauge(running, "running") == 0)
            assert gauge(running, "workers_idle") >= max(before, 1)
        assert running.sql("SELECT 1").json()["rows"] == [[1]]


def test_a_client_that_hangs_up_while_it_waits_takes_no_slot(start):
    limits = {"sql_concurrency": 1, "sql_seconds": MINUTES, "sql_queue_seconds": MINUTES}
    with start(api=limits) as running:
        first = raw(running, ENDLESS)
        wait_until(lambda: gauge(running, "running") == 1)
        second = raw(running, ENDLESS)
        wait_until(lambda: gauge(running, "waiting") == 1)
        second.close()
        wait_until(lambda: gauge(running, "waiting") == 0, SOON, "nobody waits")
        assert gauge(running, "running") == 1
        first.close()
        wait_until(lambda: gauge(running, "running") == 0, SOON, "a free slot")
        assert running.sql("SELECT 1").status_code == 200


def test_one_that_waits_too_long_is_turned_away(start, problem):
    limits = {"sql_concurrency": 1, "sql_queue_seconds": 0.3, "sql_seconds": MINUTES}
    with start(api=limits) as running:
        with raw(running, ENDLESS):
            wait_until(lambda: gauge(running, "running") == 1)
            detail = problem(running.sql("SELECT 1"), 503, "too many queries")
            assert "0.3 s" in detail
        wait_until(lambda: gauge(running, "running") == 0)
        assert running.sql("SELECT 1").status_code == 200


def test_slots_are_neither_lost_nor_made_by_clients_that_come_and_go(start):
    """Some hang up while they wait, some while they run, some stay."""
    limits = {"sql_concurrency": 2, "sql_seconds": MINUTES, "sql_queue_seconds": MINUTES}
    with start(api=limits) as running:

        def come_and_go(i):
            connection = raw(running, ENDLESS if i % 3 else "SELECT 1")
            time.sleep(0.01 * (i % 7))
            if i % 3 == 0:
                connection.settimeout(PATIENCE)
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.close()

        with ThreadPoolExecutor(8) as clients:
            list(clients.map(come_and_go, range(40)))
        wait_until(lambda: gauge(running, "running") + gauge(running, "waiting") == 0)
        wait_until(lambda: gauge(running, "workers_busy") == 0)
        with raw(running, ENDLESS), raw(running, ENDLESS):
            wait_until(lambda: gauge(running, "running") == 2)
            with raw(running, ENDLESS):
                wait_until(lambda: gauge(running, "waiting") == 1)
                assert gauge(running, "running") == 2


def test_a_server_that_ends_calls_off_what_runs(start):
    replies = []

    def ask(running):
        try:
            replies.append(running.sql(ENDLESS))
        except httpx.HTTPError as error:
            replies.append(error)

    with start(api={"sql_seconds": MINUTES}) as running:
        asking = threading.Thread(target=ask, args=(running,))
        asking.start()
        wait_until(lambda: gauge(running, "running") == 1)
        began = time.monotonic()
    assert time.monotonic() - began < 2 * SOON
    asking.join()
    assert isinstance(replies[0], httpx.HTTPError) or replies[0].status_code >= 400
