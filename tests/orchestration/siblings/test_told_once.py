"""What all clusters show at once is told once, and more load not at all."""

import pytest

from lake import Lake, TimeRange
from orchestration.sibling_settings import SiblingsSettings
from orchestration.steps.detect import detect_range
from orchestration.steps.siblings.shared import Sharing
from orchestration.steps.tick import Ticker
from tests.orchestration.siblings.fleet import (
    BUSY,
    CLUSTERS,
    ERRORS,
    MINUTE,
    REQUESTS,
    SETTINGS,
    Fleet,
    at,
    essence,
    of,
    rows,
)


def told(found):
    return [(row["detector"], row["cluster"], row["metric"], row["direction"]) for row in found]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_common_traffic_peak_is_nobodys_anomaly(scored, seed):
    peak = Fleet(seed=seed).during(REQUESTS, 420, 480, 4.0).during(BUSY, 420, 480, 1.8)
    assert told(scored(peak)) == []


def test_without_the_comparison_the_peak_would_be_everybodys(scored):
    peak = Fleet().during(REQUESTS, 420, 480, 4.0)
    loud = SETTINGS.model_copy(update={"siblings": SiblingsSettings(quiet=False)})
    assert len(scored(peak, loud)) == 3 * len(CLUSTERS)


def test_a_fault_of_all_clusters_is_told_once(scored):
    fault = Fleet().during(ERRORS, 420, 480, 8.0)
    (row,) = scored(fault)
    assert (row["detector"], row["direction"]) == ("window_memory", "above everywhere")
    assert row["metric"] == ERRORS


def test_where_siblings_cannot_be_asked_each_cluster_is_told(scored, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Sharing, "_shared", broken)
    found = of(scored(Fleet().during(ERRORS, 420, 480, 8.0)), "window_memory")
    assert {row["cluster"] for row in found} == set(CLUSTERS)
    assert {row["direction"] for row in found} == {"above"}


def test_an_outage_of_all_is_told_once_though_it_is_load_that_falls(scored):
    (row,) = scored(Fleet(restless=0.05).during(REQUESTS, 420, 480, 0.02))
    assert row["direction"] == "below everywhere"


def test_what_rises_everywhere_without_more_load_is_told_once(scored):
    (row,) = scored(Fleet().during(BUSY, 420, 480, 4.0))
    assert row["direction"] == "above everywhere"


def test_the_first_to_be_ill_is_raised_until_the_others_follow(scored):
    first = Fleet().during(REQUESTS, 420, 440, 8.0, ["eu"]).during(REQUESTS, 440, 480, 8.0)
    found = of(scored(first), "window_memory")
    assert {(row["cluster"], row["direction"]) for row in found} == {("eu", "above")}
    assert max(row["end"] for row in found) < at(450)


def test_a_fault_of_all_is_told_once_by_ticks_as_well(tmp_path, ticked):
    settings = SETTINGS.model_copy(update={"include": ERRORS})
    fleet = Fleet().during(ERRORS, 420, 500, 8.0)
    (row,) = ticked(Lake.open(tmp_path / "ticked"), fleet, 30, settings, (450,))
    assert row["direction"] == "above everywhere"
    assert row["end"] - row["start"] >= 75 * MINUTE


def test_a_traffic_peak_is_nobodys_by_ticks_as_well(tmp_path, ticked):
    settings = SETTINGS.model_copy(update={"include": REQUESTS})
    fleet = Fleet().during(REQUESTS, 420, 480, 4.0)
    assert ticked(Lake.open(tmp_path / "ticked"), fleet, 30, settings) == []


def both_ways(tmp_path, fill, fleet, end, every):
    """What one pass and ticks find until a minute."""
    settings = SETTINGS.model_copy(update={"also": ()})
    once, live = (Lake.open(tmp_path / name) for name in ("once", "live"))
    for lake in (once, live):
        fleet.put(lake, fill)
    # The first tick looks back so far; what it learned from ends there.
    start = 391 - settings.min_length - settings.merge_gap
    detect_range(once, settings, TimeRange(at(start), at(end)), now=at(end) + settings.delay)
    ticker = Ticker(live, settings)
    for minute in range(391, end + 1, every):
        ticker.tick(at(minute) + settings.delay)
    return rows(once), rows(live)


def test_ticks_each_minute_find_what_one_pass_finds(tmp_path, fill):
    """One is ill first, the others follow, one stays ill; then load that makes work."""
    fleet = Fleet(restless=0.05)
    fleet.during(ERRORS, 400, 410, 8.0, ["us"]).during(ERRORS, 410, 425, 8.0)
    fleet.during(ERRORS, 425, 445, 8.0, ["sa"])
    fleet.during(REQUESTS, 415, 435, 4.0).during(BUSY, 415, 435, 3.0)
    found, live = both_ways(tmp_path, fill, fleet, 460, 1)
    assert {"above", "above everywhere"} == {row["direction"] for row in found}
    assert {row["metric"] for row in found} == {ERRORS}
    assert sorted(essence(live)) == sorted(essence(found))


def test_it_lasts_as_long_as_any_shows_it_and_stays_one(tmp_path, fill):
    """Where it began it is over soon; of five clusters one may be well."""
    fleet = Fleet(clusters=("ap", "eu", "sa", "us", "za"), restless=0.05)
    fleet.during(ERRORS, 400, 415, 8.0, ["ap"])
    fleet.during(ERRORS, 400, 500, 8.0, ["eu", "sa", "us", "za"])
    found, live = both_ways(tmp_path, fill, fleet, 511, 10)
    (row,) = found
    assert (row["cluster"], row["direction"]) == ("ap", "above everywhere")
    assert row["peak_time"] < at(420)
    assert row["end"] >= at(498)
    assert essence(live) == essence(found)
