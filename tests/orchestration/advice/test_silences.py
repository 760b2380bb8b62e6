"""What nothing is told of for a while keeps its advice, before a rollout as well as without one."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing

MIB = 1024.0**2
DAY = 288
HOUR = timedelta(hours=1)
OLD, NEW = "registry/shop/cart:v1", "registry/shop/cart:v2"
FIRST, SECOND = "cart-7c9d8f6b54-bbbbb", "cart-6d8c7b9f55-ccccc"


def ran(containers, until, hours, image=OLD, pod=FIRST):
    taken = np.full(12 * hours, 100 * MIB)
    containers.container(memory=taken, pod=pod, end=until, image=image, request=(None, 1024 * MIB))


@pytest.fixture
def row(containers):
    """The one advice on memory after a round at a time."""

    def made(at, **settings):
        assert not containers.make(at, rightsizing=RightsizingSettings(**settings)).failed
        wanted = Wanted(kinds=["container_memory"], states=(), abstained=True)
        (one,) = listing(containers.lake, wanted).rows
        return one

    return made


def test_a_silence_before_a_rollout(containers, row, now):
    ran(containers, now, 24 * 8)
    before = row(now)
    assert (before["state"], before["abstained"]) == ("open", False)
    silent = row(now + 2 * HOUR)
    assert (silent["state"], silent["abstained"]) == ("open", False)
    assert silent["proposed"] == before["proposed"]
    assert silent["reason"] == (
        f"{before['reason']}; nothing newer is told: it was not seen since 2026-11-23 11:55 UTC"
    )
    # The new release is told of, and the old one counts until there is enough of that.
    ran(containers, now + 4 * HOUR, 1, NEW, SECOND)
    after = row(now + 4 * HOUR)
    assert (after["state"], after["abstained"]) == ("open", False)
    assert "nothing newer" not in after["reason"]


def test_a_silence_of_more_than_a_day_withdraws_it(containers, row, now):
    ran(containers, now, 24 * 8)
    row(now)
    assert row(now + 23 * HOUR)["state"] == "open"
    assert row(now + 25 * HOUR)["state"] == "withdrawn"


def test_what_would_be_too_short_a_history_counts_not_alone(containers, row, now):
    """However young a release may be by the settings, and however long all was silent before."""
    ran(containers, now, 24 * 8)
    before = row(now)
    later = now + timedelta(days=2, hours=6)
    ran(containers, later, 3, NEW, SECOND)
    settings = {"release_history": 2 * HOUR, "least_history": timedelta(days=1)}
    after = row(later, **settings)
    assert (after["state"], after["abstained"]) == ("open", False)
    assert after["proposed"] == before["proposed"]
    assert "does not count" not in after["reason"]
