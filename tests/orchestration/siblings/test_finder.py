"""The same workload in several clusters, in a real lake: which of them departs."""

import numpy as np
import pytest

from ingest.series import identify
from lake import Lake, TimeRange
from orchestration.family_settings import FamilySettings
from orchestration.steps import explain
from orchestration.steps.detect import detect_range
from orchestration.steps.look import Look
from orchestration.steps.siblings.finder import Siblings
from tests.orchestration.siblings.fleet import (
    ERRORS,
    MINUTE,
    MINUTES,
    REQUESTS,
    SETTINGS,
    Fleet,
    at,
    essence,
    of,
    rows,
)


def test_a_clean_fleet_is_quiet(scored):
    assert scored(Fleet()) == []


def test_a_departure_within_the_clusters_own_range_is_found_by_siblings_alone(scored):
    fleet = Fleet().during(REQUESTS, 405, 455, 0.5, ["eu"])
    (row,) = scored(fleet)
    assert (row["detector"], row["cluster"], row["metric"]) == ("siblings", "eu", REQUESTS)
    assert (row["namespace"], row["workload"], row["pod"]) == ("shop", "cart", None)
    assert row["direction"] == "below"
    assert row["upper"] > row["expected"] > row["lower"] > row["actual"]
    assert row["expected"] == pytest.approx(2 * row["actual"], rel=0.25)
    assert at(403) <= row["start"] <= at(412)
    assert at(450) <= row["end"] <= at(468)
    assert row["score"] > 1.0
    assert row["p_value"] < 1e-3


def test_its_id_is_that_of_a_series_without_places(scored):
    (row,) = scored(Fleet().during(REQUESTS, 405, 455, 0.4, ["eu"]))
    own = {"__name__": REQUESTS, "cluster": "eu", "namespace": "shop", "workload": "cart"}
    assert row["series_id"] == identify(own.items()).series_id


def test_one_clusters_fault_is_told_as_before(scored):
    found = scored(Fleet().during(ERRORS, 420, 480, 8.0, ["us"]))
    assert {row["cluster"] for row in found} == {"us"}
    assert {row["detector"] for row in found} == {"siblings", "window_memory"}
    assert {row["direction"] for row in found} == {"above"}


def test_where_siblings_disagree_nobody_is_told_apart(scored):
    fleet = Fleet().during(REQUESTS, 405, 455, 0.5, ["eu"])
    fleet.during(REQUESTS, 405, 455, 2.0, ["us"]).during(REQUESTS, 405, 455, 0.25, ["ap"])
    assert of(scored(fleet), "siblings") == []


def test_a_cluster_that_falls_silent_or_has_gaps_is_no_departure(scored):
    fleet = Fleet()
    for own in fleet.values.values():
        own[0, 430:] = np.nan
        own[1, 400:420] = np.nan
        own[2, np.random.default_rng(0).random(MINUTES) < 0.3] = np.nan
    assert of(scored(fleet), "siblings") == []


def test_a_cluster_that_joined_lately_abstains(scored):
    fleet = Fleet().during(REQUESTS, 405, 455, 0.1, ["eu"])
    for own in fleet.values.values():
        own[fleet.clusters.index("eu"), :200] = np.nan
    assert of(scored(fleet), "siblings") == []


def test_two_clusters_abstain(scored):
    fleet = Fleet(("eu", "us")).during(REQUESTS, 405, 455, 0.4, ["eu"])
    assert of(scored(fleet), "siblings") == []


def test_pods_that_are_replaced_or_added_are_no_departure(lake, fill, scored):
    fleet = Fleet()
    fleet.put(lake, fill, end=420)
    new = Fleet()
    new.labels = lambda metric, cluster, pod: (
        Fleet.labels(metric, cluster, pod)
        | ({"pod": f"cart-7c6b5d4f9c-{'xyz'[pod]}wwww"} if cluster == "eu" else {})
    )
    new.put(lake, fill, first=420)
    detect_range(lake, SETTINGS, TimeRange(at(390), at(MINUTES)), now=at(MINUTES + 1))
    assert of(rows(lake), "siblings") == []


@pytest.mark.parametrize("restarts", [(), (420, 450)])
def test_ticks_and_restarts_find_what_one_pass_finds(tmp_path, scored, ticked, restarts):
    # Across six o'clock and again at nine: models of two times judge it.
    settings = SETTINGS.model_copy(update={"refit_every": 90 * MINUTE, "include": REQUESTS})
    fleet = Fleet().during(REQUESTS, 425, 475, 0.5, ["eu"]).during(REQUESTS, 500, 530, 3.0, ["us"])
    whole = of(scored(fleet, settings), "siblings")
    assert len(whole) == 2
    other = Lake.open(tmp_path / "ticked")
    live = of(ticked(other, fleet, 30, settings, restarts), "siblings")
    assert essence(live) == essence(whole)


def test_what_comes_later_changes_nothing(lake, fill):
    fleet = Fleet().during(REQUESTS, 405, 455, 0.4, ["eu"])
    fleet.put(lake, fill, end=440)
    between = TimeRange(at(390), at(440))

    def look():
        return Siblings().find(Look(lake.snapshot(), between, SETTINGS, at(440)))

    before = look()
    fleet.during(REQUESTS, 440, MINUTES, 30.0, ["us", "ap"]).put(lake, fill, first=440)
    assert before
    assert essence(look()) == essence(before)


def test_only_the_clusters_asked_for_are_told_but_all_are_compared(lake, fill):
    fleet = Fleet().during(REQUESTS, 405, 455, 0.4, ["eu"])
    fleet.put(lake, fill)
    between = TimeRange(at(390), at(MINUTES))
    snapshot = lake.snapshot()

    def clusters(**changes):
        found = Siblings().find(Look(snapshot, between, SETTINGS, at(MINUTES), **changes))
        return {row["cluster"] for row in found}

    assert clusters(clusters=["eu"]) == {"eu"}
    assert clusters(clusters=["us"]) == set()
    assert clusters(but_not=["us"]) == {"eu"}
    assert clusters(but_not=["us", "ap"]) == set()


def test_a_chart_shows_the_workload_with_its_siblings_band(scored, lake):
    (row,) = scored(Fleet().during(REQUESTS, 405, 455, 0.4, ["eu"]))
    chart = explain.chart(lake, SETTINGS, row, margin=15 * MINUTE)
    peak = chart.times.index(row["peak_time"])
    for name in ("actual", "expected", "lower", "upper"):
        assert getattr(chart, name)[peak] == pytest.approx(row[name], rel=0.2)
    assert not chart.lower[peak] <= chart.actual[peak] <= chart.upper[peak]
    assert chart.lower[0] <= chart.actual[0] <= chart.upper[0]


def test_a_chart_of_what_is_gone_is_none(scored, lake):
    (row,) = scored(Fleet().during(REQUESTS, 405, 455, 0.4, ["eu"]))
    assert explain.chart(lake, SETTINGS, row | {"series_id": 7}) is None
    other = SETTINGS.model_copy(update={"exclude": REQUESTS})
    assert explain.chart(lake, other, row) is None


def test_what_does_no_harm_is_not_told(scored):
    fleet = Fleet().during(REQUESTS, 405, 455, 0.5, ["eu"]).during(REQUESTS, 490, 530, 3.0, ["us"])
    above = FamilySettings(metrics=REQUESTS, direction="above")
    found = scored(fleet, SETTINGS.model_copy(update={"families": (above,)}))
    assert {(row["cluster"], row["direction"]) for row in of(found, "siblings")} == {
        ("us", "above")
    }


def test_a_workload_that_joins_between_two_models_is_judged_from_the_next_on(lake, fill):
    fleet = Fleet()
    fleet.put(lake, fill, end=400)
    finder = Siblings()
    between = TimeRange(at(390), at(400))
    assert finder.find(Look(lake.snapshot(), between, SETTINGS, at(400))) == []
    other = Fleet(seed=2).during(REQUESTS, 420, 470, 0.2, ["eu"])
    other.labels = lambda *one: Fleet.labels(*one) | {"workload": "basket"}
    other.put(lake, fill, first=400)
    between = TimeRange(at(390), at(MINUTES))
    assert finder.find(Look(lake.snapshot(), between, SETTINGS, at(MINUTES))) == []
