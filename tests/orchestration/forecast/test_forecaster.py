"""The resident forecaster: a round each time it is due, and again soon after one that failed."""

import sys
import threading
from datetime import timedelta

import numpy as np
import pytest

from detectors.errors import ForecasterError
from orchestration import forecaster as forecaster_module
from orchestration import rounds
from orchestration.failures import Failure
from orchestration.forecast_settings import ForecastSettings
from orchestration.forecaster import Forecaster
from tests.patience import wait_until

MINUTE = timedelta(minutes=1)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self, time):
        self.time = time

    def __call__(self):
        return self.time


@pytest.fixture
def clock(now):
    return Clock(now - 20 * MINUTE)


@pytest.fixture
def build(resources, clock):
    return lambda **settings: Forecaster(resources.lake, ForecastSettings(**settings), clock)


def test_rounds_in_their_time(resources, build, clock, line, now):
    resources.disk(line(1.0, 78.0))
    forecaster = build()
    forecaster.run_if_due()
    assert forecaster.statistics.rounds == 0
    clock.time = now + MINUTE
    for _ in range(2):
        forecaster.run_if_due()
    assert (forecaster.statistics.rounds, forecaster.statistics.last.made_at) == (1, now)
    (soonest,) = forecaster.statistics.soonest
    assert soonest["subject"] == "/var"
    clock.time = now + 16 * MINUTE
    forecaster.run_if_due()
    assert forecaster.statistics.last.made_at == now + 15 * MINUTE


def test_what_others_made_is_read(resources, build, clock, line, now):
    resources.disk(line(1.0, 78.0))
    forecaster = build(resident=False)
    clock.time = now + MINUTE
    resources.make()
    forecaster.run_if_due()
    assert forecaster.statistics.rounds == 0
    assert len(forecaster.statistics.soonest) == 1


def test_what_has_not_changed_is_not_read_again(resources, build, clock, line, now, monkeypatch):
    reads, read = [], forecaster_module.current

    def counting(*asked):
        reads.append(asked)
        return read(*asked)

    monkeypatch.setattr(forecaster_module, "current", counting)
    resources.disk(line(1.0, 78.0))
    resources.disk(np.append(np.full(200, 50.0), np.full(88, 100.0)), mountpoint="/full")
    resources.make()
    forecaster = build(resident=False)

    def told(minutes):
        reads.clear()
        clock.time = now + minutes * MINUTE
        forecaster.run_if_due()
        return len(reads), [row["subject"] for row in forecaster.statistics.soonest]

    assert told(1) == (1, ["/full", "/var"])
    assert told(2) == (0, ["/full", "/var"])
    # Its interval is over, though nobody has made another forecast.
    assert told(5 * 60) == (1, ["/full"])
    assert told(6 * 60) == (0, ["/full"])
    # Nobody has said so for a day; then somebody does.
    assert told(25 * 60) == (1, [])
    assert told(25 * 60 + 1) == (0, [])
    resources.disk(line(1.0, 78.0), end=now + 25 * 60 * MINUTE, mountpoint="/new")
    resources.make(now + 25 * 60 * MINUTE)
    assert told(25 * 60 + 2) == (1, ["/new"])


def test_no_more_than_asked_for_is_kept(resources, build, clock, line, now):
    for name in ("/a", "/b", "/c"):
        resources.disk(line(1.0, 78.0), mountpoint=name)
    resources.make()
    clock.time = now + MINUTE
    forecaster = build(resident=False, gauges=2)
    forecaster.run_if_due()
    assert len(forecaster.statistics.soonest) == 2


def test_a_round_that_fails_is_told_and_tried_again(build, clock, now, monkeypatch):
    forecaster = build()
    clock.time = now + MINUTE
    make = forecaster_module.make_forecasts
    monkeypatch.setattr(forecaster_module, "make_forecasts", lambda *_: 1 / 0)
    for _ in range(2):
        forecaster.run_if_due()
    assert (forecaster.statistics.failures, forecaster.statistics.rounds) == (1, 0)
    # Also while nothing is due: what failed has not gone well since.
    assert forecaster.problems() == {
        "forecasts": Failure("ZeroDivisionError", "division by zero", clock())
    }
    monkeypatch.setattr(forecaster_module, "make_forecasts", make)
    clock.time += MINUTE
    forecaster.run_if_due()
    assert (forecaster.statistics.rounds, forecaster.problems()) == (1, {})


def test_what_cannot_be_read_is_told_until_it_can(build, clock, monkeypatch):
    forecaster = build(resident=False)
    read = forecaster_module.current
    monkeypatch.setattr(forecaster_module, "current", lambda *_: 1 / 0)
    forecaster.run_if_due()
    assert forecaster.problems() == {
        "reading forecasts": Failure("ZeroDivisionError", "division by zero", clock())
    }
    monkeypatch.setattr(forecaster_module, "current", read)
    clock.time += MINUTE
    forecaster.run_if_due()
    assert forecaster.problems() == {}


def test_it_runs_by_itself_and_ends_when_told(resources, build, clock, line, now, monkeypatch):
    monkeypatch.setattr(rounds, "LOOK_SECONDS", 0.01)
    resources.disk(line(1.0, 78.0))
    forecaster = build()
    clock.time = now + MINUTE
    forecaster.start()
    wait_until(lambda: forecaster.statistics.rounds == 1)
    forecaster.stop()
    assert forecaster.problems() == {}
    assert "forecast" not in [thread.name for thread in threading.enumerate()]


def test_a_thread_that_has_ended_is_told(build, clock, monkeypatch):
    monkeypatch.setattr(rounds, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    forecaster = build()
    monkeypatch.setattr(forecaster_module, "due_at", lambda *_: 1 / 0)
    forecaster.start()
    wait_until(lambda: forecaster.problems() == {"forecasts": rounds.ENDED})
    forecaster.stop()


def test_a_heavier_model_without_its_extra_stops_the_start(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "statsforecast", None)  # as where it is not installed
    with pytest.raises(ForecasterError, match=r"pip install 'fleetlake\[forecasts\]'$"):
        build(heavier="statsforecast")
    build(heavier="statsforecast", resident=False)


def test_a_heavier_model_that_nobody_has_stops_the_start(build):
    with pytest.raises(ForecasterError, match="'nobodys'"):
        build(heavier="nobodys")
    build(heavier="nobodys", resident=False)
