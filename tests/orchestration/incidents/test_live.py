"""Incidents after each tick: where there is something to do, and resolved though nothing comes."""

from datetime import timedelta

import pytest

from ingest.receiver import Receiver
from ingest.settings import IngestSettings
from lake import Lake, TimeRange
from lake.maintenance.compaction import compact
from lake.maintenance.policy import CompactionPolicy
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.incidents import lake_events
from orchestration.steps.incidents import live as live_module
from orchestration.steps.incidents.live import Live
from orchestration.steps.models import Detected
from orchestration.steps.tick import Ticker
from orchestration.worker import Worker

MINUTE = timedelta(minutes=1)
NOTHING = Detected(None, 0, 0, "no data")


@pytest.fixture
def live(shop):
    return Live(shop.lake, DetectionSettings(), shop.settings)


def scored(shop, minute):
    now = shop.at + minute * MINUTE
    return Detected(TimeRange(now - MINUTE, now), 1, 1), now


def test_it_follows_what_ticks_find_and_rests_when_they_find_nothing(shop, live):
    shop.fill()
    assert live.after(*scored(shop, -1)).incidents == 0
    shop.flag("db", 0, end=3, state="interim")
    assert live.after(*scored(shop, 5)).written == 1
    # Its own links to the anomalies are no news.
    assert live.after(*scored(shop, 6)) is None
    shop.flag("db", 0, end=10, state="final")
    live.after(*scored(shop, 12))
    assert [row["state"] for row in shop.incidents()] == ["open"]
    assert live.after(*scored(shop, 13)) is None


def test_it_is_resolved_in_time_though_nothing_is_scored_any_more(shop, live):
    shop.fill()
    shop.flag("db", 0, end=10)
    live.after(*scored(shop, 12))
    assert live.after(NOTHING, shop.at + 39 * MINUTE) is None
    assert live.after(NOTHING, shop.at + 40 * MINUTE).written == 1
    assert [row["state"] for row in shop.incidents()] == ["resolved"]
    assert live.after(NOTHING, shop.at + 90 * MINUTE) is None


def test_events_that_come_late_are_looked_at_though_nothing_new_is_flagged(shop, live):
    shop.fill({("eu", "db", "http_errors"): (0, 9.0)})
    shop.flag("db", 0, end=10)
    live.after(*scored(shop, 12))
    change = {"namespace": "shop", "attributes": {"workload": "db"}}
    shop.tell(-3, "ConfigChanged", "connections set to 5", **change)
    assert live.after(*scored(shop, 13)).written == 1
    assert shop.incidents()[0]["title"].endswith("after: connections set to 5")
    assert live.after(*scored(shop, 14)) is None


def test_an_incident_of_hours_is_kept_whole_by_ticks_alone(shop, live):
    shop.fill()
    for start in range(0, 600, 60):
        shop.flag("db", start, end=start + 50)
        live.after(*scored(shop, start + 51))
    (row,) = shop.incidents()
    assert len(row["anomaly_ids"]) == 10
    assert row["end"] - row["start"] == timedelta(minutes=590)


def test_the_worker_groups_after_a_tick_and_tells_of_a_failure(shop, tmp_path, monkeypatch):
    shop.fill()
    shop.flag("db", 0, end=3, state="interim")
    now = shop.at + 5 * MINUTE

    def clock():
        return now

    detection = DetectionSettings(also=())
    receiver = Receiver(shop.lake, tmp_path / "receiver", IngestSettings(), clock)
    live = Live(shop.lake, detection, shop.settings)
    worker = Worker(receiver, Ticker(shop.lake, detection), clock, live=live)
    worker._tick()
    assert [row["entities"] for row in shop.incidents()] == [["shop/db"]]
    monkeypatch.setattr(Live, "after", lambda *_: 1 / 0)
    now += MINUTE
    worker._tick()
    assert str(worker.problems()["incidents"]) == "ZeroDivisionError: division by zero"
    assert "tick" not in worker.problems()
    receiver.close()


def test_links_outlive_growth_compaction_and_a_second_opening(shop):
    shop.fill()
    shop.flag("db", 0, end=10)
    shop.update()
    shop.flag("cart", 2, end=12)
    shop.update()
    (row,) = shop.incidents()
    before = shop.lake.sql("SELECT * FROM anomalies ORDER BY ALL").to_pylist()
    for table in (shop.lake.anomalies, shop.lake.incidents):
        assert len(table.files()[1]) > 1
        compact(table, CompactionPolicy(), shop.at + timedelta(days=2))
        assert len(table.files()[1]) == 1
    again = Lake.open(shop.lake.root)
    assert again.sql("SELECT * FROM anomalies ORDER BY ALL").to_pylist() == before
    assert {one["incident_id"] for one in before} == {row["incident_id"]}
    assert shop.incidents() == [row]


@pytest.fixture
def read(monkeypatch):
    """The ranges of the reads of events, as they are read."""
    ranges, own = [], lake_events.happened

    def happened(*args, **more):
        ranges.append(args[3])
        return own(*args, **more)

    monkeypatch.setattr(lake_events, "happened", happened)
    return ranges


def late_change(shop, minute=-3, of="db"):
    about = {"namespace": "shop", "attributes": {"workload": of}}
    shop.tell(minute, "ConfigChanged", "connections set to 5", **about)


def three(shop, live):
    """Three incidents, of which causes are known."""
    shop.fill({("eu", "db", "http_errors"): (40, 9.0)})
    for number, (of, cluster) in enumerate([("db", "eu"), ("db", "us"), ("web", "eu")]):
        shop.flag(of, 20 * number, end=50, cluster=cluster, state="interim")
    live.after(*scored(shop, 52))
    shop.tell(51, "Created", "irrelevant", namespace="elsewhere")
    assert live.after(*scored(shop, 53)).written == 0
    assert len(shop.incidents()) == 3


def test_events_are_read_once_for_all_open_ones(shop, live, read):
    three(shop, live)
    read.clear()
    late_change(shop)
    done = live.after(*scored(shop, 54))
    # The second read is the ranking's.
    assert (done.written, len(read)) == (1, 2)
    (row,) = shop.incidents("revision = 2")
    assert row["title"].endswith("after: connections set to 5")


def test_no_events_are_read_while_it_is_to_stop_and_what_is_new_is_told_later(shop, live, read):
    three(shop, live)
    read.clear()
    late_change(shop)
    done = live.after(*scored(shop, 54), stopping=lambda: True)
    assert (done.written, done.pending, read) == (0, True, [])
    assert live.after(*scored(shop, 55)).written == 1


def test_nor_by_a_round_that_has_ranked_all_that_it_may(shop, live, read, monkeypatch):
    three(shop, live)
    late_change(shop)
    read.clear()
    monkeypatch.setattr(live_module, "AT_ONCE", 1)
    shop.flag("cart", 53, end=54, cluster="us", metric="cpu_cores", score=50.0, namespace="other")
    assert live.after(*scored(shop, 55)).pending
    assert len(read) == 1
    assert live.after(*scored(shop, 56)).written == 1
    done = live.after(*scored(shop, 57))
    assert (done.written, done.pending) == (0, False)


def test_of_too_many_events_the_newest_are_read(shop, live, monkeypatch):
    monkeypatch.setattr(lake_events, "MOST_EVENTS", 5)
    three(shop, live)
    for minute in range(-100, -90):
        shop.tell(minute, "BackOff", namespace="shop", name="x", type="Warning", source="kubelet")
    # None of the noise is about one of them: that others are read of less is no news.
    assert live.after(*scored(shop, 54)).written == 0
    late_change(shop)
    assert live.after(*scored(shop, 55)).written == 1
    assert live.after(*scored(shop, 56)) is None
    shop.tell(57, "Created", "irrelevant", namespace="elsewhere")
    assert live.after(*scored(shop, 58)).written == 0


def test_what_another_cluster_has_too_many_of_is_no_news(shop, live, monkeypatch):
    """Read for both at once, the change that the first knows of is not among the newest."""
    monkeypatch.setattr(lake_events, "MOST_EVENTS", 5)
    late_change(shop)
    three(shop, live)
    about = {"namespace": "shop", "name": "x", "type": "Warning", "source": "kubelet"}
    for minute in range(10):
        shop.tell(minute, "BackOff", cluster="us", **about)
    assert live.after(*scored(shop, 54)).written == 0
