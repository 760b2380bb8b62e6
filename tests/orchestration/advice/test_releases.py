"""What a version used that runs no more does not count, once the next is a week old."""

from datetime import timedelta

import numpy as np
import pytest

from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.steps.advice.browse import Wanted, listing

MIB = 1024.0**2
DAY = 288
OLD, NEW = "registry/shop/cart:v1", "registry/shop/cart:v2"
WEEK = timedelta(days=7)


@pytest.fixture
def memory(containers):
    """The advice on memory, with settings of rightsizing."""

    def build(**settings):
        own = {"rightsizing": RightsizingSettings(**settings)}
        assert not containers.make(**own).failed
        (row,) = listing(containers.lake, Wanted(kinds=["container_memory"])).rows
        return row

    return build


def ran(containers, image, level, days, end, pod):
    taken = np.full(round(days * DAY), level * MIB)
    more = {} if image is None else {"image": image}
    containers.container(memory=taken, pod=pod, end=end, request=(None, 1024 * MIB), **more)


def limit(row):
    return row["proposed"]["memory_request_bytes"] / MIB


def release(row):
    (told,) = (one for one in row["evidence"] if "release" in one["what"])
    return told["what"], told["value"], told["over"]


@pytest.mark.parametrize(
    "pods", [("cart-0", "cart-0"), ("cart-7c9d8f6b54-bbbbb", "cart-6d8c7b9f55-ccccc")]
)
def test_a_release_that_needs_less_counts_alone_after_a_week(containers, memory, now, pods):
    ran(containers, OLD, 600, 5, now - WEEK - timedelta(hours=1), pods[0])
    ran(containers, NEW, 100, 7 + 1 / 24, now, pods[1])
    row = memory()
    assert limit(row) < 150
    assert "before its release on 2026-11-16 does not count" in row["reason"]
    told = [one for one in row["evidence"] if one["value"] == NEW]
    assert told[0]["what"] == "newest release, and only what it used since counts"
    assert told[0]["over"] == "since 2026-11-16T11:00Z"


def test_until_then_what_was_before_counts_and_that_is_told(containers, memory, now):
    ran(containers, OLD, 600, 5, now - timedelta(days=3), "cart-7c9d8f6b54-bbbbb")
    ran(containers, NEW, 100, 3, now, "cart-6d8c7b9f55-ccccc")
    row = memory()
    assert limit(row) > 600
    told = [one for one in row["evidence"] if one["value"] == NEW]
    assert "what it used before, if it ran, counts too" in told[0]["what"]
    assert limit(memory(release_history=timedelta(days=2))) < 150


@pytest.mark.parametrize("image", [OLD, None])
def test_what_runs_beside_it_or_is_not_named_counts(containers, memory, now, image):
    """A canary, or an exporter that tells no images."""
    end = now if image else now - WEEK - timedelta(hours=1)
    ran(containers, image, 600, 5, end, "cart-7c9d8f6b54-bbbbb")
    ran(containers, NEW, 100, 8, now, "cart-6d8c7b9f55-ccccc")
    assert limit(memory()) > 600


def test_a_release_that_was_taken_back_is_none(containers, memory, now):
    ran(containers, OLD, 100, 4, now - timedelta(days=9), "cart-7c9d8f6b54-bbbbb")
    ran(containers, NEW, 600, 1, now - timedelta(days=8), "cart-6d8c7b9f55-ccccc")
    ran(containers, OLD, 100, 8, now, "cart-7c9d8f6b54-ddddd")
    row = memory()
    assert limit(row) < 150
    assert f"it runs {OLD} again, first seen on 2026-11-10: what it used with" in row["reason"]
    assert "before its release" not in row["reason"]
    assert release(row) == (
        "release that runs again, and only what it used with it counts",
        OLD,
        "first seen 2026-11-10T12:00Z",
    )


@pytest.mark.parametrize("again", ["cart-0", "cart-7c9d8f6b54-ddddd"])
def test_the_release_is_the_one_that_runs_whichever_pod_is_youngest(containers, memory, now, again):
    """A pod of a StatefulSet has the series of before again where an image comes back."""
    first = "cart-0" if again == "cart-0" else "cart-7c9d8f6b54-bbbbb"
    ran(containers, OLD, 600, 4, now - timedelta(days=5), first)
    ran(containers, NEW, 100, 4, now - timedelta(days=1), "cart-0")
    ran(containers, OLD, 600, 1, now, again)
    row = memory()
    # Both may run, by what the catalogue of series knows.
    assert limit(row) > 600
    assert release(row) == (
        "release that others came after; what it used with these counts too",
        OLD,
        "first seen 2026-11-14T12:00Z",
    )


def test_a_release_that_ran_for_a_day_before_and_a_day_after_another_is_no_week_old(
    containers, memory, now
):
    ran(containers, OLD, 100, 1, now - timedelta(days=12), "cart-7c9d8f6b54-bbbbb")
    ran(containers, NEW, 600, 9, now - timedelta(days=3), "cart-6d8c7b9f55-ccccc")
    ran(containers, OLD, 100, 3, now, "cart-7c9d8f6b54-ddddd")
    assert limit(memory()) > 600


def test_beside_a_canary_that_is_newer_the_youngest_pod_is_no_newer_release(
    containers, memory, now
):
    ran(containers, OLD, 100, 5, now - timedelta(days=1), "cart-7c9d8f6b54-bbbbb")
    ran(containers, NEW, 600, 3, now, "cart-6d8c7b9f55-ccccc")
    ran(containers, OLD, 100, 1, now, "cart-7c9d8f6b54-ddddd")
    what, image, since = release(memory())
    assert (what.split(";")[0], image, since) == (
        "newest release",
        NEW,
        "since 2026-11-20T12:00Z",
    )
