"""The queue against a plain one, event by event."""

import numpy as np
import pytest

from detectors.placement.futures import Futures
from detectors.placement.queue import free_at, starts


def plain(futures, row, capacity, gpus, submit, *, strict):
    """The same in steps of a hundredth of an hour; lengths are whole hundredths."""
    running = list(zip(futures.running, futures.left[row], strict=True))
    queue = list(zip(futures.wait_size[row], futures.wait_length[row], strict=True))
    coming = list(
        zip(futures.come_at[row], futures.come_size[row], futures.come_length[row], strict=True)
    )
    for tick in range(7201):
        now = tick / 100
        running = [(size, end) for size, end in running if end > now + 1e-9]
        while coming and coming[0][0] <= now + 1e-9:
            queue.append(coming.pop(0)[1:])
        if submit is not None and submit <= now + 1e-9:
            queue.append((gpus, None))
            submit = None
        for one in list(queue):
            if sum(size for size, _ in running) + one[0] <= capacity:
                queue.remove(one)
                if one[1] is None:
                    return now
                running.append((one[0], now + one[1]))
            elif strict:
                break
    return np.inf


@pytest.mark.parametrize("strict", [False, True])
def test_as_a_plain_queue(strict):
    rng = np.random.default_rng(5)

    def lengths(*shape):
        return np.round(rng.uniform(0.1, 6.0, shape), 2)

    rows = 12
    futures = Futures(
        running=np.array([4.0, 2.0, 2.0]),
        left=lengths(rows, 3),
        wait_size=rng.choice([1.0, 2.0, 4.0, 8.0], (rows, 4)),
        wait_length=lengths(rows, 4),
        come_at=np.sort(np.round(rng.uniform(0.0, 20.0, (rows, 10)), 2), axis=1),
        come_size=rng.choice([1.0, 2.0, 4.0], (rows, 10)),
        come_length=lengths(rows, 10),
    )
    submit = np.array([0.0, 3.0, 9.0])
    got = starts(futures, 8.0, 6.0, submit, 72.0, strict=strict)
    want = [
        [plain(futures, row, 8.0, 6.0, at, strict=strict) for at in submit.tolist()]
        for row in range(rows)
    ]
    assert got == pytest.approx(np.array(want), abs=1e-6)
    assert (got > submit).any()


def empty(rows, running=(), left=()):
    none = np.zeros((rows, 0))
    return Futures(
        np.array(running, float), np.tile(np.array(left, float), (rows, 1)),
        none, none, none, none, none,
    )  # fmt: skip


def test_what_is_not_within_the_horizon_is_infinite():
    assert starts(empty(1, [8], [80.0]), 8.0, 1.0, np.zeros(1), 72.0).tolist() == [[np.inf]]
    assert starts(empty(1), 8.0, 9.0, np.zeros(1), 72.0).tolist() == [[np.inf]]
    assert starts(empty(1), 8.0, 8.0, np.array([5.0]), 72.0).tolist() == [[5.0]]


def test_free_gpus_ahead():
    futures = empty(2, [4, 2], [1.0, 3.0])
    assert free_at(futures, 8.0, np.array([0.5, 1.5, 3.5])).tolist() == [[2.0, 6.0, 8.0]] * 2
