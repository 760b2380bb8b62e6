"""Pools of which everything is known."""

import numpy as np
import pytest

from detectors.placement import Habits, Pool
from detectors.season.hours import WEEK


def habits(hours=2.0, rate=0.0, size=(4.0,), ended=20):
    """Gangs that all run as long, and come at a rate an hour."""
    lengths = {-1: np.full(ended, hours)} if ended >= 8 else {}
    shares = {-1: np.full(ended, 1.0 / ended)} if ended >= 8 else {}
    usual = np.full(WEEK, rate)
    return Habits(np.array(size), ended, lengths, shares, usual, 200.0)


def pool(name="a", capacity=8, running=(), elapsed=(), waiting=0, **more):
    more.setdefault("habits", habits())
    return Pool(
        (name, "queue", "nodes"),
        capacity,
        np.array(running, dtype=np.float64),
        np.array(elapsed, dtype=np.float64),
        waiting,
        **more,
    )


@pytest.fixture
def make_pool():
    return pool


@pytest.fixture
def make_habits():
    return habits
