"""The resident grouping: no tick waits for it, nothing that was found is lost, and it ends."""

import threading
import time
from datetime import timedelta

import pytest

from ingest.receiver import Receiver
from ingest.settings import IngestSettings
from lake import TimeRange
from orchestration import rounds as rounds_module
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_rounds import IncidentRounds
from orchestration.steps.incidents import lake_causes
from orchestration.steps.incidents import live as live_module
from orchestration.steps.incidents.describe import PENDING
from orchestration.steps.incidents.live import Live
from orchestration.steps.models import Detected
from orchestration.steps.tick import Ticker
from orchestration.worker import Worker
from tests.patience import wait_until

MINUTE = timedelta(minutes=1)
PATIENCE = 60.0


@pytest.fixture
def live(shop):
    return Live(shop.lake, DetectionSettings(), shop.settings)


@pytest.fixture
def resident(live, monkeypatch):
    """Rounds in a thread that looks every few milliseconds."""
    monkeypatch.setattr(rounds_module, "LOOK_SECONDS", 0.01)
    started = IncidentRounds(live, time.monotonic)
    yield started
    started.stop()


@pytest.fixture
def slow(monkeypatch):
    """Ranking waits for this gate; gives also what tells that it has begun."""
    gate, entered, rank = threading.Event(), threading.Event(), lake_causes.rank

    def wait(*args):
        entered.set()
        assert gate.wait(PATIENCE)
        return rank(*args)

    monkeypatch.setattr(lake_causes, "rank", wait)
    yield gate, entered
    gate.set()


def scored(shop, minute, since=None):
    now = shop.at + minute * MINUTE
    start = now - MINUTE if since is None else shop.at + since * MINUTE
    return Detected(TimeRange(start, now), 1, 1), now


def test_a_tick_waits_for_no_ranking(shop, live, slow, tmp_path, monkeypatch):
    monkeypatch.setattr(rounds_module, "LOOK_SECONDS", 0.01)
    gate, entered = slow
    shop.fill()
    shop.flag("db", 0, end=3, state="interim")
    now = shop.at + 5 * MINUTE

    def clock():
        return now

    detection = DetectionSettings(also=())
    receiver = Receiver(shop.lake, tmp_path / "receiver", IngestSettings(), clock)
    worker = Worker(receiver, Ticker(shop.lake, detection), clock, live=live)
    worker.incidents.start()
    worker._tick()
    assert entered.wait(PATIENCE)
    # The ranking hangs, and ticks go on.
    now += MINUTE
    worker._tick()
    assert (worker.health.ticks, worker.health.tick_failures) == (2, 0)
    assert shop.incidents() == []
    gate.set()
    wait_until(lambda: len(shop.incidents()) == 1)
    worker.stop()
    receiver.close()
    assert "incidents" not in [thread.name for thread in threading.enumerate()]


def test_what_is_found_during_a_round_is_grouped_by_the_next(shop, resident, slow):
    gate, entered = slow
    shop.fill()
    shop.flag("db", 0, end=3)
    resident.start()
    resident.after(*scored(shop, 5))
    assert entered.wait(PATIENCE)
    # Its own links must not hide what a tick has written meanwhile.
    shop.flag("web", 7, end=9)
    resident.after(*scored(shop, 10))
    gate.set()
    wait_until(lambda: len(shop.incidents()) == 2)


def test_a_row_that_grows_while_its_link_is_written_stays_as_it_grew(shop, live, monkeypatch):
    """The tick pinned its samples before the round did, and wrote after it."""
    shop.fill()
    one = shop.flag("db", 0, end=3, state="interim")
    (before,) = shop.lake.sql("SELECT lake_version FROM anomalies").to_pylist()
    for _ in range(3):
        shop.fill(until=61)
    assert shop.lake.snapshot().versions["samples"] > before["lake_version"] + 1
    live.after(*scored(shop, 5))
    shop._rows = before["lake_version"]
    assert shop.flag("db", 0, end=9, state="final") == one
    (row,) = shop.lake.sql('SELECT "end", state FROM anomalies').to_pylist()
    assert (row["end"], row["state"]) == (shop.at + 9 * MINUTE, "final")
    live.after(*scored(shop, 10))
    (row,) = shop.lake.sql('SELECT "end", incident_id FROM anomalies').to_pylist()
    assert row["end"] == shop.at + 9 * MINUTE
    assert row["incident_id"] == shop.incidents()[0]["incident_id"]


@pytest.mark.parametrize(("minute", "found"), [(300, [["shop/db"]]), (500, [])])
def test_a_round_that_fails_is_counted_and_its_range_is_grouped_by_the_next(
    shop, resident, monkeypatch, minute, found
):
    shop.fill()
    shop.flag("db", 0, end=3)
    with monkeypatch.context() as broken:
        broken.setattr(live_module, "update", lambda *_, **__: 1 / 0)
        resident.after(*scored(shop, 5))
    assert str(resident.statistics.error) == "ZeroDivisionError: division by zero"
    assert (resident.statistics.rounds, resident.statistics.failures) == (0, 1)
    # Hours later: by the range of that tick alone, nothing would be found. After six, it is left.
    resident.after(*scored(shop, minute))
    assert resident.statistics.error is None
    assert [row["entities"] for row in shop.incidents()] == found


@pytest.mark.parametrize(("minute", "found"), [(300, [["shop/db"]]), (500, [])])
def test_nor_is_more_than_six_hours_where_the_next_tick_scored_nothing(
    shop, resident, monkeypatch, minute, found
):
    shop.fill()
    shop.flag("db", 0, end=3)
    with monkeypatch.context() as broken:
        broken.setattr(live_module, "update", lambda *_, **__: 1 / 0)
        resident.after(*scored(shop, 5))
    resident.after(Detected(None, 0, 0, "no data"), shop.at + minute * MINUTE)
    assert [row["entities"] for row in shop.incidents()] == found


def test_the_next_causes_are_ranked_without_another_tick(shop, resident, monkeypatch):
    monkeypatch.setattr(live_module, "AT_ONCE", 1)
    shop.fill()
    for number in range(3):
        shop.flag(f"svc{number}", 40 * number, end=40 * number + 5)
    resident.start()
    resident.after(*scored(shop, 100, since=0))
    wait_until(lambda: resident.statistics.rounds >= 3)
    assert [row["abstained"] == PENDING for row in shop.incidents()] == [False] * 3


def test_one_that_is_to_stop_ranks_no_further(shop, resident, slow):
    gate, entered = slow
    shop.fill()
    for number in range(3):
        shop.flag(f"svc{number}", 40 * number, end=40 * number + 5)
    resident.start()
    resident.after(*scored(shop, 100, since=0))
    assert entered.wait(PATIENCE)
    stopping = threading.Thread(target=resident.stop)
    stopping.start()
    wait_until(lambda: resident._is_stopping())
    gate.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert sorted(row["abstained"] == PENDING for row in shop.incidents()) == [False, True, True]


def test_one_that_grew_while_it_was_to_stop_keeps_its_causes(shop, resident, slow):
    gate, entered = slow
    gate.set()
    shop.fill()
    shop.flag("db", 0, end=10, score=2.0, state="interim")
    resident.after(*scored(shop, 12))
    (before,) = shop.incidents()
    gate.clear()
    entered.clear()
    shop.flag("db", 0, end=60, score=2.0)
    shop.flag("svc", 50, end=60, score=9.0)
    resident.start()
    resident.after(*scored(shop, 62))
    assert entered.wait(PATIENCE)
    stopping = threading.Thread(target=resident.stop)
    stopping.start()
    wait_until(lambda: resident._is_stopping())
    gate.set()
    stopping.join(PATIENCE)
    rows = {row["entities"][0]: row for row in shop.incidents()}
    assert rows["shop/db"] == before
    assert rows["shop/svc"]["causes"] != []
    # Another process tells it in full.
    again = Live(shop.lake, DetectionSettings(), shop.settings)
    again.after(*scored(shop, 63))
    (now,) = [row for row in shop.incidents() if row["entities"] == ["shop/db"]]
    assert now["end"] > before["end"]
    assert now["abstained"] != PENDING
