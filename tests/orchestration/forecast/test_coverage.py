"""What became of forecasts: told, came, held, by what the lake got to know since."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from lake.schema import FORECASTS
from orchestration.forecast_settings import ForecastSettings, ResourceSettings
from orchestration.steps.forecast import coverage as coverage_module
from orchestration.steps.forecast.coverage import Verdict, coverage_of, judge

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
METRIC = "queue_length"
QUEUE = ResourceSettings(name="queue", metric=METRIC, threshold=100.0)
SETTINGS = ForecastSettings(resources=(QUEUE,))


@pytest.fixture
def passed(resources, now):
    """A queue that is at its threshold from an hour ago on: the column before begins at 60 min."""
    resources.put(np.r_[np.full(276, 50.0), np.full(12, 150.0)], metric=METRIC)
    (series,) = resources.lake.sql("SELECT series_id FROM series").to_pylist()
    return series["series_id"]


def told(lake, now, series_id, lower, upper, made=3 * HOUR, **changes):
    """A forecast made so long ago; its interval, in minutes before now."""
    row = dict.fromkeys(FORECASTS.schema.names) | {
        "cluster": "c1",
        "forecast_id": f"f{lower}-{upper}-{made}",
        "resource": "queue",
        "series_id": series_id,
        "metric": METRIC,
        "made_at": now - made,
        "threshold": 100.0,
        "eta": now - lower * MINUTE,
        "eta_lower": now - lower * MINUTE,
        "eta_upper": now - upper * MINUTE,
        "horizon_seconds": 4 * 3600.0,
        "abstained": False,
        "lake_version": 1,
    }
    table = pl.DataFrame([row | changes], infer_schema_length=None).to_arrow()
    lake.forecasts.append(table.cast(FORECASTS.schema))


# The passage is in the first column, 60 to 55 minutes before now.
INTERVALS = {
    "around": (80, 40, Verdict(1, 1, 1)),
    "that begins with it": (60, 40, Verdict(1, 1, 1)),
    "that ends with it": (80, 55, Verdict(1, 1, 1)),
    "of it alone": (60, 55, Verdict(1, 1, 1)),
    "that begins as it ends": (55, 40, Verdict(1, 1, 0)),
    "of a long horizon, in whose column it is": (75, 45, Verdict(1, 1, 1)),
    "too early": (80, 60, Verdict(1, 1, 0)),
    "too late": (50, 40, Verdict(1, 1, 0)),
}


@pytest.mark.parametrize("name", INTERVALS)
def test_an_interval(resources, passed, now, name):
    lower, upper, verdict = INTERVALS[name]
    told(resources.lake, now, passed, lower, upper)
    assert judge(resources.lake.snapshot(), SETTINGS, now) == {"queue": verdict}


def test_what_never_came_is_told_and_no_passage(resources, passed, now):
    told(resources.lake, now, passed, 80, 40, threshold=1000.0)
    assert judge(resources.lake.snapshot(), SETTINGS, now) == {"queue": Verdict(1, 0, 0)}


def test_what_came_later_than_three_horizons_is_no_passage(resources, passed, now):
    told(resources.lake, now, passed, 80, 40, horizon_seconds=1800.0)
    assert judge(resources.lake.snapshot(), SETTINGS, now) == {"queue": Verdict(1, 0, 0)}


def test_an_interval_that_is_not_over_is_not_judged(resources, passed, now):
    told(resources.lake, now, passed, 80, -10)
    assert judge(resources.lake.snapshot(), SETTINGS, now) == {}


def test_what_fills_is_judged_by_what_is_free(resources, line, now):
    """Used passes 80 % in the middle of the last hour; the metric tells what is left."""
    resources.disk(np.r_[np.full(282, 50.0), np.full(6, 85.0)])
    rows = resources.lake.sql(
        "SELECT series_id FROM series WHERE metric = 'node_filesystem_avail_bytes'"
    ).to_pylist()
    gib = 1024.0**3
    told(
        resources.lake,
        now,
        rows[0]["series_id"],
        40,
        20,
        resource="filesystem",
        metric="node_filesystem_avail_bytes",
        capacity=100 * gib,
        threshold=80 * gib,
    )
    assert judge(resources.lake.snapshot(), SETTINGS, now) == {"filesystem": Verdict(1, 1, 1)}


def test_a_heavier_model_is_judged_for_itself(resources, passed, now):
    told(resources.lake, now, passed, 80, 40, method="newest piece")
    told(resources.lake, now, passed, 80, 60, method="statsforecast")
    assert judge(resources.lake.snapshot(), SETTINGS, now) == {
        "queue": Verdict(1, 1, 1),
        "queue by statsforecast": Verdict(1, 1, 0),
    }


def test_no_share_of_the_light_methods_is_told_of_a_heavier_model():
    verdicts = {"a": Verdict(30, 30, 24), "b by x": Verdict(30, 30, 15), "c by x": Verdict(1, 1, 1)}
    names = ["a", "d", "b by x", "c by x", "a by y"]
    assert coverage_of(verdicts, names) == {
        "a": 0.8,
        "d": 0.8,
        "b by x": 0.5,
        "c by x": pytest.approx(16 / 31),
        "a by y": None,
    }


def test_a_share_is_told_of_enough_passages_alone():
    few = coverage_module.LEAST - 1
    verdicts = {"a": Verdict(few, few, few), "b": Verdict(30, 30, 24)}
    told_of = coverage_of(verdicts, ["a", "b", "c"])
    of_all = (few + 24) / (few + 30)
    assert told_of == {"a": pytest.approx(of_all), "b": pytest.approx(0.8), "c": told_of["a"]}
    assert coverage_of({"a": verdicts["a"]}, ["a"]) == {"a": None}


def test_forecasts_say_how_the_ones_before_held(resources, line, passed, now):
    for made in range(25):
        told(
            resources.lake, now, passed, 80, 40 if made < 15 else 60, made=3 * HOUR + made * MINUTE
        )
    resources.disk(line(1.0, 78.0))
    resources.make(resources=(QUEUE,))
    (row,) = [one for one in resources.rows() if one["resource"] == "filesystem"]
    assert row["coverage"] == pytest.approx(0.6)
