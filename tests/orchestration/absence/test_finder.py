"""What falls silent is found once, at its highest level; what comes and goes is not."""

import math
from datetime import timedelta

import numpy as np
import pytest

from lake import TimeRange
from orchestration.steps.absence.finder import Absence
from orchestration.steps.look import Look
from tests.orchestration.absence.fleet import CARTS, END, Fleet, about, at, node_dies

MINUTE = timedelta(minutes=1)


def test_a_fleet_that_reports_is_no_news(fleet, find):
    assert find(fleet) == []


def test_a_dead_cluster_is_one_row(fleet, find):
    fleet.silence(at(8), cluster="c2")
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c2"}
    assert (row["start"], row["end"], row["state"]) == (at(8), END, "interim")
    alive = sum(one["cluster"] == "c2" for one in fleet.series)
    assert (row["actual"], row["expected"], row["direction"]) == (0.0, alive, "below")
    assert row["score"] == pytest.approx(1 + math.log(240 / 10))
    assert row["p_value"] < 1e-6


def test_a_target_that_dies_and_comes_back_is_one_row(fleet, find):
    fleet.silence(at(8), at(9), cluster="c1", job="node-exporter", instance="10.0.0.2:9100")
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c1", "job": "node-exporter", "instance": "10.0.0.2:9100"}
    assert (row["start"], row["end"], row["state"]) == (at(8), at(9), "final")
    assert (row["actual"], row["expected"]) == (0.0, 5.0)


def test_a_short_silence_is_none(fleet, find):
    fleet.silence(at(8), at(8, 9), cluster="c1")
    assert find(fleet) == []


def test_all_targets_of_a_job_are_one_row(fleet, find):
    fleet.silence(at(8), cluster="c1", job="node-exporter")
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c1", "job": "node-exporter"}


def test_a_metric_lost_by_a_living_target_names_it(fleet, find):
    of = {"cluster": "c1", "instance": "10.0.0.2:9100"}
    fleet.silence(at(8), __name__="node_load1", **of)
    (row,) = find(fleet)
    assert about(row) == {**of, "job": "node-exporter", "metric": "node_load1"}
    assert (row["actual"], row["expected"]) == (4.0, 5.0)


def test_one_series_of_a_metric_is_found_too(fleet, find):
    of = {"cluster": "c1", "instance": "10.0.0.2:9100"}
    fleet.silence(at(8), __name__="node_disk_reads_total", device="sdb", **of)
    (row,) = find(fleet)
    assert about(row) == {**of, "job": "node-exporter", "metric": "node_disk_reads_total"}


def test_a_counter_lost_by_an_upgrade_is_one_row_of_its_job(fleet, find):
    rolled(fleet, 8)
    fleet.silence(at(8), cluster="c1", job="cart", __name__="http_errors_total")
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c1", "job": "cart", "metric": "http_errors_total"}


def rolled(fleet, hour):
    """The cart of c1 gets new pods, one each five minutes."""
    for number in range(1, 4):
        moment = at(hour, 5 * number)
        fleet.silence(moment, cluster="c1", pod=CARTS[number - 1])
        new = CARTS[number - 1].replace("7c9d8f6b54", "6b5f4d7c88")
        fleet.pod("c1", "cart", new, f"n{5 - number}", since=moment)


def test_a_rolling_update_is_none(fleet, find):
    rolled(fleet, 8)
    assert find(fleet) == []


def test_what_comes_and_goes_is_none(fleet, find):
    # Each hour for ten minutes; once a day; at random.
    hourly = [minute for minute in range(720) if minute % 60 < 10]
    rng = np.random.default_rng(3)
    now_and_then = np.flatnonzero(rng.random(720) < 0.04)
    for metric, minutes in (("hourly", hourly), ("daily", range(350, 362)), ("rare", now_and_then)):
        fleet.add("c1", f"{metric}_seconds", job=metric, instance=f"{metric}:80", minutes=minutes)
    for hour in range(12):
        fleet.pod("c1", "backup", f"backup-2839{hour:04}-x2v9k", "n1", since=at(hour),
                  until=at(hour, 8))  # fmt: skip
    assert find(fleet) == []


def test_what_is_pushed_each_ten_minutes_is_missed_after_some_of_them(fleet, find):
    fleet.add("c1", "slow", job="slow", instance="s", minutes=range(0, 720, 10))
    assert find(fleet) == []
    fleet = Fleet()
    fleet.add("c1", "slow", job="late", instance="s", minutes=range(0, 480, 10))
    (row,) = find(fleet, end=at(10))
    assert about(row) == {"cluster": "c1", "job": "late"}
    assert row["score"] == pytest.approx(1 + math.log(129 / 33), rel=0.1)


def test_a_new_series_is_none_before_it_has_a_history(fleet, find):
    fleet.add("c1", "young", job="new", instance="n", since=at(4), until=at(7))
    assert find(fleet) == []


def test_nobody_was_heard_while_the_receiver_was_down(fleet, find):
    fleet.silence(at(8), at(9))
    assert find(fleet) == []


def test_what_is_silent_for_long_has_ended_for_good(fleet, find, settings):
    fleet.silence(at(6, 10), cluster="c2")
    (row,) = find(fleet)
    assert row["end"] == END
    forget = settings.absence.model_copy(update={"forget": timedelta(hours=2)})
    short = settings.model_copy(update={"absence": forget})
    (row,) = find(fleet, put=False, settings=short)
    assert (row["start"], row["end"], row["state"]) == (at(6, 10), at(8, 10), "final")
    assert find(fleet, start=at(9), put=False, settings=short) == []


def test_what_nobody_misses_is_none(fleet, find, settings):
    fleet.silence(at(8), cluster="c1", job="node-exporter")
    ignore = settings.absence.model_copy(update={"ignore": "node-.*"})
    assert find(fleet, settings=settings.model_copy(update={"absence": ignore})) == []


def test_only_clusters_that_are_looked_at(fleet, find):
    for cluster in ("c1", "c2"):
        fleet.silence(at(8), cluster=cluster)
    assert [row["cluster"] for row in find(fleet, but_not=("c1",))] == ["c2"]
    assert [row["cluster"] for row in find(fleet, put=False, clusters=("c1",))] == ["c1"]


def test_an_empty_lake_has_nothing_that_is_missed(find):
    assert find(Fleet(clusters=())) == []


def test_what_is_off_at_this_time_each_day_is_none(lake, fill, find):
    fleet = Fleet(end=at(36))
    for day in (0, 1):
        fleet.silence(at(24 * day + 8), at(24 * day + 9, 7 * day), cluster="c2")
    fleet.silence(at(24 + 8), at(24 + 9), cluster="c3")
    fleet.put(fill, lake, end=at(36))
    rows = find(fleet, start=at(30), end=at(36), put=False)
    assert [about(row) for row in rows] == [{"cluster": "c3"}]


def test_a_target_that_is_still_scraped_is_missed_though_its_like_come_and_go(fleet, find):
    fleet.silence(at(8), cluster="c1", pod=CARTS[1])
    assert find(fleet) == []
    fleet = Fleet(clusters=("c4", "c5"))
    fleet.silence(at(8), cluster="c4", pod=CARTS[1], but_not=("up",))
    (row,) = find(fleet)
    assert about(row) == {"cluster": "c4", "job": "cart", "instance": f"{CARTS[1]}:8080"}


@pytest.mark.parametrize("what", ["cluster", "node", "job"])
def test_what_explains_is_known_before_what_it_explains(lake, fill, settings, fleet, what):
    """Looked at each minute; of what dies together, half was scraped a minute before the rest."""
    if what == "cluster":
        fleet.silence(at(8), cluster="c1")
        fleet.silence(at(7, 59), cluster="c1", job=("node-exporter", "cart"))
    elif what == "node":
        node_dies(fleet, 8)
        fleet.silence(at(7, 59), cluster="c1", instance="10.0.0.2:9100")
    else:
        fleet.silence(at(8), cluster="c1", job="node-exporter")
        fleet.silence(at(7, 59), cluster="c1", instance=("10.0.0.1:9100", "10.0.0.3:9100"))
    fleet.put(fill, lake)
    finder = Absence()
    seen = []
    for minute in range(1, 26):
        end = at(8, minute)
        look = Look(lake.snapshot(), TimeRange(end - timedelta(minutes=36), end), settings, end)
        seen += [tuple(about(row)) for row in finder.find(look)]
    assert set(seen) == {("cluster", what) if what != "cluster" else ("cluster",)}
