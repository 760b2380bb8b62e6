"""A commit that fails leaves no file behind, or one that vacuum takes in the end."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import CommitKey, Lake, utc_now
from lake.errors import StoreError
from lake.maintenance import vacuum

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def on_disk(lake):
    return set(lake.samples.folder.glob("date=*/*.parquet"))


def named(lake):
    return {Path(file.path) for file in lake.samples.files()[1]}


def test_of_a_write_over_two_days_that_fails_at_the_second_nothing_stays(
    lake, make_samples, monkeypatch
):
    fsync = os.fsync

    def refuse(descriptor):
        if "2026-03-02" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    rows = make_samples([1, 2], start=MIDNIGHT - timedelta(seconds=1), step=timedelta(seconds=1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match="No space left"):
            lake.samples.append(rows, CommitKey("app", 1))
    assert on_disk(lake) == set()
    lake.samples.append(rows, CommitKey("app", 1))
    assert on_disk(lake) == named(lake)
    assert len(named(lake)) == 2


LIMITED = """
import resource, sys
from datetime import UTC, datetime, timedelta
import pyarrow as pa
from lake import CommitKey, Lake
from lake.errors import StoreError
lake = Lake.open(sys.argv[1])
days = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=i) for i in range(60)]
rows = pa.table({
    "cluster": ["eu"] * 60, "metric": ["up"] * 60, "series_id": pa.array(range(60), pa.int64()),
    "time": pa.array(days, pa.timestamp("us", "UTC")), "value": [1.0] * 60,
})
before = resource.getrlimit(resource.RLIMIT_FSIZE)
# Each data file has some two thousand bytes, the commit that names sixty of them far more.
resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, before[1]))
try:
    lake.samples.append(rows, CommitKey("app", 1))
except StoreError as error:
    print(error)
print(len(list(lake.samples.folder.glob("date=*/*.parquet"))))
resource.setrlimit(resource.RLIMIT_FSIZE, before)
lake.samples.append(rows, CommitKey("app", 1))
"""


def test_a_folder_that_does_not_take_the_commit_keeps_no_file(lake):
    told = subprocess.run(
        [sys.executable, "-c", LIMITED, str(lake.root)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    *refused, left = told.stdout.splitlines()
    assert "File too large" in "".join(refused), told.stderr
    assert left == "0"
    assert told.returncode == 0, told.stderr
    assert on_disk(lake) == named(lake)
    assert len(named(lake)) == 60


def test_a_bucket_that_does_not_answer_a_commit_keeps_the_file_for_vacuum(
    s3_lake, object_store, make_samples
):
    """It may carry the commit out yet: a table must never name a file that is gone."""
    prefix = f"{s3_lake.store.url.removeprefix(f'{object_store.url}/')}/samples/date="
    object_store.failing = lambda method, path: method == "PUT" and path.endswith(".json")
    rows = make_samples([1.0])
    with pytest.raises(StoreError):
        s3_lake.samples.append(rows, CommitKey("app", 1))
    object_store.failing = lambda method, path: False
    (orphan,) = object_store.keys(prefix)
    s3_lake.samples.append(rows, CommitKey("app", 1))
    soon, later = utc_now() + HOUR / 2, utc_now() + 3 * HOUR
    assert vacuum(s3_lake.samples, HOUR, soon).orphans == ()
    (taken,) = vacuum(s3_lake.samples, HOUR, later).orphans
    assert orphan.endswith(taken.path)
    # Arrow leaves the name of a folder in place of its last file.
    left = {key for key in object_store.keys(prefix) if not key.endswith("/")}
    assert {f"{object_store.url}/{key}" for key in left} == {
        file.path for file in s3_lake.samples.files()[1]
    }


CRASH = """
import os, sys
from datetime import UTC, datetime
import pyarrow as pa
from lake import Lake
from lake.commit import Commit
Commit.attempt = lambda *arguments: os._exit(9)
time = pa.array([datetime(2026, 3, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
rows = {"cluster": ["us"], "metric": ["up"], "series_id": [2], "time": time, "value": [1.0]}
Lake.open(sys.argv[1]).samples.append(pa.table(rows))
"""


def test_vacuum_takes_what_a_crash_before_the_commit_left(lake):
    crashed = subprocess.run(
        [sys.executable, "-c", CRASH, str(lake.root)], cwd=Path(__file__).parents[2]
    )
    assert crashed.returncode == 9
    (left,) = on_disk(Lake.open(lake.root))
    vacuum(lake.samples, HOUR, utc_now() + HOUR / 2)
    assert left.exists()
    vacuum(lake.samples, HOUR, utc_now() + 2 * HOUR)
    assert not left.exists()
