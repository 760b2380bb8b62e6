"""Kinds of resources and objectives that make no sense are refused, with what is wrong."""

import re

import pytest
from pydantic import ValidationError

from orchestration.forecast_settings import ForecastSettings
from orchestration.steps.forecast.resources import BUILT_IN, resources

QUEUE = {"name": "queue", "metric": "queue_length", "threshold": 5.0}
OBJECTIVE = {"name": "o", "target": 0.9, "total": "t", "errors": "e"}

BAD = {
    "neither": ({"resources": [QUEUE | {"threshold": None}]}, "either a limit or a threshold"),
    "both": ({"resources": [QUEUE | {"limit": "m"}]}, "either a limit or a threshold"),
    "free of what": ({"resources": [QUEUE | {"reads": "free"}]}, "needs a limit"),
    "falls to a limit": (
        {"resources": [{"name": "q", "metric": "m", "limit": "l", "below": True}]},
        "needs a threshold",
    ),
    "expires at a threshold": ({"resources": [QUEUE | {"reads": "expires_at"}]}, "leave it out"),
    "no name": ({"resources": [QUEUE | {"name": "Queue A"}]}, "match pattern"),
    "twice": ({"resources": [QUEUE, QUEUE]}, "'queue' is there twice"),
    "no expression": ({"resources": [QUEUE | {"labels": {"a": "("}}]}, "no regular expression"),
    "unknown": ({"resources": [QUEUE | {"limits": "x"}]}, "not permitted"),
    "levels that fall": ({"levels": [0.9, 0.8]}, "must be positive and rise"),
    "no level": ({"levels": []}, "at least 1"),
    "a level of nothing": ({"levels": [0.0, 0.8]}, "must be positive and rise"),
    "short history": ({"history": "PT2H"}, "shorter than the horizon"),
    "short horizon": ({"horizon": "PT1M"}, "greater than or equal"),
    "a model without a name": ({"heavier": ""}, "at least 1"),
    "a model of nothing": ({"heavier_most": 0}, "greater than or equal"),
    "a model without time": ({"heavier_budget": "PT0S"}, "greater than or equal"),
    "too often": ({"every": "PT1S"}, "greater than or equal"),
    "a target of all": ({"objectives": [OBJECTIVE | {"target": 1.0}]}, "less than 1"),
    "errors of what": ({"objectives": [OBJECTIVE | {"errors": None}]}, "does not say what fails"),
    "objectives twice": ({"objectives": [OBJECTIVE, OBJECTIVE]}, "'o' is there twice"),
    "by pod": ({"objectives": [OBJECTIVE | {"by": ["pod"]}]}, "namespace"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_makes_no_sense_is_refused(name):
    given, told = BAD[name]
    with pytest.raises(ValidationError, match=re.escape(told)):
        ForecastSettings(**given)


def test_own_kinds_stand_beside_the_built_in_ones_and_in_their_place():
    volume = {"name": "volume", "metric": "a", "limit": "b", "levels": [0.5]}
    known = resources(ForecastSettings(resources=[QUEUE, volume]))
    names = [one.name for one in known]
    assert names == [*(one.name for one in BUILT_IN), "queue"]
    assert known[names.index("volume")].metric == "a"
    alone = resources(ForecastSettings(resources=[QUEUE], built_in=False))
    assert [one.name for one in alone] == ["queue"]


@pytest.mark.parametrize(("horizon", "minutes"), [("PT1H", 5), ("PT4H", 5), ("P4D", 120)])
def test_columns_are_a_48th_of_the_horizon_in_whole_slots(horizon, minutes):
    settings = ForecastSettings(horizon=horizon)
    assert settings.step.total_seconds() == 60 * minutes
