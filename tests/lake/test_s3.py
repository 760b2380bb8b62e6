"""The lake in a bucket, over HTTP."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from lake import CommitKey, Lake, Limits, TimeRange, connect
from lake.errors import (
    ConflictError,
    FileDamagedError,
    LakeNotFoundError,
    StoreError,
)


def count(lake, where="true"):
    return lake.sql(f"SELECT count(*) AS n FROM samples WHERE {where}").to_pylist()[0]["n"]


def stored(lake):
    return sorted(lake.sql("SELECT value FROM samples").column("value").to_pylist())


def test_all_that_a_lake_can_do(s3_lake, make_samples, noon):
    lake = s3_lake
    day = timedelta(days=1)
    assert lake.samples.append(make_samples([1, 2])) == 1
    assert lake.samples.append(make_samples([3], start=noon + day)) == 2
    assert stored(lake) == [1, 2, 3]
    between = TimeRange.of_day(noon.date())
    assert lake.sql("SELECT value FROM samples", between=between).num_rows == 2
    lake.samples.replace(make_samples([4], start=noon + day), f"date = '{(noon + day).date()}'")
    assert stored(lake) == [1, 2, 4]
    version, files = lake.samples.files()
    old = [file for file in files if file.day == noon.date()]
    new = lake.samples.write(make_samples([1, 2]), noon.date(), "merged-")
    assert lake.samples.rewrite([new], old) == version + 1
    assert stored(lake) == [1, 2, 4]
    assert lake.samples.files(version)[1] == files
    with lake.snapshot().connect() as connection:
        views = ("samples", "series", "events", "anomalies", "metrics", "objects")
        counts = [connection.execute(f"SELECT count(*) FROM {v}").fetchone()[0] for v in views]
    assert counts == [3, 0, 0, 0, 0, 0]
    rows = lake.query_guarded("SELECT value FROM samples ORDER BY 1", Limits()).rows
    assert rows.column("value").to_pylist() == [1, 2, 4]


def test_a_notebook_connects(s3_lake, object_store, make_samples):
    s3_lake.samples.append(make_samples([1, 2]))
    with connect(s3_lake.store.url, object_store.options) as connection:
        assert connection.execute("SELECT sum(value) FROM samples").fetchone() == (3.0,)


def test_a_bucket_without_a_lake_is_left_alone(object_store):
    url = f"{object_store.url}/none"
    with pytest.raises(LakeNotFoundError, match="no lake in 's3://lakes/none'"):
        Lake.open(url, create=False, storage_options=object_store.options)
    assert object_store.keys("none") == set()


@pytest.mark.parametrize("position", [5, 4, 1])
def test_a_committed_position_is_not_committed_again(s3_lake, object_store, make_samples, position):
    version = s3_lake.samples.append(make_samples(), CommitKey("app", 5))
    other = Lake.open(s3_lake.store.url, storage_options=object_store.options)
    before = object_store.keys()
    assert other.samples.append(make_samples(), CommitKey("app", position)) == version
    assert other.samples.committed_position("app") == 5
    assert object_store.keys() == before
    assert count(s3_lake) == 1


def test_a_commit_is_a_put_that_refuses_to_overwrite(s3_lake, object_store, make_samples):
    """Whoever else writes the version first, wins; ours becomes the next."""
    s3_lake.samples.append(make_samples([1]))
    log = s3_lake.store.below("samples/_delta_log").url.removeprefix(f"{object_store.url}/")
    put, raced = f"/lakes/{log}/{2:020d}.json", []
    other = Lake.open(s3_lake.store.url, storage_options=object_store.options)

    def race(method, path):
        if (method, path) == ("PUT", put) and not raced:
            raced.append(1)
            other.samples.append(make_samples([2]))
        return False

    object_store.failing = race
    assert s3_lake.samples.append(make_samples([3])) == 3
    assert raced
    assert stored(s3_lake) == [1, 2, 3]


def test_a_rewrite_that_came_too_late_leaves_nothing(s3_lake, object_store, make_samples, noon):
    s3_lake.samples.append(make_samples([1]))
    _, files = s3_lake.samples.files()
    first = s3_lake.samples.write(make_samples([1]), noon.date())
    s3_lake.samples.rewrite([first], files)
    # Arrow leaves the name of a folder behind, as an empty object.
    before = {key for key in object_store.keys() if not key.endswith("/")}  # noqa: SIM118
    second = s3_lake.samples.write(make_samples([1]), noon.date())
    with pytest.raises(ConflictError):
        s3_lake.samples.rewrite([second], files)
    assert {key for key in object_store.keys() if not key.endswith("/")} == before  # noqa: SIM118


COMPACTOR = """
import sys, time
import pyarrow as pa
from lake import Lake
from lake.connection import connect
lake = Lake.open(sys.argv[1])
end, done = time.monotonic() + float(sys.argv[2]), 0
names = ", ".join(lake.samples.spec.schema.names)
while time.monotonic() < end:
    _, files = lake.samples.files()
    if len(files) < 5:
        continue
    with connect({"samples": [file.path for file in files]}, store=lake.store) as connection:
        query = f"SELECT {names} FROM samples ORDER BY cluster, metric, series_id, time"
        rows = connection.sql(query).to_arrow_table()
    written = lake.samples.write(rows.cast(lake.samples.spec.schema), files[0].day)
    lake.samples.rewrite([written], files)
    done += 1
print(done)
"""


def test_two_writers_and_a_compactor_lose_and_double_nothing(s3_lake, run, writer):
    url = s3_lake.store.url
    writers = {name: run(writer, url, name, "10") for name in ("eu", "us")}
    compactor = run(COMPACTOR, url, "10")
    seen = {"eu": 0, "us": 0}
    while compactor.poll() is None:
        query = "SELECT cluster, count(*) AS n, max(value) AS last FROM samples GROUP BY 1"
        for row in s3_lake.sql(query).to_pylist():
            assert row["n"] == 7 * row["last"]
            assert row["n"] >= seen[row["cluster"]]
            seen[row["cluster"]] = row["n"]
    written = {name: int(process.communicate()[0]) for name, process in writers.items()}
    assert int(compactor.communicate()[0]) > 1
    assert min(written.values()) > 5
    found = s3_lake.sql(
        "SELECT cluster, count(*) AS n, count(DISTINCT (series_id, time)) AS distinct_rows,"
        " sum(value) AS total FROM samples GROUP BY 1"
    ).to_pylist()
    assert {row["cluster"]: row["n"] for row in found} == {c: 7 * n for c, n in written.items()}
    for row in found:
        n = written[row["cluster"]]
        assert row["distinct_rows"] == 7 * n
        assert row["total"] == 7 * n * (n + 1) / 2


def test_a_store_that_fails_is_told_and_recovered_from(s3_lake, object_store, make_samples):
    lake = s3_lake
    lake.samples.append(make_samples([1]), CommitKey("app", 1))
    object_store.failing = lambda method, path: True
    for attempt in (
        lambda: lake.samples.append(make_samples([2]), CommitKey("app", 2)),
        lambda: lake.sql("SELECT value FROM samples"),
        lambda: Lake.open(lake.store.url, storage_options=object_store.options),
    ):
        with pytest.raises(StoreError, match="endpoint answers, the bucket exists") as refusal:
            attempt()
        assert refusal.value.place.startswith(lake.store.url)
        assert object_store.options["secret_access_key"] not in str(refusal.value)
    object_store.failing = lambda method, path: False
    lake.samples.append(make_samples([2]), CommitKey("app", 2))
    assert stored(lake) == [1, 2]


@pytest.mark.parametrize("what", ["date=", "_delta_log"])
def test_a_put_that_fails_commits_nothing_and_is_repeated(
    s3_lake, object_store, make_samples, what
):
    object_store.failing = lambda method, path: method in {"PUT", "POST"} and what in path
    with pytest.raises(StoreError, match=r"cannot (append to|write a file of) table 'samples'"):
        s3_lake.samples.append(make_samples([1]), CommitKey("app", 1))
    object_store.failing = lambda method, path: False
    assert s3_lake.samples.committed_position("app") is None
    s3_lake.samples.append(make_samples([1]), CommitKey("app", 1))
    assert stored(s3_lake) == [1]


def test_files_that_cannot_be_read_are_told(s3_lake, object_store, make_samples):
    s3_lake.samples.append(make_samples([1]))
    object_store.failing = lambda method, path: path.endswith(".parquet")
    for ask in (s3_lake.sql, lambda sql: s3_lake.query_guarded(sql, Limits(seconds=20))):
        with pytest.raises(StoreError, match=r"cannot read its files: .* see that the endpoint"):
            ask("SELECT value FROM samples")
    object_store.failing = lambda method, path: False
    assert s3_lake.query_guarded("SELECT value FROM samples", Limits()).rows.num_rows == 1


def test_an_object_that_is_gone_is_told(s3_lake, object_store, make_samples, noon):
    s3_lake.samples.append(make_samples([1]))
    s3_lake.samples.append(make_samples([2], start=noon + timedelta(days=1)))
    gone, kept = s3_lake.samples.files()[1]
    s3_lake.store.delete(gone.path.removeprefix(f"{s3_lake.store.url}/"))
    for ask in (s3_lake.sql, lambda sql: s3_lake.query_guarded(sql, Limits())):
        with pytest.raises(FileDamagedError, match="put it back") as refusal:
            ask("SELECT value FROM samples")
        assert (refusal.value.table, refusal.value.path) == ("samples", gone.path)
        assert ask(f"SELECT value FROM samples WHERE time >= '{kept.day}'")


def test_nobody_listens(make_samples):
    options = {
        "endpoint_url": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "hidden"
    }  # fmt: skip
    with pytest.raises(StoreError, match="Connection refused") as refusal:
        Lake.open("s3://lakes/lake", storage_options=options)
    assert "\x1b" not in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "hidden" not in str(refusal.value)


def test_a_query_reads_only_what_it_needs(s3_lake, object_store, make_samples, noon):
    """One request asks for the size, one takes the footer, one the row group."""
    n, step = 150_000, timedelta(milliseconds=100)
    values = np.random.default_rng(1).random(4 * n)
    rows = pa.concat_tables(
        make_samples(values[metric * n : (metric + 1) * n], step=step, metric=f"m{metric}")
        for metric in range(4)
    )
    s3_lake.samples.append(rows)
    later = [make_samples([1], start=noon + timedelta(days=day)) for day in range(1, 30)]
    s3_lake.samples.append(pa.concat_tables(later))  # a file a day
    (file, *others) = s3_lake.samples.files()[1]
    assert len(others) == 29
    assert file.size > 1_000_000
    snapshot = s3_lake.snapshot()
    paths = snapshot.paths(TimeRange.of_day(noon.date()), ["samples"])
    assert paths == {"samples": [file.path]}
    object_store.requests.clear()
    found = s3_lake.sql(
        f"SELECT max(value) AS top FROM samples WHERE metric = 'm1' AND date = '{noon.date()}'"
    )
    assert found.to_pylist() == [{"top": max(values[n : 2 * n])}]
    asked = [method for method, path in object_store.requests if path.endswith(".parquet")]
    assert asked.count("HEAD") == 1
    assert asked.count("GET") <= 6
