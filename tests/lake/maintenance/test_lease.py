"""One maintainer at a time."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from lake import Lake
from lake.errors import LeaseHeldError
from lake.maintenance.lease import LASTS, _leased, lease
from tests.patience import wait_until

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_second_maintainer_is_refused_until_the_first_is_done(lake, clock):
    other = Lake.open(lake.root)
    with lease(lake, clock):
        with pytest.raises(LeaseHeldError, match="process") as refused, lease(other, clock):
            pass
        assert str(lake.root) in str(refused.value)
    with lease(other, clock):
        pass


HOLD = """
import sys, time
from lake import Lake, utc_now
from lake.maintenance import lease
with lease(Lake.open(sys.argv[1]), utc_now):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_killed_maintainer_holds_nothing(lake, clock):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lake.root)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LeaseHeldError, match=str(holder.pid)), lease(lake, clock):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()

    def free():
        try:
            with lease(lake, clock):
                return True
        except LeaseHeldError:
            return False

    wait_until(free, what="the lease of a dead process is free")


class Still:
    """A time that stands still until it is moved."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def tables(lake):
    """The same table as two processes have it: what a bucket's lease lies in."""
    return lake.tables["samples_1h"], Lake.open(lake.root).tables["samples_1h"]


def test_a_lease_in_the_log_ends(tables):
    first, second = tables
    clock = Still()
    held = _leased(first, clock)
    held.__enter__()
    with pytest.raises(LeaseHeldError, match="another process until"), _leased(second, clock):
        pass
    clock.now += LASTS + timedelta(seconds=1)
    with _leased(second, clock):
        with pytest.raises(LeaseHeldError), _leased(first, clock):
            pass
        # The first one comes back to life, and lets go of what is no longer its own.
        held.__exit__(None, None, None)
        with pytest.raises(LeaseHeldError), _leased(first, clock):
            pass
    with _leased(first, clock):
        pass


def test_a_lease_in_the_log_is_renewed_in_time(tables):
    first, second = tables
    clock = Still()
    with _leased(first, clock) as renew:
        version = first.version()
        renew()
        assert first.version() == version
        for _ in range(5):
            clock.now += LASTS * 0.9
            renew()
        with pytest.raises(LeaseHeldError), _leased(second, clock):
            pass


def test_a_lease_that_was_taken_over_is_not_renewed(tables):
    first, second = tables
    clock = Still()
    with _leased(first, clock) as renew:
        clock.now += LASTS * 2
        with _leased(second, clock), pytest.raises(LeaseHeldError):
            renew()


def test_of_two_that_take_it_at_once_one_gets_it(tables, monkeypatch):
    """One looks at the log, the other takes the lease, the first commits."""
    first, second = tables
    clock, look = Still(), second.delta

    def look_and_be_overtaken(version=None):
        monkeypatch.undo()
        found = look(version)
        _leased(first, clock).__enter__()
        return found

    monkeypatch.setattr(second, "delta", look_and_be_overtaken)
    with pytest.raises(LeaseHeldError, match="just now"), _leased(second, clock):
        pass
