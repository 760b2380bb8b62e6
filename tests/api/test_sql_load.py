"""A heavy SQL answer, or a huge request, is not the other requests' problem."""

import threading
import time

import pytest

from api.routes.sql import MAX_QUERY_BYTES

ROWS = 6_000
WIDE = ", ".join(f"{{'a': range, 'b': [range, {k}]}} AS c{k}" for k in range(12))
HEAVY = f"SELECT {WIDE} FROM range({ROWS})"

MOST_OF_IT = 0.3
"""The longest wait, as a share of the time that the answer took. Beside the event loop it is a
twentieth, or what else the machine has to do just then; on it, nearly all, each time."""


def test_a_query_over_the_body_limit_is_refused(shared, problem):
    query = "SELECT 1 --" + "x" * MAX_QUERY_BYTES
    assert str(MAX_QUERY_BYTES) in problem(shared.sql(query), 413, "body too large")


def longest_share(shared):
    """The longest wait of another while the answer is made, of the time that it takes."""
    reply = []
    asking = threading.Thread(target=lambda: reply.append(shared.sql(HEAVY)))
    asking.start()
    began, waits = time.monotonic(), []
    while asking.is_alive():
        started = time.monotonic()
        assert shared.http.get("/healthz").status_code == 200
        waits.append(time.monotonic() - started)
        time.sleep(0.02)
    took = time.monotonic() - began
    assert reply[0].status_code == 200
    assert len(reply[0].json()["rows"]) == ROWS
    return max(waits) / took


@pytest.mark.alone
def test_others_do_not_wait_while_a_large_answer_is_made(shared):
    assert any(longest_share(shared) < MOST_OF_IT for _ in range(4))
