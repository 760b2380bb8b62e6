"""What vacuum deletes, and what it must never delete."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import CommitKey, Lake
from lake.maintenance.compaction import compact
from lake.maintenance.deletion import delete_cluster
from lake.maintenance.log import state, tidy
from lake.maintenance.policy import CompactionPolicy, Policy
from lake.maintenance.vacuum import plan, vacuum
from lake.store import StoredFile

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class Shifted:
    """The machine's time, or some before it: vacuum goes by the real times of files and commits."""

    def __init__(self):
        self.back = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) - self.back


@pytest.fixture
def clock():
    return Shifted()


def data_files(lake):
    return {
        str(path) for path in lake.samples.folder.glob("**/*.parquet") if "_log" not in str(path)
    }


def age(path, by):
    moment = (datetime.now(UTC) - by).timestamp()
    os.utime(path, (moment, moment))


def fill(lake, make_samples, n=3):
    for i in range(n):
        lake.samples.append(make_samples([i], series_id=i))


def test_files_stay_for_the_grace_after_they_were_taken_out(lake, clock, make_samples, later):
    fill(lake, make_samples)
    first = {file.path for file in lake.samples.files()[1]}
    clock.back = 23 * HOUR
    compact(lake.samples, CompactionPolicy(), later)
    for path in first:
        age(path, 100 * DAY)
    assert vacuum(lake.samples, DAY, clock()).expired == ()
    assert first < data_files(lake)
    assert [file.path for file in lake.samples.files(3)[1]] == sorted(first)


def test_files_go_after_the_grace(lake, clock, make_samples, later):
    fill(lake, make_samples)
    clock.back = 25 * HOUR
    compact(lake.samples, CompactionPolicy(), later)
    clock.back = timedelta(0)
    done = vacuum(lake.samples, DAY, clock())
    assert (len(done.expired), done.orphans, done.foreign) == (3, (), ())
    assert data_files(lake) == {file.path for file in lake.samples.files()[1]}
    assert done.bytes > 0
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [3]


def test_a_file_that_is_being_written_stays_whatever_the_grace(lake, clock, make_samples):
    rows = make_samples()
    file = lake.samples.write(rows, rows["time"][0].as_py().date())
    path = lake.samples.folder / file.path
    vacuum(lake.samples, timedelta(0), clock())
    assert path.exists()
    age(path, 2 * HOUR)
    vacuum(lake.samples, DAY, clock())
    assert path.exists()
    age(path, 25 * HOUR)
    assert [one.path for one in vacuum(lake.samples, DAY, clock()).orphans] == [file.path]
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["notes.txt", "export.parquet", "date=2026-03-01/copy of x.parquet"]
)
def test_foreign_files_are_told_and_left_alone(lake, clock, make_samples, name):
    fill(lake, make_samples)
    path = lake.samples.folder / name
    path.write_bytes(b"mine")
    age(path, 100 * DAY)
    assert [file.path for file in vacuum(lake.samples, DAY, clock()).foreign] == [name]
    assert path.read_bytes() == b"mine"
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [3]


NOW = datetime(2026, 3, 10, tzinfo=UTC)
NAMES = [f"date=2026-03-01/{i:032x}.parquet" for i in range(6)]


@given(
    ages=st.lists(st.integers(0, 100), min_size=6, max_size=6),
    states=st.lists(
        st.sampled_from(["live", "recent", "expired", "unknown"]), min_size=6, max_size=6
    ),
    grace=st.integers(0, 60),
)
def test_the_plan_never_names_what_is_live_or_young(ages, states, grace):
    files = [StoredFile(n, 1, NOW - timedelta(hours=a)) for n, a in zip(NAMES, ages, strict=True)]
    of = {s: {n for n, t in zip(NAMES, states, strict=True) if t == s} for s in states}
    empty: set[str] = set()
    found = plan(
        files,
        of.get("live", empty),
        of.get("expired", empty),
        of.get("recent", empty),
        NOW,
        timedelta(hours=grace),
    )
    assert {file.path for file in found.expired} == of.get("expired", empty)
    assert {file.path for file in found.orphans} == {
        file.path
        for file in files
        if file.path in of.get("unknown", empty)
        and NOW - file.modified > timedelta(hours=max(grace, 1))
    }


def test_a_deleted_cluster_is_gone_from_the_disk_when_it_says_so(lake, clock, make_samples, later):
    clock.back = 30 * HOUR
    for cluster in ("eu", "secret-cluster", "us"):
        lake.samples.append(make_samples([1.0], cluster=cluster, metric="m"))
    compact(lake.samples, CompactionPolicy(), later)
    lake.samples.append(make_samples([2.0], cluster="secret-cluster"))
    deleted = delete_cluster(lake, "secret-cluster", Policy(), clock())
    assert (deleted.rows["samples"], deleted.files["samples"]) == (2, 2)
    assert sum(deleted.rows.values()) == 2
    assert lake.sql("SELECT DISTINCT cluster FROM samples ORDER BY 1")["cluster"].to_pylist() == [
        "eu",
        "us",
    ]
    clock.back = timedelta(0)
    assert deleted.gone_at < clock()
    for path in (lake.samples.folder / "_delta_log").iterdir():
        age(path, 30 * HOUR)
    tidy(lake.samples, Policy())
    for path in (lake.samples.folder / "_delta_log").iterdir():
        age(path, 30 * HOUR)
    vacuum(lake.samples, DAY, clock())
    tidy(lake.samples, Policy())
    left = [p for p in lake.samples.folder.rglob("*") if p.is_file()]
    # Parquet's statistics are plain bytes: the name would be there.
    assert [p for p in left if p.suffix == ".parquet" and b"secret-cluster" in p.read_bytes()] == []
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [2]


def test_deleting_a_cluster_that_is_in_no_table_commits_nothing(lake, make_samples):
    fill(lake, make_samples)
    lake.samples.append(make_samples(cluster="aa"))
    version = lake.samples.version()
    done = delete_cluster(lake, "b'c", Policy(), datetime.now(UTC))
    assert (sum(done.rows.values()), lake.samples.version()) == (0, version)


def test_positions_survive_checkpoint_cleanup_and_vacuum(lake, clock, make_samples, later):
    clock.back = 30 * HOUR
    for i in range(5):
        lake.samples.append(make_samples([i], series_id=i), CommitKey("app", i + 1))
    compact(lake.samples, CompactionPolicy(), later)
    log = lake.samples.folder / "_delta_log"
    tidy(lake.samples, Policy())
    lake.samples.delta().create_checkpoint()
    for path in log.iterdir():
        age(path, 30 * HOUR)
    clock.back = timedelta(0)
    lake.samples.append(make_samples([9.0], series_id=9), CommitKey("app", 6))
    vacuum(lake.samples, DAY, clock())
    after = tidy(lake.samples, Policy())
    assert not (log / f"{1:020d}.json").exists()
    assert after.entries <= 6
    again = Lake.open(lake.root)
    assert again.samples.committed_position("app") == 6
    assert again.samples.append(make_samples([9.0]), CommitKey("app", 6)) == again.samples.version()
    assert again.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [6]


def test_a_new_table_has_its_properties(lake, make_samples):
    """Setting them later would let no other thread of a server run meanwhile."""
    lake.samples.append(make_samples())
    version = lake.samples.version()
    tidy(lake.samples, Policy())
    assert lake.samples.version() == version
    found = lake.samples.delta().metadata().configuration
    assert found["delta.checkpointInterval"] == "100"


def test_a_table_of_before_gets_its_properties_once(lake, make_samples):
    policy = Policy(grace=2 * DAY)
    tidy(lake.samples, policy)
    version = lake.samples.version()
    tidy(lake.samples, policy)
    assert lake.samples.version() == version
    found = Lake.open(lake.root).samples.delta().metadata().configuration
    assert found["delta.logRetentionDuration"] == "interval 172800 seconds"
    assert found["delta.enableExpiredLogCleanup"] == "false"


def test_a_checkpoint_is_written_when_the_tail_is_long(lake, make_samples):
    tidy(lake.samples, Policy())
    for i in range(20):
        lake.samples.append(make_samples([i]))
    assert state(lake.samples).tail > 10
    assert tidy(lake.samples, Policy()).tail == 0
    assert Path(lake.samples.folder / "_delta_log" / "_last_checkpoint").exists()
