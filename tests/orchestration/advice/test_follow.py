"""Advice that was followed is seen in the lake, and its effect is measured after a day."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.feedback import give_feedback

MIB = 1024.0**2
DAY = 288
ONE = timedelta(days=1)
POD, NEXT = "cart-7c9d8f6b54-x2v9k", "cart-6d8c7b9f55-zzzzz"


def used(level, days):
    noise = np.random.default_rng(2).standard_normal(days * DAY)
    return level * (1.0 + 0.01 * noise)


@pytest.fixture
def row(containers):
    """The advice on CPU, whatever became of it."""

    def read():
        wanted = Wanted(kinds=["container_cpu"], states=(), abstained=True)
        (one,) = listing(containers.lake, wanted).rows
        return one

    return read


def test_followed_and_measured(containers, row, now):
    containers.container(used(0.2, 8), pod=POD)
    containers.make()
    give_feedback(containers.lake, row()["advice_id"], "accepted", now)
    asked = row()["proposed"]["cpu_request_cores"]
    rounded = (round(asked, 2), None)
    # Rolled out within the hour; then it needs more than it did.
    after = used(0.2, 2)
    after[: DAY // 2] = 0.4
    containers.container(after, request=rounded, pod=NEXT, end=now + 2 * ONE)
    containers.make(now + timedelta(hours=1))
    assert row()["state"] == "accepted"
    first = np.full(12, 0.2)
    containers.container(
        first, request=(round(asked, 2), None), pod=NEXT, end=now + timedelta(hours=2)
    )
    containers.make(now + timedelta(hours=2))
    assert row()["state"] == "applied"
    assert row()["effect"]["measured"] is None
    made = containers.make(now + 2 * ONE - timedelta(minutes=5))
    assert not made.failed
    effect = row()["effect"]
    assert effect["predicted"]["saving_cpu_cores"] == pytest.approx(1.0 - asked)
    assert effect["measured"]["saving_cpu_cores"] == pytest.approx(1.0 - asked, abs=0.01)
    assert effect["measured"]["days"] == 1.0
    assert effect["measured"]["risk"] > effect["predicted"]["risk"] + 0.2


def test_what_was_not_followed_is_not_applied(containers, row, now):
    containers.container(used(0.2, 8), pod=POD)
    containers.make()
    containers.container(
        np.full(12, 0.2), request=(0.7, None), pod=NEXT, end=now + timedelta(hours=1)
    )
    containers.make(now + timedelta(hours=1))
    assert row()["state"] == "open"
    assert row()["current"]["cpu_request_cores"] == 0.7


def test_what_is_gone_is_no_failure(containers, row, now):
    containers.container(used(0.2, 8), pod=POD)
    containers.make()
    assert not containers.make(now + 30 * ONE).failed
    assert row()["state"] == "withdrawn"
