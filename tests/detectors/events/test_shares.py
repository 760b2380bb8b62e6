"""Denials among decisions."""

import numpy as np
import pytest

from detectors.events import denials
from tests.detectors.events.conftest import DAY, as_counts

STREAMS, COLUMNS = 20, DAY + 180


def decisions(rng, rate=20.0):
    return rng.poisson(rate, (STREAMS, COLUMNS))


def score(denied, decided, first=DAY, began=0):
    return denials(
        as_counts(denied), as_counts(decided), np.full(STREAMS, began), first, COLUMNS, DAY, 360,
        1e-6,
    )  # fmt: skip


def test_more_traffic_with_the_same_share_is_nothing(rng):
    decided = decisions(rng)
    decided[:, DAY + 30 :] *= 10
    denied = rng.binomial(decided, 0.02)
    assert not score(denied, decided).stream.size


@pytest.mark.parametrize(("share", "within"), [(0.5, 2), (0.1, 30)])
def test_a_greater_share_is_found_soon(rng, share, within):
    decided = decisions(rng)
    denied = rng.binomial(decided, 0.02)
    denied[:, DAY + 30 :] = rng.binomial(decided[:, DAY + 30 :], share)
    cells = score(denied, decided)
    first = [cells.column[cells.stream == stream].min() for stream in range(STREAMS)]
    assert min(first) >= DAY + 30
    assert np.quantile(first, 0.9) <= DAY + 30 + within
    assert np.all((cells.actual > cells.upper) & (cells.actual <= 1.0))
    assert np.median(cells.expected) == pytest.approx(0.02, rel=0.2)


def test_less_traffic_of_which_all_is_denied_is_found(rng):
    decided = decisions(rng, 2.0)
    denied = rng.binomial(decided, 0.001)
    denied[:, DAY + 30 :] = decided[:, DAY + 30 :]
    assert set(score(denied, decided).stream) == set(range(STREAMS))


def test_clients_that_try_again_are_one_trouble(rng):
    """Denials in runs of thirty, a few a day: one more such run is no news."""
    decided = decisions(rng)
    denied = np.zeros_like(decided)
    for stream in range(STREAMS):
        for at in [*rng.integers(0, DAY - 2, 8), DAY + 60]:
            denied[stream, at : at + 2] += 15
    decided += denied
    assert not score(denied, decided).stream.size


def test_a_path_without_history_is_not_judged(rng):
    decided = decisions(rng)
    assert not score(decided, decided, began=DAY - 100).stream.size
    few = np.zeros_like(decided)
    few[:, DAY + 30 :] = 5
    assert not score(few, few).stream.size
