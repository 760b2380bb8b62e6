"""Minute by minute, after a restart, in one pass: the same is found."""

from datetime import timedelta

import numpy as np
import pytest

from lake import TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.detect import detect_range
from orchestration.steps.events import memory as remembering
from orchestration.steps.events.finder import EventFinder
from orchestration.steps.tick import Ticker
from tests.orchestration.events.conftest import MINUTE, at, kubernetes, line, of, plain

FIRST, END = 1500, 1700
SETTINGS = DetectionSettings(include="none", history=timedelta(hours=20))


@pytest.fixture
def trouble(told, rng, fill):
    """A day with a burst, news, a new error of a log and denials; told as it comes."""
    minutes = [round(at(m).timestamp() * 1000) for m in range(END + 60)]
    fill(told.lake, [{"__name__": "up", "cluster": "eu-1"}], [minutes], [[1.0] * len(minutes)])
    told.tell(line(m, f"timeout after {m} ms", second=1) for m in range(0, END, 2))
    decided = []
    for minute in range(END):
        kinds = np.where(rng.random(3) < 0.03, "Warning", "Normal").tolist()
        decided.extend(
            plain(minute, "opa", "authz", uid=f"{minute}-{i}", type=kind, second=i)
            for i, kind in enumerate(kinds)
        )
    told.tell(decided)
    return told


def happen(first, end):
    """What goes wrong in a range of minutes."""
    for m in range(first, end):
        if 1560 <= m < 1600:
            yield from (kubernetes(m, "Unhealthy", f"b{m}-{i}", second=i) for i in range(9))
        if 1570 <= m < 1600:
            yield kubernetes(m, "FailedMount", f"f{m}")
            yield line(m, f"disk {m} of the array has failed")
        if 1620 <= m < 1650:
            deny = {"type": "Warning", "namespace": "x"}
            yield from (plain(m, "opa", "authz", uid=f"d{m}-{i}", **deny) for i in range(6))


def found(lake):
    rows = lake.sql("SELECT * FROM anomalies ORDER BY start, anomaly_id").to_pylist()
    names = ("anomaly_id", "detector", "metric", "start", "end", "score", "state", "pod", "actual")
    return [{name: row[name] for name in names} for row in rows]


def in_ticks(story, every, restart_at=None):
    ticker = Ticker(story.lake, SETTINGS)
    for m in range(FIRST, END, every):
        story.tell(list(happen(m, m + every)))
        if m == restart_at:
            ticker = Ticker(story.lake, SETTINGS)
        ticker.tick(at(m + every) + SETTINGS.delay)
    return found(story.lake)


def in_one_pass(story):
    story.tell(list(happen(FIRST, END)))
    between = TimeRange(at(FIRST), at(END))
    detect_range(story.lake, SETTINGS, between, now=at(END) + SETTINGS.delay)
    return found(story.lake)


def test_one_pass_finds_every_trouble_and_again_the_same(trouble):
    first = in_one_pass(trouble)
    assert {row["metric"] for row in first} == {
        "events:kubernetes:Unhealthy",
        "events:kubernetes:FailedMount",
        "events:log:disk <*> of the array has failed",
        "denials:authz",
    }
    between = TimeRange(at(FIRST), at(END))
    detect_range(trouble.lake, SETTINGS, between, now=at(END) + SETTINGS.delay)
    assert found(trouble.lake) == first


def test_rows_of_all_our_detectors_are_replaced(trouble):
    in_one_pass(trouble)
    trouble.lake.events.delta().delete()
    between = TimeRange(at(FIRST), at(END))
    detect_range(trouble.lake, SETTINGS, between, now=at(END) + SETTINGS.delay)
    assert found(trouble.lake) == []


@pytest.mark.parametrize(("every", "restart_at"), [(10, None), (10, 1580), (40, None)])
def test_ticks_find_what_one_pass_finds(trouble, tmp_path, every, restart_at):
    ticked = in_ticks(trouble, every, restart_at)
    trouble.lake.anomalies.delta().delete()
    passed = in_one_pass(trouble)
    assert ticked
    assert ticked == passed


def test_memory_changes_nothing(trouble):
    finder = EventFinder()
    for m in range(FIRST, END, 25):
        trouble.tell(list(happen(m, m + 25)))
        # A watch that was late by an hour.
        trouble.tell([kubernetes(m - 60, "Unhealthy", f"late-{m}")])
        remembered = trouble.find(m - 35, m + 25, SETTINGS, finder)
        assert remembered == trouble.find(m - 35, m + 25, SETTINGS)


def test_what_is_remembered_is_not_read_again(trouble, monkeypatch):
    finder, read = EventFinder(), []
    count = remembering.count

    def counted(snapshot, between, step, block):
        read.append((between.end - between.start) // MINUTE)
        return count(snapshot, between, step, block)

    monkeypatch.setattr(remembering, "count", counted)
    trouble.find(FIRST, FIRST + 40, SETTINGS, finder)
    assert sum(read) > 1200
    read.clear()
    trouble.find(FIRST, FIRST + 40, SETTINGS, finder)
    assert read == []
    trouble.tell([kubernetes(FIRST + 41, "Unhealthy", "x")])
    trouble.find(FIRST, FIRST + 42, SETTINGS, finder)
    # The hour of the event, and the next, which may go on from it.
    assert sum(read) <= 120


def test_events_that_come_late_count(trouble):
    finder = EventFinder()
    assert trouble.find(1540, 1580, SETTINGS, finder) == []
    trouble.tell(list(happen(1560, 1580)))
    rows = trouble.find(1540, 1580, SETTINGS, finder)
    assert of(rows, "event_rate", "events:kubernetes:Unhealthy")
