"""Incidents open, grow, merge, resolve and are withdrawn; their ids stay."""

from datetime import timedelta

import numpy as np
import pytest

from lake import Lake, TimeRange
from lake.schema import ALL_CLUSTERS
from orchestration.detection_settings import DetectionSettings
from orchestration.steps.incidents.browse import give_feedback
from orchestration.steps.incidents.describe import PENDING
from orchestration.steps.incidents.update import update


def forget(shop, anomaly_id):
    """Scoring again has found nothing there."""
    shop.lake.anomalies.replace(
        shop.lake.sql("SELECT * EXCLUDE (date) FROM anomalies WHERE false"),
        f"date = '2026-11-23' AND anomaly_id = '{anomaly_id}'",
    )


def ids_of(rows):
    return [row["incident_id"] for row in rows]


def members_of(rows):
    return [sorted(row["anomaly_ids"]) for row in rows]


def test_callers_that_fail_with_what_they_call_are_one_incident(shop):
    shop.fill({("eu", "db", "http_errors"): (0, 50.0)})
    own = [shop.flag("db", 0), shop.flag("cart", 2), shop.flag("web", 4)]
    other = shop.flag("db", 2, cluster="us", metric="cpu_cores")
    shop.update()
    assert sorted(members_of(shop.incidents())) == sorted([sorted(own), [other]])


@pytest.mark.parametrize(
    ("metric", "minute", "others", "count"),
    [
        ("container_cpu_cfs_throttled_seconds_total", 7, 0, 1),
        ("http_errors", 7, 0, 2),  # no node makes requests fail
        ("container_cpu_cfs_throttled_seconds_total", 30, 0, 2),  # much later
        ("container_cpu_cfs_throttled_seconds_total", 7, 5, 2),  # one node of many
    ],
)
def test_a_workload_that_is_short_of_what_its_node_has_is_one_incident_with_it(
    shop, fill, metric, minute, others, count
):
    """Where its pods are judged together, no pod tells the node."""
    shop.fill()
    about = {"__name__": "up", "cluster": "eu", "namespace": "shop"}
    pods = [f"cart-7c9d8f6b54-{letter * 5}" for letter in "bcdfg"[:others]]
    labels = [about | {"pod": pod, "node": f"m{n}"} for n, pod in enumerate(pods)]
    if labels:
        start = round(shop.at.timestamp() * 1000)
        fill(shop.lake, labels, [np.array([start])] * others, [np.ones(1)] * others)
    nothing = dict.fromkeys(("workload", "series_id", "pod", "namespace"))
    shop.flag("node", 0, metric="node_load1", **nothing | {"node": "n1"})
    shop.flag("cart", minute, metric=metric, series_id=None, pod=None, node=None)
    shop.update(calls=())
    assert len(shop.incidents()) == count


def test_a_neighbour_that_fails_an_hour_later_is_another_incident(shop):
    shop.fill()
    shop.flag("db", 0, end=100)
    shop.flag("cart", 60, end=100)
    shop.update()
    assert [len(own) for own in members_of(shop.incidents())] == [1, 1]


def test_the_same_anomalies_give_the_same_incidents_and_nothing_is_written_again(shop):
    shop.fill()
    shop.flag("db", 0)
    shop.flag("cart", 2)
    first = shop.update()
    rows = shop.incidents()
    assert (first.incidents, first.written) == (1, 1)
    version = shop.lake.incidents.files()[0]
    again = shop.update()
    assert (again.incidents, again.written) == (1, 0)
    assert shop.lake.incidents.files()[0] == version
    assert shop.incidents() == rows


def test_an_incident_is_open_while_it_goes_on_and_resolved_when_it_has_been_quiet(shop):
    shop.fill()
    shop.flag("db", 0, end=10, state="interim")
    shop.update(now=12)
    assert [row["state"] for row in shop.incidents()] == ["open"]
    shop.flag("db", 0, end=15, state="final")
    shop.update(now=20)
    assert [row["state"] for row in shop.incidents()] == ["open"]
    shop.update(now=50)
    assert [row["state"] for row in shop.incidents()] == ["resolved"]


def test_it_grows_under_its_id_and_keeps_its_start(shop):
    shop.fill()
    shop.flag("db", 5)
    shop.update(now=10)
    (before,) = shop.incidents()
    # Found later, though it began before: windows look back.
    shop.flag("cart", 1)
    shop.flag("web", 6)
    shop.update()
    (after,) = shop.incidents()
    assert after["incident_id"] == before["incident_id"]
    assert after["start"] == before["start"]
    assert len(after["anomaly_ids"]) == 3


def test_the_id_does_not_depend_on_when_it_was_grouped(shop, lake, tmp_path, fill):
    shop.fill()
    shop.flag("db", 0)
    shop.update(now=5)
    shop.flag("cart", 2)
    shop.update(now=10)
    other = type(shop)(Lake.open(tmp_path / "other"), fill)
    other.fill()
    other.flag("db", 0)
    other.flag("cart", 2)
    other.update(now=600, since=-600)
    assert ids_of(other.incidents()) == ids_of(shop.incidents())


def test_two_that_meet_become_the_earlier_one(shop):
    shop.fill()
    shop.flag("web", 0, end=40)
    shop.flag("db", 6, end=40)
    shop.update(now=10)
    assert len(shop.incidents()) == 2
    first, second = shop.incidents()
    # What stands between them begins at the right moment to belong to both.
    shop.flag("cart", 8, end=40)
    shop.update(now=60)
    (now,) = shop.incidents()
    assert now["incident_id"] == first["incident_id"]
    assert len(now["anomaly_ids"]) == 3
    (gone,) = shop.incidents("state = 'merged'")
    assert (gone["incident_id"], gone["merged_into"]) == (
        second["incident_id"],
        first["incident_id"],
    )
    shop.update(now=61)
    assert ids_of(shop.incidents()) == [first["incident_id"]]


def test_the_same_workload_at_once_in_two_clusters_is_one_of_all_and_one_of_each(shop):
    shop.fill()
    shop.flag("cart", 0)
    shop.update(now=10)
    (alone,) = shop.incidents()
    assert alone["cluster"] == "eu"
    shop.flag("cart", 3, cluster="us")
    done = shop.update(now=30)
    both, *parts = sorted(shop.incidents(), key=lambda row: row["cluster"])
    assert (both["cluster"], both["clusters"], done.incidents) == (ALL_CLUSTERS, ["eu", "us"], 1)
    assert [row["cluster"] for row in parts] == ["eu", "us"]
    assert {row["merged_into"] for row in parts} == {both["incident_id"]}
    # Who may see one cluster alone reads nothing of the other.
    assert parts[0]["incident_id"] == alone["incident_id"]
    assert parts[0]["clusters"] == ["eu"]
    assert {one["cluster"] for one in parts[0]["causes"]} == {"eu"}
    # An anomaly names the one that whoever sees it may open.
    named = shop.lake.sql("SELECT cluster, incident_id FROM anomalies ORDER BY 1").to_pylist()
    assert [row["incident_id"] for row in named] == ids_of(parts)


def test_it_is_withdrawn_when_scoring_again_finds_nothing(shop):
    shop.fill()
    one = shop.flag("db", 0)
    shop.update()
    forget(shop, one)
    shop.update()
    assert shop.incidents() == []
    assert [row["state"] for row in shop.incidents("true")] == ["withdrawn"]


def test_anomalies_name_their_incident(shop):
    shop.fill()
    shop.flag("db", 0)
    shop.flag("cart", 2)
    shop.update()
    (row,) = shop.incidents()
    named = shop.lake.sql("SELECT DISTINCT incident_id FROM anomalies").to_pylist()
    assert named == [{"incident_id": row["incident_id"]}]
    assert shop.lake.sql("SELECT count(*) AS n FROM anomalies").to_pylist() == [{"n": 2}]


def test_what_begins_now_and_then_is_no_long_chain(shop):
    shop.fill()
    for number in range(12):
        shop.flag(f"svc{number}", 4 * number, end=4 * number + 2, score=1.1)
    shop.update(now=300)
    rows = shop.incidents()
    assert max(len(row["anomaly_ids"]) for row in rows) <= 2
    assert {row["severity"] for row in rows} <= {"low", "minor"}


def test_scoring_an_old_day_again_leaves_a_long_incident_whole(shop):
    shop.fill()
    day = 24 * 60
    for start in range(0, 2 * day, 120):
        shop.flag("cart", start, end=start + 110)
    shop.update(now=3 * day)
    (before,) = shop.incidents()
    assert len(before["anomaly_ids"]) == 24
    shop.update(now=300, since=-60)
    assert [len(own) for own in members_of(shop.incidents())] == [24]
    assert ids_of(shop.incidents()) == [before["incident_id"]]


def test_one_that_falls_apart_is_two_and_both_are_whole(shop):
    shop.fill()
    shop.flag("db", 0, end=10)
    middle = shop.flag("db", 35, end=45)
    shop.flag("db", 70, end=80)
    shop.update(now=200)
    (before,) = shop.incidents()
    forget(shop, middle)
    done = shop.update(now=201)
    assert (done.incidents, done.written) == (2, 2)
    first, second = shop.incidents()
    assert first["incident_id"] == before["incident_id"] != second["incident_id"]
    assert [len(own) for own in members_of([first, second])] == [1, 1]
    assert shop.update(now=202).written == 0


def test_scored_again_it_began_a_minute_earlier_and_is_the_same(shop):
    shop.fill()
    one = shop.flag("db", 1)
    shop.update()
    (before,) = shop.incidents()
    forget(shop, one)
    shop.flag("db", 0)
    shop.update()
    (after,) = shop.incidents()
    assert after["incident_id"] == before["incident_id"]
    assert shop.incidents("state = 'withdrawn'") == []


def test_the_newest_row_counts_though_the_clock_was_set_back(shop):
    shop.fill()
    shop.flag("db", 0)
    shop.update(now=120)
    shop.flag("cart", 2)
    assert shop.update(now=60).written == 1
    assert [len(own) for own in members_of(shop.incidents())] == [2]
    assert shop.update(now=60).written == 0


def test_a_link_to_another_incident_counts_at_the_same_version_of_the_samples(shop):
    """The ids' order is chance, so several are tried."""
    shop.fill()
    for number in range(5):
        at = 1000 * number
        later = shop.flag("db", at + 6, end=at + 40)
        shop.flag("web", at, end=at + 40)
        shop.update(now=at + 50, since=at - 30)
        shop.flag("cart", at + 8, end=at + 40)
        shop.update(now=at + 50, since=at - 30)
        version = shop.lake.anomalies.files()[0]
        shop.update(now=at + 50, since=at - 30)
        assert shop.lake.anomalies.files()[0] == version
        incident = shop.incidents()[-1]
        assert len(incident["anomaly_ids"]) == 3
        query = "SELECT incident_id FROM anomalies WHERE anomaly_id = $id"
        named = shop.lake.sql(query, {"id": later}).to_pylist()
        assert named == [{"incident_id": incident["incident_id"]}]


def test_a_failure_to_rank_causes_keeps_no_incident_back(shop, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("orchestration.steps.incidents.lake_causes.rank", fail)
    shop.fill()
    shop.flag("db", 0)
    shop.update()
    (row,) = shop.incidents()
    assert row["abstained"] == "its causes could not be ranked: ZeroDivisionError"
    assert row["causes"] == []
    assert row["title"].startswith("shop/db in eu: errors since 09:00")


def test_the_worst_are_ranked_first_and_the_others_next(shop):
    shop.fill()
    for number in range(4):
        shop.flag(f"svc{number}", 40 * number, end=40 * number + 5, score=2.0 + number)
    between = TimeRange(shop.at - timedelta(hours=1), shop.at + timedelta(hours=5))
    args = (shop.lake, DetectionSettings(), shop.settings, between, between.end)
    assert update(*args, most_ranked=3).due is not None
    waiting = [row["entities"] for row in shop.incidents() if row["abstained"] == PENDING]
    assert waiting == [["shop/svc0"]]
    assert update(*args, most_ranked=3).due is None
    assert [row["abstained"] == PENDING for row in shop.incidents()] == [False] * 4


def test_an_open_one_of_long_ago_is_resolved(shop):
    shop.fill()
    shop.flag("db", 0, end=10, state="interim")
    shop.update(now=12)
    shop.flag("db", 0, end=15, state="final")
    days = 40 * 24 * 60
    shop.update(now=days, since=days - 60)
    assert [row["state"] for row in shop.incidents()] == ["resolved"]


def test_what_was_refused_hours_later_does_not_join_it_now(shop):
    shop.fill()
    denied = 'admission webhook "validation.gatekeeper.sh" denied the request'
    about = {"source": "kubernetes", "kind": "Deployment", "namespace": "shop", "type": "Warning"}
    for minute in (700, 705):
        for name in ("web", "db"):
            shop.tell(minute, "FailedCreate", denied, name=name, **about)
    shop.flag("web", 0, end=20)
    shop.flag("db", 10, end=20)
    shop.update(now=900, calls=())
    assert len(shop.incidents()) == 2
    shop.flag("web", 700, end=720, metric="cpu_cores")
    shop.flag("db", 708, end=720, metric="cpu_cores")
    shop.update(now=900, calls=())
    assert sorted(len(own) for own in members_of(shop.incidents())) == [1, 1, 2]


def test_a_score_beyond_measure_is_told_in_numbers(shop):
    shop.fill()
    shop.flag("db", 0, score=float("inf"), actual=float("nan"))
    shop.update()
    (row,) = shop.incidents()
    assert row["impact"]["peak"] == 1e6
    assert row["impact"]["symptoms"][0]["actual"] is None


@pytest.mark.parametrize(("end", "written"), [(24, 0), (80, 1)])
def test_a_growing_incident_is_told_again_when_it_matters(shop, end, written):
    shop.fill()
    shop.flag("db", 0, end=10, state="interim")
    shop.update(now=12)
    shop.flag("db", 0, end=end, state="interim")
    done = shop.update(now=end + 2)
    # A few minutes more are not worth a commit; a quarter of an hour is.
    assert done.written == written
    assert shop.incidents()[0]["state"] == "open"


def test_what_was_called_false_is_quieter_next_time_and_says_so(shop):
    shop.fill()
    shop.flag("cart", 0, end=200, score=30.0)
    shop.update(now=300)
    (first,) = shop.incidents()
    assert first["severity"] != "low"
    give_feedback(shop.lake, first["incident_id"], "false", shop.at)
    shop.flag("cart", 600, end=800, score=30.0)
    shop.flag("db", 600, end=800, score=30.0, cluster="us", metric="cpu_cores")
    shop.update(now=900, since=550)
    _, same, other = shop.incidents()
    if other["entities"] == ["shop/cart"]:
        same, other = other, same
    assert same["severity"] == "low"
    assert first["incident_id"] in same["quieted"]
    assert other["quieted"] is None
    assert other["severity"] != "low"
    # Somebody thinks again.
    give_feedback(shop.lake, first["incident_id"], "confirmed", shop.at.replace(hour=10))
    shop.flag("cart", 1200, end=1400, score=30.0)
    shop.update(now=1500, since=1150)
    assert shop.incidents()[-1]["quieted"] is None


def test_what_was_called_false_does_not_quieten_what_is_much_louder_or_broader(shop):
    shop.fill()
    shop.flag("cart", 0, end=20, score=2.0)
    shop.update(now=300)
    give_feedback(shop.lake, shop.incidents()[0]["incident_id"], "false", shop.at)
    shop.flag("cart", 600, end=900, score=30.0)
    shop.update(now=1000, since=550)
    assert shop.incidents()[-1]["quieted"] is None
    shop.flag("cart", 1200, end=1220, score=2.0)
    shop.flag("web", 1201, end=1220, score=2.0)
    shop.flag("db", 1202, end=1220, score=2.0)
    shop.update(now=1400, since=1150)
    assert shop.incidents()[-1]["quieted"] is None
    shop.flag("cart", 1800, end=1820, score=2.0)
    shop.update(now=2000, since=1750)
    assert "was called false" in shop.incidents()[-1]["quieted"]


def test_what_is_said_in_one_cluster_counts_for_no_other(shop):
    shop.fill()
    shop.flag("cart", 0, cluster="us", score=30.0, end=200)
    shop.update(now=300)
    (theirs,) = shop.incidents()
    about = {"kind": "Incident", "name": theirs["incident_id"]}
    verdict = {"attributes": {"verdict": "false"}}
    shop.tell(0, "False", cluster="eu", source="feedback", **about, **verdict)
    shop.flag("cart", 600, cluster="us", score=30.0, end=800)
    shop.update(now=900, since=550)
    assert [row["quieted"] for row in shop.incidents()] == [None, None]


def test_a_cause_that_somebody_named_counts_next_time(shop):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    shop.flag("cart", 0, end=20)
    shop.update(now=300)
    (first,) = shop.incidents()
    assert first["causes"][0]["entity"] == "shop/cart"
    give_feedback(shop.lake, first["incident_id"], "confirmed", shop.at, cause="shop/db")
    shop.flag("cart", 600, end=620)
    shop.update(now=900, since=550)
    told = {one["entity"]: one for one in shop.incidents()[-1]["causes"]}
    kinds = {one["kind"]: one["reason"] for one in told["shop/db"]["evidence"]}
    assert kinds["told"] == f"was said to be the cause of {first['incident_id']}"


def test_all_incidents_of_a_day_that_is_grouped_at_once_are_ranked(shop):
    """One of several clusters is a row more than its members'."""
    shop.fill()
    shop.flag("db", 0, end=10)
    shop.flag("db", 1, end=10, cluster="us")
    shop.update()
    told = [row["abstained"] for row in shop.incidents()]
    assert len(told) >= 2
    assert not [text for text in told if text == PENDING]
