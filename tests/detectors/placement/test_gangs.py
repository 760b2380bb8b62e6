"""Jobs read off what is allocated."""

import heapq

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.placement import gangs


def test_two_that_start_at_once_end_one_by_one():
    found = gangs(np.arange(4.0), np.array([0.0, 6.0, 4.0, 0.0]))
    assert found.size.tolist() == [2.0, 4.0]
    assert found.start.tolist() == [1.0, 1.0]
    assert found.end.tolist() == [2.0, 3.0]


def test_one_fall_may_end_several():
    found = gangs(np.arange(4.0), np.array([0.0, 1.0, 5.0, 0.0]))
    assert sorted(zip(found.size, found.start, found.end, strict=True)) == [
        (1.0, 1.0, 3.0),
        (4.0, 2.0, 3.0),
    ]


def test_what_was_there_before_is_not_known_to_have_begun():
    found = gangs(np.arange(3.0), np.array([8.0, 5.0, 5.0]))
    assert found.size.tolist() == [3.0, 5.0]
    assert not found.whole.any()
    assert found.running.tolist() == [False, True]


def test_missing_samples_are_left_out_and_none_is_none():
    found = gangs(np.arange(3.0), np.array([0.0, np.nan, 2.0]))
    assert found.start.tolist() == [2.0]
    assert not gangs(np.zeros(0), np.zeros(0)).size.size


def test_a_notebook_that_was_left_open_is_not_what_ends():
    """It is the oldest of its size, each time that a job of one GPU ends."""
    jobs = np.arange(10.0, 50.0)
    time = np.concatenate([[0.0, 1.0], np.ravel(np.column_stack([jobs, jobs + 0.5]))])
    # By turns jobs of one GPU and of two, of which it is sure which ends.
    allocated = np.concatenate([[0.0, 1.0], np.tile([2.0, 1.0, 3.0, 1.0], len(jobs) // 2)])
    found = gangs(time, allocated)
    assert found.start[found.running].tolist() == [1.0]
    assert (found.end - found.start)[~found.running] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("time", "allocated"),
    [([0.0, 0.0], [1.0, 2.0]), ([0.0, 1.0], [1.0, -2.0]), ([0.0], [1.0, 2.0])],
)
def test_what_cannot_be_is_refused(time, allocated):
    with pytest.raises(InvalidParameterError):
        gangs(np.array(time), np.array(allocated))


def test_lengths_of_a_busy_pool_are_found_again():
    """Gangs of one size end in an order that nobody is told: their lengths hold on the whole."""
    rng = np.random.default_rng(3)
    true, steps, used, ends = [], {0.0: 0.0}, 0.0, []
    for start in np.sort(rng.uniform(0.0, 200.0, 300)).tolist():
        while ends and ends[0][0] <= start:
            at, size = heapq.heappop(ends)
            used -= size
            steps[at] = used
        size, length = float(rng.choice([1, 2, 4, 8])), rng.lognormal(0.5, 0.6)
        used += size
        steps[start] = used
        heapq.heappush(ends, (start + length, size))
        true.append((size, length))
    found = gangs(np.array(list(steps)), np.array(list(steps.values())))
    over = ~found.running & found.whole
    assert abs(np.count_nonzero(over) - (300 - len(ends))) <= 3
    for size in (1.0, 2.0, 4.0, 8.0):
        length = (found.end - found.start)[over & (found.size == size)]
        want = [one for of, one in true if of == size]
        assert np.median(length) == pytest.approx(np.median(want), rel=0.25)
        assert length.mean() == pytest.approx(np.mean(want), rel=0.15)
