"""Incidents open, grow, merge, resolve and are withdrawn; their ids stay."""

import pytest

from lake import Lake
from lake.schema import ALL_CLUSTERS
from orchestration.steps.incidents.browse import give_feedback


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


def test_the_same_workload_at_once_in_two_clusters_is_one_of_all_clusters(shop):
    shop.fill()
    shop.flag("cart", 0)
    shop.update(now=10)
    (alone,) = shop.incidents()
    assert alone["cluster"] == "eu"
    shop.flag("cart", 3, cluster="us")
    shop.update(now=30)
    (both,) = shop.incidents()
    assert (both["cluster"], both["clusters"]) == (ALL_CLUSTERS, ["eu", "us"])
    # Who may see one cluster alone is told that it went on, and nothing of the other.
    (gone,) = shop.incidents("state = 'merged'")
    assert (gone["cluster"], gone["incident_id"]) == ("eu", alone["incident_id"])
    assert gone["clusters"] == ["eu"]


def test_it_is_withdrawn_when_scoring_again_finds_nothing(shop):
    shop.fill()
    one = shop.flag("db", 0)
    shop.update()
    shop.lake.anomalies.replace(
        shop.lake.sql("SELECT * EXCLUDE (date) FROM anomalies WHERE false"),
        f"date = '2026-11-23' AND anomaly_id = '{one}'",
    )
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


@pytest.mark.parametrize(("end", "open_still"), [(24, True), (80, True)])
def test_a_growing_incident_is_told_again_when_it_matters(shop, end, open_still):
    shop.fill()
    shop.flag("db", 0, end=10, state="interim")
    shop.update(now=12)
    shop.flag("db", 0, end=end, state="interim")
    done = shop.update(now=end + 2)
    # A few minutes more are not worth a commit; a quarter of an hour is.
    assert done.written == (1 if end > 25 else 0)
    assert (shop.incidents()[0]["state"] == "open") == open_still


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
