"""When an error budget is spent, from counters of requests."""

from datetime import timedelta

import numpy as np
import pytest

HOUR = timedelta(hours=1)
REQUESTS = 300.0
"""Of one series, each five minutes."""

OBJECTIVE = {
    "name": "shop answers",
    "target": 0.99,
    "window": "P1D",
    "total": "http_requests_total",
    "error_labels": {"code": "5.."},
}


@pytest.fixture
def serve(resources):
    """A day of requests; `failing` of those of each five minutes of the last hours fail."""

    def put(failing, hours, columns=300, **labels):
        failed = np.zeros(columns)
        failed[columns - round(12 * hours) :] = failing
        for code, each in (("200", REQUESTS - failed), ("503", failed)):
            resources.put(np.cumsum(each), metric="http_requests_total", code=code, **labels)

    return put


def told(resources, **changes):
    row = resources.told(objectives=[OBJECTIVE | changes])
    assert row["resource"] == "error_budget"
    return row


def test_the_time_until_it_is_spent(resources, serve, now):
    serve(30.0, 1.0)
    row = told(resources)
    # Of 86,400 requests a day 864 may fail, 360 did in the last hour: 504 are left.
    assert row["capacity"] == pytest.approx(864.0, rel=0.01)
    assert row["value"] == pytest.approx(360 / 864, rel=0.02)
    assert row["eta"] - now == pytest.approx(504 / 360 * HOUR, rel=0.03)
    assert now < row["eta_lower"] < row["eta"] < row["eta_upper"]
    assert (row["subject"], row["abstained"], row["reason"]) == ("shop answers", False, None)
    assert row["coverage"] is None


NOT = {
    "no errors": (0.0, 1.0, {}, "no errors in the last hour", False),
    "few errors": (1.0, 1.0, {}, "at this rate not spent within the window", False),
    "spent": (60.0, 2.0, {}, "error budget already spent", True),
    "nothing asked": (30.0, 1.0, {"labels": {"code": "2.."}}, "no errors in the last hour", False),
}


@pytest.mark.parametrize("name", NOT)
def test_no_time(resources, serve, name):
    failing, hours, changes, reason, abstained = NOT[name]
    serve(failing, hours)
    row = told(resources, **changes)
    assert (row["reason"], row["abstained"], row["eta"]) == (reason, abstained, None)


def test_silence_is_no_good_service(resources, serve, now):
    serve(30.0, 1.0)
    objectives = [OBJECTIVE]
    row = resources.told(now + 2 * HOUR, objectives=objectives)
    assert (row["reason"], row["abstained"]) == ("no requests in the last hour", True)


def test_one_of_each_service(resources, serve):
    serve(30.0, 1.0, service="cart")
    serve(0.0, 1.0, service="checkout")
    resources.make(objectives=[OBJECTIVE | {"by": ["service"]}])
    found = {row["service"]: row for row in resources.rows()}
    assert found["cart"]["eta"] is not None
    assert found["checkout"]["reason"] == "no errors in the last hour"
    assert found["cart"]["forecast_id"] != found["checkout"]["forecast_id"]


def test_a_counter_of_errors_of_its_own(resources, now):
    resources.put(np.cumsum(np.full(300, 300.0)), metric="asked_total", code="any")
    failed = np.r_[np.zeros(288), np.full(12, 30.0)]
    resources.put(np.cumsum(failed), metric="failed_total", code="any")
    own = {"total": "asked_total", "errors": "failed_total", "error_labels": {}}
    assert told(resources, **own)["eta"] - now == pytest.approx(504 / 360 * HOUR, rel=0.03)


def test_the_window_that_is_not_seen_yet_is_taken_as_the_part_that_is(resources, serve):
    """A service of six hours: its day has four times as many requests."""
    serve(30.0, 1.0, columns=72)
    assert told(resources)["capacity"] == pytest.approx(864.0, rel=0.03)


def test_nobody_counts(resources):
    assert resources.make(objectives=[OBJECTIVE]).resources == 0
