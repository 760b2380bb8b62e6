"""A heavy SQL answer, or a huge request, is not the other requests' problem."""

import threading
import time

import pytest

from api.routes.sql import MAX_QUERY_BYTES

WIDE = ", ".join(f"{{'a': range, 'b': [range, {k}]}} AS c{k}" for k in range(12))
HEAVY = f"SELECT {WIDE} FROM range(60000)"

LONGEST_WAIT = 3.0
"""Seconds. Beside the event loop the longest wait is about .6; on it, as long as the query."""


def test_a_query_over_the_body_limit_is_refused(shared, problem):
    query = "SELECT 1 --" + "x" * MAX_QUERY_BYTES
    assert str(MAX_QUERY_BYTES) in problem(shared.sql(query), 413, "body too large")


@pytest.mark.timeout(120)
def test_others_do_not_wait_while_a_large_answer_is_made(shared):
    reply = []
    asking = threading.Thread(target=lambda: reply.append(shared.sql(HEAVY)))
    asking.start()
    waits = []
    while asking.is_alive():
        started = time.monotonic()
        assert shared.http.get("/healthz").status_code == 200
        waits.append(time.monotonic() - started)
        time.sleep(0.02)
    asking.join()
    assert reply[0].status_code == 200
    assert len(reply[0].json()["rows"]) == 60_000
    assert max(waits) < LONGEST_WAIT
