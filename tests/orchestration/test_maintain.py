"""Steps of maintenance hold the lease for as long as they work, however long that is."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from lake import Lake
from lake.errors import LeaseHeldError
from lake.maintenance import Keep, Policy
from lake.maintenance.lease import _leased
from orchestration.steps import maintain
from orchestration.steps.maintain import (
    clean_lake,
    compact_lake,
    delete_from_lake,
    take_out_of_lake,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hurried:
    """A time that goes on by five minutes each time it is asked."""

    def __init__(self):
        self.now = NOON + timedelta(days=30)

    def __call__(self):
        self.now += timedelta(minutes=5)
        return self.now


@pytest.fixture
def clock():
    return Hurried()


@pytest.fixture
def lake(tmp_path, make_samples, monkeypatch):
    """A file of two clusters in each of six days, under a lease that ends by itself."""
    monkeypatch.setattr(maintain, "lease", lambda lake, clock: _leased(_hours(lake), clock))
    lake = Lake.open(tmp_path / "lake")
    for day in range(6):
        start = NOON + timedelta(days=day)
        both = [make_samples([day], start=start, cluster=cluster) for cluster in ("eu", "us")]
        lake.samples.append(pa.concat_tables(both))
    return lake


def _hours(lake):
    return lake.tables["samples_1h"]


WORK = {
    "compact": lambda *at: compact_lake(at[0], Policy(), at[1], at[2]),
    "clean": lambda *at: clean_lake(
        at[0], Policy(keep={"samples": Keep(None, {"us": 1})}), at[1], told=at[2]
    ),
    "delete": lambda *at: delete_from_lake(at[0], "us", Policy(), at[1], at[2]),
}


@pytest.mark.parametrize("work", WORK.values(), ids=list(WORK))
def test_nobody_else_gets_the_lease_while_work_goes_on(lake, clock, work):
    other, asked = Lake.open(lake.root), []

    def told(what, done, whole):
        asked.append(what)
        with pytest.raises(LeaseHeldError), _leased(_hours(other), clock):
            pass

    work(lake, clock, told)
    assert len(asked) > 5, "too short for the lease to end"
    with _leased(_hours(other), clock):
        pass


def test_a_file_is_taken_out_by_whoever_has_the_lease(lake, clock):
    path = lake.samples.files()[1][0].path
    with _leased(_hours(Lake.open(lake.root)), clock), pytest.raises(LeaseHeldError):
        take_out_of_lake(lake, path, clock)
    assert take_out_of_lake(lake, path, clock).rows == 2
    assert len(lake.samples.files()[1]) == 5
