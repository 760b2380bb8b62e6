"""What detection finds in a fleet of which a workload is in several clusters."""

import pytest

from lake import TimeRange
from orchestration.steps.detect import detect_range
from orchestration.steps.tick import Ticker
from tests.orchestration.siblings.fleet import MINUTES, SETTINGS, at, rows


@pytest.fixture
def scored(lake, fill):
    """What a pass over hours 6½ to 9 finds in a fleet."""

    def make(fleet, settings=SETTINGS, into=None):
        own = into or lake
        fleet.put(own, fill)
        done = detect_range(own, settings, TimeRange(at(390), at(MINUTES)), now=at(MINUTES + 1))
        assert done.reason is None
        return rows(own)

    return make


@pytest.fixture
def ticked(fill):
    """What ticks find from 6½ hours on, whatever is restarted in between."""

    def make(lake, fleet, every, settings=SETTINGS, restarts=()):
        fleet.put(lake, fill, end=390)
        ticker = Ticker(lake, settings)
        for minute in range(390, MINUTES, every):
            if minute in restarts:
                ticker = Ticker(lake, settings)
            fleet.put(lake, fill, minute, minute + every)
            ticker.tick(at(minute + every) + settings.delay)
        return rows(lake)

    return make
