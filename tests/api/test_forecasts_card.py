"""What the page says of forecasts where there is little to show."""

import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from api.pages.data import MOST_FORECASTS, MOST_PASSED, Foretold, read_overview
from api.pages.forecasts_card import hint, nothing
from api.pages.rows import forecast_row
from lake.schema import FORECASTS
from orchestration import forecaster as forecaster_module
from orchestration.forecast_settings import ForecastSettings
from orchestration.steps.forecast.known import Known

HOURS = timedelta(hours=1)
MADE = datetime(2026, 3, 2, 22, tzinfo=UTC)
NOBODY = Foretold([], [], False, Known(0, {}, None, None), 4 * HOURS)


def foretold(count, *, more=False, resources=7):
    return Foretold([], [{}] * count, more, Known(resources, {}, MADE, 4 * HOURS), 4 * HOURS)


def test_how_much_of_it_is_here():
    assert hint(NOBODY) == ""
    assert hint(foretold(0)) == "nothing new since 02 Mar 22:00 UTC"
    assert hint(foretold(3)).startswith("3 of 7 resources, within 4 h; made 02 Mar 22:00 UTC")
    assert hint(foretold(3, more=True)).startswith("the soonest 3 of 7 resources")


@pytest.mark.parametrize(
    ("found", "settings", "filtered", "text"),
    [
        (foretold(0, resources=1), {}, False, "The one resource reaches no level within 4 h."),
        (foretold(0), {}, True, "None of 7 resources reaches its next level within 4 h."),
        (NOBODY, {}, True, "No resource of the clusters that are chosen has a forecast"),
        (NOBODY, {"horizon": 2 * HOURS}, False, "every 15 min the server foretells .* with 2 h of"),
        (NOBODY, {"resident": False}, False, "every 15 min Dagster's schedule foretells"),
    ],
)
def test_why_there_is_nothing(found, settings, filtered, text):
    said = nothing(found, ForecastSettings(**settings), filtered=filtered)
    assert re.search(text, said), said


def row(now, name, hours, **more):
    return dict.fromkeys(FORECASTS.schema.names) | {
        "cluster": "eu-1",
        "forecast_id": name,
        "resource": "volume",
        "made_at": now - 0.1 * HOURS,
        "eta": now + hours * HOURS,
        "horizon_seconds": 12 * 3600.0,
        "abstained": False,
        "lake_version": 1,
        **more,
    }


def test_it_reads_as_far_as_is_looked_ahead_of_the_clusters_that_are_chosen(start, now):
    with start() as running:
        many = [row(now, f"{n:02}", 11, cluster="us-2") for n in range(MOST_FORECASTS + 1)]
        table = pl.DataFrame([row(now, "far", 9), *many]).to_arrow()
        running.lake.forecasts.append(table.cast(FORECASTS.schema))

        def read(*clusters):
            return read_overview(running.service, 24 * HOURS, HOURS, clusters, 1.0).forecasts

        found = read("eu-1")
        assert [one["forecast_id"] for one in found.rows] == ["far"]
        assert (found.more, found.within, found.known.resources) == (False, 12 * HOURS, 1)
        found = read()
        assert (len(found.rows), found.more) == (MOST_FORECASTS, True)
        assert found.known.resources == MOST_FORECASTS + 2
        assert read("none").known.made_at is None


PAST = {"abstained": True, "reason": "threshold already passed", "eta": None, "threshold": 1.0}


def test_what_is_full_is_read_first_and_hides_nothing_that_fills(start, now):
    with start() as running:
        full = [row(now, f"{n:02}", 0, **PAST) for n in range(MOST_PASSED)]
        news = row(now, "news", 0, **PAST, eta_upper=now - HOURS)
        rows = pl.DataFrame([*full, news, row(now, "fills", 9)]).to_arrow()
        running.lake.forecasts.append(rows.cast(FORECASTS.schema))
        found = read_overview(running.service, 24 * HOURS, HOURS, [], 1.0).forecasts
        assert [one["forecast_id"] for one in found.rows] == ["fills"]
        assert len(found.passed) == MOST_PASSED
        shown = forecast_row(found.passed[0], now)
        assert (shown["id"], shown["left_text"], shown["soon"]) == ("news", "past", True)
        assert shown["does"] == "is past 1 since 11:00 UTC"
        assert shown["due_text"] == "23 Nov 11:00"
        unknown = forecast_row(found.passed[1], now)
        assert unknown["does"] == "is past 1 for as long as is looked back"
        assert (unknown["due_text"], unknown["between_text"]) == ("–", "–")
        assert found.known.left_out() == [
            f"{MOST_PASSED + 1} past their last level, spent or expired"
        ]


def test_rounds_that_fail_are_among_what_is_wrong(running, monkeypatch):
    monkeypatch.setattr(forecaster_module, "current", lambda *_: 1 / 0)
    running.service.forecaster.run_if_due()
    errors = read_overview(running.service, 24 * HOURS, HOURS, [], 1.0).errors
    assert errors == {
        "reading forecasts": "ZeroDivisionError: division by zero (since 2026-11-23 12:00:00 UTC)"
    }
