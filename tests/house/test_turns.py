"""Of tests that run in several processes, one that measures time runs alone."""

import threading

import pytest

from tests.patience import PATIENCE, wait_until
from tests.turns import turn


@pytest.fixture
def enter(tmp_path):
    """Enters in a thread; gives what says that it is inside, and what lets it go."""
    files = [tmp_path / name for name in ("gate", "running")]
    for file in files:
        file.touch()
    threads = []

    def start(alone):
        inside, leave = threading.Event(), threading.Event()

        def run():
            with turn(alone, *files):
                inside.set()
                leave.wait(PATIENCE)

        threads.append((threading.Thread(target=run), leave))
        threads[-1][0].start()
        return inside, leave

    yield start
    for _, leave in threads:
        leave.set()
    for thread, _ in threads:
        thread.join()


def test_others_run_beside_each_other(enter):
    for inside, _ in [enter(alone=False), enter(alone=False)]:
        assert inside.wait(PATIENCE)


def test_one_alone_waits_for_those_that_run_and_holds_up_those_that_come(enter):
    first, first_leaves = enter(alone=False)
    assert first.wait(PATIENCE)
    alone, alone_leaves = enter(alone=True)
    assert not alone.wait(0.2)
    late, _ = enter(alone=False)
    assert not late.wait(0.2)
    first_leaves.set()
    assert alone.wait(PATIENCE)
    assert not late.is_set()
    alone_leaves.set()
    wait_until(late.is_set)
