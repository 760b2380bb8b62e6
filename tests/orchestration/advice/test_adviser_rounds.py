"""The resident adviser: a round each time it is due, and what there is, for `/metrics`."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from orchestration import adviser_rounds as rounds_module
from orchestration.advice_settings import AdviceSettings
from orchestration.adviser_rounds import AdviserRounds
from orchestration.failures import Failure

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
def build(containers, clock):
    containers.container(np.full(3 * 288, 0.2))
    return lambda **settings: AdviserRounds(containers.lake, AdviceSettings(**settings), clock)


def test_rounds_in_their_time(build, clock, now):
    adviser = build()
    adviser.run_if_due()
    assert adviser.statistics.rounds == 0
    clock.time = now + MINUTE
    for _ in range(2):
        adviser.run_if_due()
    assert (adviser.statistics.rounds, adviser.statistics.last.made_at) == (1, now)
    (total,) = adviser.statistics.totals
    assert (total.cluster, total.kind, total.count) == ("c1", "container_cpu", 1)
    assert total.saving_cpu_cores == pytest.approx(0.8, abs=0.01)


def test_what_others_made_is_read(build, clock, now, containers):
    adviser = build(resident=False)
    clock.time = now + MINUTE
    containers.make()
    adviser.run_if_due()
    assert (adviser.statistics.rounds, len(adviser.statistics.totals)) == (0, 1)


def test_a_round_that_fails_is_told_and_tried_again(build, clock, now, monkeypatch):
    adviser = build()
    clock.time = now + MINUTE
    make = rounds_module.make_advice
    monkeypatch.setattr(rounds_module, "make_advice", lambda *_: 1 / 0)
    for _ in range(2):
        adviser.run_if_due()
    assert (adviser.statistics.failures, adviser.statistics.rounds) == (1, 0)
    assert adviser.problems() == {
        "advice": Failure("ZeroDivisionError", "division by zero", clock())
    }
    monkeypatch.setattr(rounds_module, "make_advice", make)
    clock.time = now + 3 * MINUTE
    adviser.run_if_due()
    assert (adviser.statistics.rounds, adviser.problems()) == (1, {})


def test_what_cannot_be_read_is_told_until_it_can(build, clock, monkeypatch):
    adviser = build(resident=False)
    read = rounds_module.totals
    monkeypatch.setattr(rounds_module, "totals", lambda _: 1 / 0)
    adviser.run_if_due()
    assert adviser.problems() == {
        "reading advice": Failure("ZeroDivisionError", "division by zero", clock())
    }
    monkeypatch.setattr(rounds_module, "totals", read)
    clock.time += MINUTE
    adviser.run_if_due()
    assert adviser.problems() == {}


def test_an_adviser_that_fails_is_told_until_it_does_not(build, clock, now, monkeypatch):
    adviser = build()
    clock.time = now + MINUTE
    make = rounds_module.make_advice

    def failing(*arguments):
        made = make(*arguments)
        return replace(made, failed={"rightsizing": Failure("ValueError", "no", made.made_at)})

    monkeypatch.setattr(rounds_module, "make_advice", failing)
    adviser.run_if_due()
    told = {"adviser rightsizing": Failure("ValueError", "no", adviser.statistics.last.made_at)}
    assert adviser.problems() == told
    clock.time += 2 * MINUTE
    adviser.run_if_due()
    assert adviser.problems() == told, "no round since"
    clock.time += timedelta(hours=1)
    adviser.run_if_due()
    assert adviser.problems() == told, "since when is of the first"
    monkeypatch.setattr(rounds_module, "make_advice", make)
    clock.time += timedelta(hours=1)
    adviser.run_if_due()
    assert adviser.problems() == {}
