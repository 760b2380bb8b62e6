"""Maintenance of a lake in a bucket, while two processes write to it."""

from datetime import timedelta

import pytest

from lake import CommitKey, Lake, utc_now
from lake.errors import LeaseHeldError
from lake.maintenance import CompactionPolicy, Policy, lease, merge_round

CLEAN = """
import sys
from datetime import timedelta
from lake import Lake, utc_now
from lake.maintenance import CompactionPolicy, Keep, Policy, clean_round
now = utc_now() + timedelta(days=2)
keep = {"samples": Keep(int(sys.argv[2]))}
done = clean_round(Lake.open(sys.argv[1]), Policy(CompactionPolicy(), keep, timedelta(0)), now)
print(*done.failures.values())
"""
"""In a process of its own: delta-rs sets properties without letting other threads run, and the
store's server is one."""

POLICY = Policy(compaction=CompactionPolicy(fan_in=4))


def test_two_writers_and_maintenance_lose_and_double_nothing(s3_lake, run, writer):
    writers = {name: run(writer, s3_lake.store.url, name, "6") for name in ("eu", "us")}
    rounds = merges = 0
    while any(process.poll() is None for process in writers.values()):
        done = merge_round(s3_lake, POLICY, utc_now())
        assert done.failures == {}
        rounds += 1
        merges += done.tables["samples"].merges
    written = {name: int(process.communicate()[0]) for name, process in writers.items()}
    merge_round(s3_lake, POLICY, utc_now())
    assert merges > 0
    assert len(s3_lake.samples.files()[1]) < sum(written.values()) / 2
    counted = s3_lake.sql(
        "SELECT cluster, count(*) AS n, count(DISTINCT (series_id, time)) AS rows, "
        "(SELECT sum(count) FROM samples_1h h WHERE h.cluster = s.cluster) AS rolled "
        "FROM samples s GROUP BY cluster"
    ).to_pylist()
    expected = {name: (7 * n, 7 * n, 7 * n) for name, n in written.items()}
    assert {row["cluster"]: (row["n"], row["rows"], row["rolled"]) for row in counted} == expected


def test_what_is_taken_out_is_deleted_in_the_end(s3_lake, object_store, make_samples, noon, run):
    prefix = s3_lake.store.url.removeprefix(f"{object_store.url}/")
    for i in range(8):
        s3_lake.samples.append(make_samples([i], start=noon + timedelta(seconds=i)))
    old = noon - timedelta(days=400)
    s3_lake.samples.append(make_samples([9], start=old))
    loose = s3_lake.samples.write(make_samples([1]), noon.date())
    later = utc_now() + timedelta(days=2)
    assert merge_round(s3_lake, POLICY, later).failures == {}
    assert run(CLEAN, s3_lake.store.url, str((later - noon).days + 30)).communicate()[0] == "\n"
    kept = {file.path.removeprefix(f"{object_store.url}/") for file in s3_lake.samples.files()[1]}
    found = {
        key
        for key in object_store.keys(f"{prefix}/samples/date=")
        if not key.endswith("/")  # Arrow leaves the name of a folder in place of its last file
    }
    assert loose.path not in str(found)
    assert found == kept
    assert s3_lake.sql("SELECT sum(value) AS total FROM samples").to_pylist() == [{"total": 28.0}]


def test_one_maintainer_at_a_time(s3_lake, object_store):
    other = Lake.open(s3_lake.store.url, storage_options=object_store.options)
    with lease(s3_lake, utc_now), pytest.raises(LeaseHeldError), lease(other, utc_now):
        pass
    with lease(other, utc_now):
        pass


def test_a_tidied_log_keeps_positions(s3_lake, object_store, make_samples, run):
    for position in range(1, 12):
        s3_lake.samples.append(make_samples([1]), CommitKey("app", position))
    assert run(CLEAN, s3_lake.store.url, "100000").communicate()[0] == "\n"
    again = Lake.open(s3_lake.store.url, storage_options=object_store.options)
    version = again.samples.version()
    assert again.samples.append(make_samples([1]), CommitKey("app", 11)) == version
    assert again.samples.committed_position("app") == 11
