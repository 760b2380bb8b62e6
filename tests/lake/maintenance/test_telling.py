"""What a failing place says of maintenance is typed, and a lost lease ends the work at once."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from lake import utc_now
from lake.errors import LakeError, LeaseHeldError, StoreError, TableDamagedError
from lake.maintenance import clean_plan, clean_round, compact, lease, tidy, vacuum
from lake.maintenance.policy import CompactionPolicy, Keep, Policy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def filled(lake, make_samples):
    """Three files in each of two days."""
    for day in range(2):
        for i in range(3):
            start = NOON + day * DAY + timedelta(seconds=i)
            lake.samples.append(make_samples([i] * 10, start=start, step=timedelta(minutes=1)))
    return lake


def test_rows_are_told_up_to_all_of_them(filled, later):
    told = []
    compact(filled.samples, CompactionPolicy(), later, told=lambda *at: told.append(at))
    assert told[0] == (0, 60)
    assert told[-1] == (60, 60)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_duplicates_count_as_done(lake, make_samples, later):
    told = []
    for i in range(4):
        lake.samples.append(make_samples([i]))
    compact(lake.samples, CompactionPolicy(), later, told=lambda *at: told.append(at))
    assert told[-1] == (4, 4)


@pytest.mark.parametrize("times", [2, 3], ids=["while it writes", "before it commits"])
def test_a_merge_whose_lease_is_lost_commits_nothing_and_leaves_nothing(filled, later, times):
    """Whoever has the lease now may be vacuuming: what is written must not be committed."""
    before, version = set(filled.samples.folder.rglob("*.parquet")), filled.samples.version()
    told = []

    def lost(*at):
        told.append(at)
        if len(told) == times:
            raise LeaseHeldError("lake", "another")

    with pytest.raises(LeaseHeldError):
        compact(filled.samples, CompactionPolicy(), later, told=lost)
    assert len(told) == times
    assert set(filled.samples.folder.rglob("*.parquet")) == before
    assert filled.samples.version() == version


def test_a_round_whose_lease_is_lost_ends(filled, later):
    keep = Policy(keep={"samples": Keep(1)})
    asked = []

    def lost(what, done, whole):
        asked.append(what)
        raise LeaseHeldError("lake", "another")

    with pytest.raises(LeaseHeldError):
        clean_round(filled, keep, later, told=lost)
    assert len(asked) == 1


def garbled(path):
    path.write_bytes(b"no parquet")


def test_a_log_that_cannot_be_read_is_an_error_of_ours_in_every_part(filled, later):
    filled.samples.delta().create_checkpoint()
    log = filled.samples.folder / "_delta_log"
    for path in log.glob("*.checkpoint.parquet"):
        garbled(path)
    for path in log.glob("*.json"):
        path.unlink()
    for act in (
        lambda: vacuum(filled.samples, DAY, later),
        lambda: tidy(filled.samples, Policy()),
        lambda: clean_plan(filled, Policy(), later),
    ):
        with pytest.raises(LakeError):
            act()
    done = clean_round(filled, Policy(), later)
    assert isinstance(done.failures["samples"], TableDamagedError)
    assert list(done.failures) == ["samples"]


def test_a_store_that_does_not_delete(s3_lake, object_store, make_samples):
    s3_lake.samples.write(make_samples([1]), NOON.date())
    object_store.failing = lambda method, path: method == "DELETE"
    with pytest.raises(StoreError, match="delete files"):
        vacuum(s3_lake.samples, DAY, utc_now() + 2 * DAY)


def test_a_lease_in_a_folder_that_is_gone(lake, clock):
    shutil.rmtree(lake.root)
    with pytest.raises(StoreError, match="lease"), lease(lake, clock):
        pass


def test_a_place_to_sort_that_is_not_there(filled, later, tmp_path):
    with pytest.raises(StoreError, match="nowhere"):
        compact(filled.samples, CompactionPolicy(), later, spill=tmp_path / "nowhere")
    assert len(filled.samples.files()[1]) == 6
