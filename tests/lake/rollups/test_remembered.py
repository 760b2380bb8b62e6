import sys
import threading

import pytest

from lake.rollups.remembered import Remembered


def test_the_last_few_are_known():
    known = Remembered(3)
    for n in range(10):
        assert known.keep(n, str(n)) == str(n)
    assert [known.get(n) for n in range(10)] == [None] * 7 + ["7", "8", "9"]
    known.keep(8, "new")
    assert known.get(8) == "new"


class Slow(int):
    """A key at whose hash another thread may have its turn."""

    def __hash__(self):
        return sum(range(20)) + int(self)


@pytest.fixture
def hasty():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty")
def test_threads_do_not_get_in_each_others_way():
    known, problems, start = Remembered(2), [], threading.Barrier(4)

    def work(own):
        start.wait()
        try:
            for n in range(3_000):
                known.keep(Slow(4 * n + own), n)
                known.get(Slow(4 * n + own))
        except (KeyError, RuntimeError, StopIteration) as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(own,)) for own in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
