"""Minute by minute, over restarts and pauses: what is found is what one pass finds."""

from datetime import timedelta

import pytest

from lake import TimeRange
from orchestration.steps.detect import detect_range
from orchestration.steps.tick import Ticker
from tests.orchestration.absence.fleet import CARTS, END, Fleet, about, at

MINUTE = timedelta(minutes=1)


@pytest.fixture
def settings(settings):
    # Nothing for the detectors to score, so that a tick takes no time.
    return settings.model_copy(update={"include": "(node_load1|slow)", "exclude": "node_load1"})


@pytest.fixture
def live(lake, fill, settings):
    """Feeds and ticks from one time to another."""

    def run(fleet, since, until, ticker=None, every=10 * MINUTE, feed=True):
        ticker = ticker or Ticker(lake, settings)
        now = since
        while now < until:
            if feed:
                fleet.put(fill, lake, now, now + every)
            now += every
            while ticker.due(now + settings.delay):
                ticker.tick(now + settings.delay)
        return ticker

    return run


def found(lake):
    rows = lake.sql("SELECT * FROM anomalies ORDER BY start, anomaly_id").to_pylist()
    return [
        (about(row), row["start"], row["end"], row["state"], round(row["score"], 3),
         row["actual"], row["expected"])
        for row in rows
    ]  # fmt: skip


def troubled():
    fleet = Fleet()
    fleet.silence(at(6, 30), at(8), cluster="c2")
    fleet.silence(at(8, 20), at(9), cluster="c1", instance="10.0.0.2:9100")
    fleet.silence(at(9, 30), cluster="c1", pod="fluent-cx2v9")
    fleet.silence(at(9, 40), cluster="c3", pod=CARTS[:2])
    fleet.silence(at(10), at(10, 40), cluster="c3", pod=CARTS)
    fleet.add("c1", "slow", job="slow", instance="s", minutes=range(0, 500, 10))
    return fleet


def test_ticks_over_restarts_find_what_one_pass_finds(lake, fill, settings, live):
    fleet = troubled()
    fleet.put(fill, lake, end=at(6))
    live(fleet, at(6), at(7))
    live(fleet, at(7), at(9, 50))
    live(fleet, at(9, 50), END)
    ticked = found(lake)
    assert len(ticked) == 5
    assert ticked[0][:4] == ({"cluster": "c2"}, at(6, 30), at(8), "final")
    detect_range(lake, settings, TimeRange(at(6), END), now=END + settings.delay)
    assert found(lake) == ticked


def test_a_lone_cluster_is_missed_by_who_listens(lake, fill, settings, live):
    fleet = Fleet(clusters=("c1",))
    fleet.silence(at(7))
    fleet.put(fill, lake, end=at(6))
    live(fleet, at(6), at(8))
    ((name, start, end, state, *_),) = found(lake)
    assert (name, start, end, state) == ({"cluster": "c1"}, at(7), at(8), "interim")


@pytest.mark.parametrize("backlog", [False, True])
def test_a_receiver_that_was_down_misses_nobody(lake, fill, settings, live, backlog):
    """Of an hour's pause one cluster delivers all, later; the other lost it and is back last."""
    fleet = Fleet(clusters=("c1", "c2"))
    fleet.silence(at(7), at(8, 5), cluster="c2")
    if not backlog:
        fleet.silence(at(7), at(8), cluster="c1")
    fleet.put(fill, lake, end=at(6))
    live(fleet, at(6), at(7))
    fleet.put(fill, lake, at(7), at(8))
    live(fleet, at(8), at(9))
    assert found(lake) == []


def test_who_died_during_a_pause_is_found_after_it(lake, fill, settings, live):
    fleet = Fleet(clusters=("c1", "c2"))
    fleet.silence(at(7, 30), cluster="c2")
    fleet.put(fill, lake, end=at(6))
    live(fleet, at(6), at(7))
    fleet.put(fill, lake, at(7), at(8))
    live(fleet, at(8), at(9))
    ((name, start, end, *_),) = found(lake)
    assert (name, start, end) == ({"cluster": "c2"}, at(7, 30), at(9))


def test_an_hour_without_a_word_of_anybody_is_said_once(lake, fill, settings, live):
    fleet = Fleet()
    fleet.silence(at(7), at(8))
    fleet.put(fill, lake, end=at(6))
    live(fleet, at(6), at(8, 40))
    ((_, start, end, state, _, actual, expected),) = found(lake)
    assert (start, end, state) == (at(7), at(8), "final")
    assert (actual, expected) == (0, len(fleet.series))


def test_who_stays_away_when_the_others_are_back_is_named(lake, fill, settings, live):
    fleet = Fleet()
    fleet.silence(at(7), at(7, 30))
    fleet.silence(at(7), cluster="c1")
    fleet.put(fill, lake, end=at(6))
    live(fleet, at(6), at(8))
    assert ({"cluster": "c1"}, at(7), at(8), "interim") in [row[:4] for row in found(lake)]
