"""Merging files of a real lake: the same rows, once each, in few sorted files."""

import struct
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import CommitKey, Lake, parquet
from lake.maintenance import merge, output
from lake.maintenance.compaction import compact
from lake.maintenance.levels import FINAL, NAME
from lake.maintenance.policy import CompactionPolicy
from lake.row_groups import write_dense
from lake.schema import SAMPLES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = CompactionPolicy()
STEPWISE = CompactionPolicy(fan_in=2)


def samples(rows):
    """Rows of (cluster, metric, series, seconds after noon, value)."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[3] = [NOON + timedelta(seconds=at) for at in columns[3]]
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, SAMPLES.schema, strict=True)],
        names=SAMPLES.schema.names,
    )


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ap", "eu", "us"]),
        st.sampled_from(["cpu", "up"]),
        st.integers(-2, 2),
        st.sampled_from([0, 1, 2, 40_000, 50_000, 90_000]),
        st.floats(allow_nan=False),
    ),
    min_size=1,
    max_size=12,
)


def newest(commits):
    truth = {}
    for rows in commits:
        for *key, value in rows:
            truth[tuple(key)] = value
    return truth


def found(lake):
    query = (
        "SELECT cluster, metric, series_id, epoch(time - $noon)::BIGINT AS at, value FROM samples"
    )
    rows = lake.sql(query, {"noon": NOON}).to_pylist()
    keys = [(row["cluster"], row["metric"], row["series_id"], row["at"]) for row in rows]
    assert len(keys) == len(set(keys)), "a sample is there twice"
    return dict(zip(keys, (row["value"] for row in rows), strict=True))


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(commits=st.lists(ROWS, min_size=1, max_size=7), small=st.booleans())
def test_the_last_commit_wins_in_one_step_and_in_many(
    commits, small, tmp_path_factory, clock, later, monkeypatch
):
    monkeypatch.setattr(merge, "SLICE_ROWS", 3 if small else 1000)
    monkeypatch.setattr(merge, "BATCH_ROWS", 2 if small else 1000)
    monkeypatch.setattr(output, "PORTION_ROWS", 2 if small else 1000)
    lake = Lake.open(tmp_path_factory.mktemp("lake"), clock=clock)
    for rows in commits:
        # Within a commit keys are unique, as in a flush.
        unique = {tuple(key): (*key, value) for *key, value in rows}
        lake.samples.append(samples(list(unique.values())))
        if small:
            compact(lake.samples, STEPWISE, NOON)
    compact(lake.samples, POLICY, later)
    assert found(lake) == newest(commits)
    assert all(f"-l{FINAL}-" in file.path for file in lake.samples.files()[1])


def test_rows_of_a_file_are_sorted_and_files_do_not_overlap(lake, later, monkeypatch):
    monkeypatch.setattr(output, "PORTION_ROWS", 1000)
    # A file ends where a row group does: large ones would hold all of these rows.
    monkeypatch.setattr(parquet, "write_dense", partial(write_dense, group_rows=1000))
    rows = [("eu", f"m{i % 7}", i % 50, i, float(i * i % 977)) for i in range(20_000)]
    for start in range(0, len(rows), 4000):
        lake.samples.append(samples(rows[start : start + 4000]))
    target = 8_000
    done = compact(lake.samples, CompactionPolicy(target_bytes=target), later)
    files = lake.samples.files()[1]
    assert done.files_out == len(files) > 2
    assert sum(file.rows for file in files) == 20_000
    assert max(file.size for file in files) < 2 * target
    tables = [pq.read_table(file.path, partitioning=None) for file in files]
    keys = [
        (row["cluster"], row["metric"], row["series_id"], row["time"])
        for table in sorted(tables, key=lambda t: _key(t.slice(0, 1).to_pylist()[0]))
        for row in table.to_pylist()
    ]
    assert keys == sorted(keys)
    assert len({NAME.match(file.path.rsplit("/", 1)[1])[0] for file in files}) == 1


def _key(row):
    return row["cluster"], row["metric"], row["series_id"], row["time"]


def test_values_keep_their_bits(lake, make_samples, later):
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    odd = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000BAD))[0]
    values = [odd, stale, float("inf"), -0.0, 5e-324, 1.7976931348623157e308, 1.0]
    lake.samples.append(make_samples(values[:4]))
    lake.samples.append(make_samples(values[4:], start=NOON + timedelta(seconds=4)))
    compact(lake.samples, POLICY, later)
    assert len(lake.samples.files()[1]) == 1
    got = lake.sql("SELECT value FROM samples ORDER BY time").column("value").to_pylist()
    assert [struct.pack("<d", v) for v in got] == [struct.pack("<d", v) for v in values]


def test_files_are_named_by_the_version_whose_rows_they_hold(lake, make_samples):
    for i in range(8):
        lake.samples.append(make_samples([i], start=NOON + timedelta(seconds=i)))
    done = compact(lake.samples, POLICY, NOON)
    assert (done.merges, done.files_in, done.rows, done.dropped) == (1, 8, 8, 0)
    (file,) = lake.samples.files()[1]
    name = NAME.match(file.path.rsplit("/", 1)[1])
    assert (int(name["version"]), name["level"]) == (8, "1")


def test_a_pinned_snapshot_keeps_its_files(lake, make_samples, later):
    for i in range(3):
        lake.samples.append(make_samples([i]))
    pinned = lake.snapshot()
    compact(lake.samples, POLICY, later)
    with pinned.connect() as connection:
        assert connection.execute("SELECT count(*) FROM samples").fetchone() == (3,)
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [1]


def test_positions_survive(lake, make_samples, later):
    for i in range(3):
        lake.samples.append(make_samples([i]), CommitKey("app", i + 1))
    compact(lake.samples, POLICY, later)
    assert Lake.open(lake.root).samples.committed_position("app") == 3


def test_nothing_to_do_commits_nothing(lake, make_samples, later):
    lake.samples.append(make_samples())
    compact(lake.samples, POLICY, later)
    version = lake.samples.version()
    assert compact(lake.samples, POLICY, later).merges == 0
    assert lake.samples.version() == version


def test_it_stops_when_asked_and_goes_on_later(lake, make_samples, later):
    for day in range(4):
        lake.samples.append(make_samples(start=NOON + timedelta(days=day)))
    asked = iter([False, False, False, True, True, True])
    assert compact(lake.samples, POLICY, later, stopping=lambda: next(asked)).merges < 4
    compact(lake.samples, POLICY, later)
    assert all(f"-l{FINAL}-" in file.path for file in lake.samples.files()[1])


def test_a_merge_that_is_told_to_stop_while_it_writes_leaves_nothing(
    lake, make_samples, later, monkeypatch
):
    monkeypatch.setattr(output, "PORTION_ROWS", 10)
    for i in range(3):
        lake.samples.append(make_samples([i] * 20, series_id=i))
    before, asked = set(lake.samples.folder.rglob("*.parquet")), []

    def stopping():
        asked.append(True)
        return len(asked) > 5

    assert compact(lake.samples, POLICY, later, stopping=stopping).merges == 0
    assert len(asked) <= 8
    assert set(lake.samples.folder.rglob("*.parquet")) == before
    assert compact(lake.samples, POLICY, later).rows == 60


def test_an_overtaken_merge_is_planned_anew(lake, make_samples, later, monkeypatch):
    """Another maintainer merges the same files first: its work stands, ours leaves nothing."""
    for i in range(3):
        lake.samples.append(make_samples([i], start=NOON + timedelta(seconds=i)))
    other, rewrite = Lake.open(lake.root), lake.samples.rewrite

    def overtaken(*arguments, **named):
        monkeypatch.undo()
        compact(other.samples, POLICY, later)
        return rewrite(*arguments, **named)

    monkeypatch.setattr(lake.samples, "rewrite", overtaken)
    done = compact(lake.samples, POLICY, later)
    assert (done.conflicts, done.merges) == (1, 0)
    assert lake.sql("SELECT value FROM samples ORDER BY 1")["value"].to_pylist() == [0, 1, 2]
    (file,) = lake.samples.files()[1]
    compacted = list(lake.samples.folder.glob("date=*/compact-*"))
    assert [str(path) for path in compacted] == [file.path]


@pytest.mark.parametrize("name", ["series", "events", "anomalies", "objects"])
def test_every_table_can_be_empty(lake, name, later):
    assert compact(lake.tables[name], POLICY, later).merges == 0


def test_other_engines_read_the_result(lake, make_samples, later):
    for i in range(3):
        lake.samples.append(make_samples([i], start=NOON + timedelta(seconds=i)))
    compact(lake.samples, POLICY, later)
    (file,) = lake.samples.files()[1]
    assert pq.read_table(file.path, partitioning=None).column("value").to_pylist() == [0, 1, 2]
    assert duckdb.sql(f"SELECT sum(value) FROM '{file.path}'").fetchall() == [(3.0,)]
    assert lake.samples.delta().to_pyarrow_table().num_rows == 3
