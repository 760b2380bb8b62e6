"""What is broken is told by name, and keeps nothing else from its turn."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lake import Lake
from lake.errors import FileDamagedError, FileUnknownError, NewerLakeError, StoreError
from lake.maintenance import clean_round, compact, delete_cluster, merge_round, take_out
from lake.maintenance.levels import FINAL
from lake.maintenance.policy import CompactionPolicy, Keep, Policy
from lake.schema_version import SCHEMA_VERSION_PROPERTY

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = CompactionPolicy()


def truncated(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def cut_inside(path):
    """The footer is whole, the pages before it are not."""
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(bytes(data))


NOISE = np.random.default_rng(1).normal(size=500_000).tolist()
"""Values that nothing makes small."""

DAMAGES = {
    "truncated": truncated,
    "pages overwritten": cut_inside,
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_text("time,value\n1,2\n" * 100),
    "gone": Path.unlink,
}


@pytest.fixture
def damaged(lake, make_samples, request):
    """Two files in each of three days; one of the second day is damaged."""
    for day in range(3):
        for i in range(2):
            values = [float(i)] * 500
            lake.samples.append(
                make_samples(values, start=NOON + day * DAY, series_id=10 * day + i)
            )
    bad = next(file for file in lake.samples.files()[1] if file.day == (NOON + DAY).date())
    request.param(Path(bad.path))
    return bad.path


@pytest.mark.parametrize("damaged", DAMAGES.values(), ids=list(DAMAGES), indirect=True)
def test_other_files_are_merged_and_the_damaged_one_is_named(lake, damaged, later):
    done = compact(lake.samples, POLICY, later)
    assert [error.path for error in done.damaged] == [damaged]
    assert damaged in str(done.damaged[0])
    files = lake.samples.files()[1]
    merged = [file for file in files if f"-l{FINAL}-" in file.path]
    assert sorted(file.rows for file in merged) == [500, 1000, 1000]
    assert [file.path for file in files if file not in merged] == [damaged]
    kept = set(map(str, lake.samples.folder.glob("date=*/compact-*")))
    assert kept == {file.path for file in merged}
    # The good data stays readable, and all of it once the damaged file is taken out.
    one_day = "SELECT count(*) AS n FROM samples WHERE date = '2026-03-01'"
    assert lake.sql(one_day)["n"].to_pylist() == [1000]
    assert take_out(lake, damaged).rows == 500
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [2500]
    assert compact(lake.samples, POLICY, later).damaged == []


@pytest.mark.parametrize("damaged", [truncated], indirect=True)
def test_a_round_goes_on_with_other_tables_and_reports(lake, damaged, later):
    done = merge_round(lake, Policy(), later)
    assert isinstance(done.failures["samples"], FileDamagedError)
    assert set(done.tables) == set(lake.tables)


@pytest.mark.parametrize("damaged", [truncated], indirect=True)
def test_what_must_read_the_damaged_file_says_so(lake, damaged, later):
    with pytest.raises(FileDamagedError, match="take-out"):
        delete_cluster(lake, "eu", Policy(), later)


def test_a_file_that_no_table_names(lake):
    with pytest.raises(FileUnknownError, match="nowhere"):
        take_out(lake, "nowhere.parquet")


def test_a_corrupt_log_stops_its_table_alone(lake, make_samples, later):
    lake.samples.append(make_samples())
    log = lake.tables["events"].folder / "_delta_log"
    (log / f"{1:020d}.json").write_text('{"add": {"path"')
    fresh = Lake.open(lake.root, create=False)
    merged, cleaned = merge_round(fresh, Policy(), later), clean_round(fresh, Policy(), later)
    assert list(merged.failures) == list(cleaned.failures) == ["events"]
    assert "_delta_log" in str(merged.failures["events"])
    assert fresh.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [1]


@pytest.mark.parametrize("version", ["2", "99", "1.5", "next"])
def test_a_table_of_a_newer_schema_is_refused(lake, make_samples, version):
    lake.samples.append(make_samples())
    properties = {SCHEMA_VERSION_PROPERTY: version}
    lake.samples.delta().alter.set_table_properties(properties, raise_if_not_exists=False)
    for create in (False, True):
        with pytest.raises(NewerLakeError, match=repr(version)):
            Lake.open(lake.root, create=create)


LIMITED = """
import resource, signal, sys
from datetime import UTC, datetime
from lake import Lake
from lake.errors import StoreError
from lake.maintenance import CompactionPolicy, compact
lake = Lake.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    compact(lake.samples, CompactionPolicy(), datetime(2026, 3, 10, tzinfo=UTC))
except StoreError as error:
    print(error)
"""


def test_a_merged_file_that_may_not_be_so_large_leaves_nothing(lake, make_samples, later):
    for i in range(3):
        lake.samples.append(make_samples(NOISE[:5000], series_id=i))
    before = set(lake.samples.folder.rglob("*.parquet"))
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(lake.root), "5000"], capture_output=True, text=True
    )
    assert (told.returncode, "File too large" in told.stdout) == (0, True), told.stderr
    assert "see that the disk has room" in told.stdout
    assert set(lake.samples.folder.rglob("*.parquet")) == before
    assert compact(lake.samples, POLICY, later).merges == 1
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [15_000]


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m", "none", str(place)], capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_fails_typed_loses_nothing_and_recovers(small_disk, make_samples, later):
    lake = Lake.open(small_disk / "lake")
    for i in range(3):
        lake.samples.append(make_samples(NOISE[:5000], series_id=i))
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as sink:
        try:
            while True:
                sink.write(bytes(1024))
        except OSError:
            pass
    with pytest.raises(StoreError, match="No space left"):
        compact(lake.samples, POLICY, later)
    assert list(lake.samples.folder.glob("date=*/compact-*")) == []
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [15_000]
    filler.unlink()
    assert compact(lake.samples, POLICY, later).merges == 1
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [15_000]


def test_a_sort_that_fills_its_disk_says_so(small_disk, lake, make_samples, later):
    for i in range(2):
        close = timedelta(milliseconds=50)  # all on one day
        lake.samples.append(make_samples(NOISE, series_id=i, step=close))
    tight = CompactionPolicy(memory_bytes=24 << 20)
    with pytest.raises(StoreError, match="sort"):
        compact(lake.samples, tight, later, spill=small_disk)
    assert list(small_disk.iterdir()) == []
    assert compact(lake.samples, POLICY, later).merges == 1


def test_a_table_deleted_under_maintenance(lake, make_samples, later):
    lake.samples.append(make_samples())
    shutil.rmtree(lake.samples.folder)
    done = merge_round(lake, Policy(), later)
    assert {"samples", "rollups"} >= set(done.failures) >= {"samples"}
    again = clean_round(lake, Policy(keep={"samples": Keep(1)}), later)
    assert list(again.failures) == ["samples"]
