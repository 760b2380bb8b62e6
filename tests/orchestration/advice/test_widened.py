"""A queue that was given the GPUs that it was advised to have: it is seen, and what came of it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.browse import Wanted, listing
from orchestration.steps.advice.make import make_advice

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUEUE = {"cluster": "k", "cluster_queue": "research"}
FLAVOR = {"flavor": "h100", "resource": "nvidia.com/gpu"}


class Queue:
    """A queue of Kueue's in a lake, told of every five minutes."""

    def __init__(self, lake, fill):
        self.lake, self._fill = lake, fill

    def told(self, until, slots, quota=8.0, usage=8.0, waiting=1.0, **more):
        own = QUEUE | more
        series = [
            ("kueue_cluster_queue_resource_usage", usage, own | FLAVOR),
            ("kueue_pending_workloads", waiting, own | {"status": "inadmissible"}),
            ("kueue_cluster_queue_nominal_quota", quota, own | FLAVOR),
        ]
        times = round(until.timestamp() * 1000) - 300_000 * np.arange(slots, 0, -1)
        self._fill(
            self.lake,
            [{"__name__": name} | labels for name, _, labels in series],
            [times] * len(series),
            [np.broadcast_to(np.asarray(value, float), slots) for _, value, _ in series],
        )

    def row(self, at):
        assert make_advice(self.lake, AdviceSettings(), at).failed == {}
        rows = listing(self.lake, Wanted(kinds=["gpu_queue_full"], states=())).rows
        (row,) = (one for one in rows if one["entity"] == "research/h100")
        return row


@pytest.fixture
def queue(lake, fill):
    """Three days in which one job waited behind jobs of eight GPUs, which is too few."""
    own = Queue(lake, fill)
    busy = np.tile(np.repeat([0.0, 8.0], [12, 60]), 12)
    own.told(NOW, 3 * 288, usage=busy, waiting=np.where(np.arange(864) % 288 < 216, 1.0, 0.0))
    row = own.row(NOW)
    assert (row["state"], row["current"], row["proposed"]) == (
        "open",
        {"gpus": 8.0},
        {"gpus": 16.0},
    )
    return own


def test_a_queue_that_was_given_more(queue):
    queue.told(NOW + HOUR, 12, quota=16.0, waiting=0.0)
    row = queue.row(NOW + HOUR)
    assert row["state"] == "applied"
    share = pytest.approx(0.75, abs=0.01)
    assert row["effect"]["before"] == {"share_waiting": share, "jobs_waiting": share, "gpus": 8.0}
    assert row["effect"]["predicted"] == {"share_waiting": 0.1, "gpus": 16.0}
    assert row["effect"]["measured"] is None
    # Most of the week that is looked at is of the time before: nothing new is said for so long.
    half = np.where(np.arange(288) < 144, 2.0, 0.0)
    queue.told(NOW + 25 * HOUR, 288, quota=16.0, usage=16.0, waiting=half)
    row = queue.row(NOW + 25 * HOUR)
    assert row["state"] == "applied"
    assert row["effect"]["measured"] == {
        "share_waiting": 0.5,
        "jobs_waiting": 1.0,
        "gpus": 16.0,
        "days": 1.0,
    }
    assert queue.row(NOW + 26 * HOUR)["revision"] == row["revision"]


def test_what_it_borrows_for_a_while_was_not_given_to_it(queue):
    queue.told(NOW + HOUR, 12, usage=16.0)
    assert queue.row(NOW + HOUR)["state"] == "open"


def test_a_little_more_is_not_what_was_proposed(queue):
    queue.told(NOW + HOUR, 12, quota=10.0)
    assert queue.row(NOW + HOUR)["state"] == "open"


def test_what_was_taken_back_is_advised_again(queue):
    queue.told(NOW + HOUR, 12, quota=16.0)
    assert queue.row(NOW + HOUR)["state"] == "applied"
    queue.told(NOW + 2 * HOUR, 12)
    assert queue.row(NOW + 2 * HOUR)["state"] == "open"


def test_while_nothing_is_told_it_stays_what_it_is(queue):
    assert queue.row(NOW + 2 * HOUR)["state"] == "open"
    assert queue.row(NOW + 25 * HOUR)["state"] == "withdrawn"


def test_a_queue_that_is_gone_is_advised_no_more(queue):
    """Others of its cluster are told."""
    queue.told(NOW + 2 * HOUR, 24, cluster_queue="other", waiting=0.0)
    assert queue.row(NOW + 2 * HOUR)["state"] == "withdrawn"
