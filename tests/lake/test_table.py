import math
import os
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from lake import CommitKey, Lake, delta_log
from lake.commit import Commit
from lake.delta_log import DeltaLog
from lake.errors import ConflictError, FileDamagedError, SchemaError
from lake.table import Table

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def count(lake, where="true"):
    return lake.sql(f"SELECT count(*) AS n FROM samples WHERE {where}").to_pylist()[0]["n"]


def without(rows, name):
    return rows.drop_columns([name])


def with_column(rows, name, values):
    index = rows.column_names.index(name)
    return rows.set_column(index, name, pa.array(values))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        pytest.param(lambda r: without(r, "value"), "'value' is missing", id="missing"),
        pytest.param(
            lambda r: r.append_column("extra", pa.array([1])),
            "unknown column 'extra'",
            id="unknown",
        ),
        pytest.param(
            lambda r: r.append_column("date", pa.array([date(2026, 3, 1)])),
            "unknown column 'date'",
            id="date is never handed in",
        ),
        pytest.param(lambda r: with_column(r, "value", ["high"]), "'value' is string", id="type"),
        pytest.param(
            lambda r: with_column(r, "series_id", [1.5]), "'series_id' is double", id="fraction"
        ),
        pytest.param(
            lambda r: with_column(r, "cluster", [None]), "'cluster' has nulls", id="null cluster"
        ),
        pytest.param(
            lambda r: with_column(r, "time", pa.array([None], pa.timestamp("us", "UTC"))),
            "'time' has nulls",
            id="null time",
        ),
    ],
)
def test_append_refuses_rows_that_do_not_fit(lake, make_samples, change, rule):
    version, before = lake.samples.version(), set(lake.root.rglob("*"))
    with pytest.raises(SchemaError, match="samples") as refusal:
        lake.samples.append(change(make_samples()), CommitKey("app", 1))
    assert rule in str(refusal.value)
    assert refusal.value.table == "samples"
    assert lake.samples.version() == version
    assert lake.samples.committed_position("app") is None
    assert set(lake.root.rglob("*")) == before


def test_append_takes_columns_in_any_order_and_sorts_rows(lake, make_samples, noon):
    late = make_samples([1.0], start=noon + timedelta(hours=1))
    rows = pa.concat_tables([late, make_samples([2.0]), make_samples([3.0], cluster="af")])
    lake.samples.append(rows.select(rows.column_names[::-1]))
    (file,) = lake.samples.files()[1]
    stored = lake.sql("SELECT value FROM samples").column("value").to_pylist()
    assert stored == [3.0, 2.0, 1.0]
    assert (file.rows, file.first, file.last) == (3, noon, noon + timedelta(hours=1))


@pytest.mark.parametrize("position", [5, 4, 1, 0])
def test_a_committed_position_is_not_committed_again(lake, make_samples, position):
    version = lake.samples.append(make_samples(), CommitKey("app", 5))
    assert lake.samples.append(make_samples(), CommitKey("app", position)) == version
    assert count(lake) == 1
    assert lake.samples.committed_position("app") == 5


def test_streams_have_positions_of_their_own(lake, make_samples):
    lake.samples.append(make_samples(), CommitKey("a", 5))
    lake.samples.append(make_samples(), CommitKey("b", 1))
    lake.samples.append(make_samples(), CommitKey("a", 6))
    assert count(lake) == 3
    positions = [lake.samples.committed_position(app) for app in ("a", "b", "c")]
    assert positions == [6, 1, None]
    assert lake.events.committed_position("a") is None


def test_a_second_lake_object_sees_the_position(lake, make_samples):
    other = Lake.open(lake.root)
    lake.samples.append(make_samples(), CommitKey("app", 2))
    other.samples.append(make_samples(), CommitKey("app", 2))
    assert count(lake) == count(other) == 1


def test_a_race_for_one_position_commits_it_once(lake, make_samples):
    lakes = [lake, *(Lake.open(lake.root) for _ in range(3))]
    start = threading.Barrier(len(lakes))

    def write(one):
        start.wait()
        for position in range(1, 6):
            one.samples.append(make_samples([position]), CommitKey("app", position))

    run_all([threading.Thread(target=write, args=(one,)) for one in lakes])
    assert lake.sql(
        "SELECT value, count(*) AS n FROM samples GROUP BY 1 ORDER BY 1"
    ).to_pylist() == [{"value": float(position), "n": 1} for position in range(1, 6)]
    assert files_on_disk(lake) == {Path(file.path) for file in lake.samples.files()[1]}


def files_on_disk(lake):
    return set(lake.samples.folder.glob("date=*/*.parquet"))


@pytest.fixture
def outrun(monkeypatch):
    """Let another writer in, `times` times, between a table's look at the log and its commit."""
    attempt = Commit.attempt

    def install(before, times):
        left, inside = times, False

        def attempt_late(commit, *arguments):
            nonlocal left, inside
            if left and not inside:
                left, inside = left - 1, True
                before()
                inside = False
            attempt(commit, *arguments)

        monkeypatch.setattr(Commit, "attempt", attempt_late)

    return install


def test_an_append_that_lost_its_key_leaves_no_file(lake, make_samples, outrun):
    key, other = CommitKey("app", 1), Lake.open(lake.root)
    outrun(lambda: other.samples.append(make_samples([1]), key), 1)
    assert lake.samples.append(make_samples([2]), key) == 1
    assert lake.sql("SELECT value FROM samples").column("value").to_pylist() == [1]
    assert len(files_on_disk(lake)) == 1


def test_an_append_that_was_outrun_by_a_lower_position_is_tried_again(lake, make_samples, outrun):
    other, positions = Lake.open(lake.root), iter(range(1, 9))
    key = CommitKey("app", 9)

    def before():
        other.samples.append(make_samples([0]), CommitKey("app", next(positions)))

    outrun(before, 3)
    assert lake.samples.append(make_samples([9]), key) == 4
    assert lake.samples.committed_position("app") == 9
    assert count(lake, "value = 9") == 1


def test_an_append_that_is_outrun_for_ever_gives_up_and_leaves_nothing(lake, make_samples, outrun):
    other, positions = Lake.open(lake.root), iter(range(1, 99))

    def before():
        other.samples.append(make_samples([]), CommitKey("app", next(positions)))

    outrun(before, 99)
    with pytest.raises(ConflictError, match="'samples'"):
        lake.samples.append(make_samples([9]), CommitKey("app", 99))
    assert files_on_disk(lake) == set()


def test_a_commit_that_failed_only_in_appearance_keeps_its_file(lake, make_samples, monkeypatch):
    attempt = Commit.attempt

    def attempt_and_lose(commit, *arguments):
        attempt(commit, *arguments)
        raise CommitFailedError("connection lost")

    monkeypatch.setattr(Commit, "attempt", attempt_and_lose)
    lake.samples.append(make_samples([1]), CommitKey("app", 1))
    assert count(lake) == 1


@pytest.mark.parametrize(("times", "fits"), [(3, True), (99, False)])
def test_replace_is_tried_again_on_conflicts(lake, make_samples, outrun, times, fits):
    other = Lake.open(lake.root)
    lake.samples.append(make_samples([1]))
    outrun(lambda: other.samples.append(make_samples([2])), times)
    if fits:
        lake.samples.replace(make_samples([3]), "cluster = 'eu'")
        assert lake.sql("SELECT value FROM samples").column("value").to_pylist() == [3]
    else:
        with pytest.raises(ConflictError):
            lake.samples.replace(make_samples([3]), "cluster = 'eu'")
        assert count(lake, "value = 3") == 0
    versions = range(lake.samples.version() + 1)
    named = {Path(file.path) for version in versions for file in lake.samples.files(version)[1]}
    assert files_on_disk(lake) == named


def test_replace_does_not_begin_again_for_commits_of_other_days(
    lake, make_samples, outrun, monkeypatch
):
    other, written, write = Lake.open(lake.root), [], Table.write
    lake.samples.append(make_samples([1]))

    def counted(table, *arguments, **named):
        written.append(table)
        return write(table, *arguments, **named)

    monkeypatch.setattr(Table, "write", counted)
    outrun(lambda: other.samples.append(make_samples([2], start=MIDNIGHT)), 5)
    lake.samples.replace(make_samples([3]), "date = '2026-03-01' AND cluster = 'eu'")
    assert written.count(lake.samples) == 1
    values = lake.sql("SELECT value FROM samples ORDER BY value").column("value").to_pylist()
    assert values == [2, 2, 2, 2, 2, 3]


def test_a_replace_that_failed_only_in_appearance_keeps_its_rows(lake, make_samples, monkeypatch):
    lake.samples.append(make_samples([1]))
    attempt, failing = Commit.attempt, [True]

    def attempt_and_lose(commit, *arguments):
        attempt(commit, *arguments)
        if failing:
            failing.pop()
            raise CommitFailedError("connection lost")

    monkeypatch.setattr(Commit, "attempt", attempt_and_lose)
    lake.samples.replace(make_samples([2]), "cluster = 'eu'")
    assert lake.sql("SELECT value FROM samples").column("value").to_pylist() == [2]
    for version in range(lake.samples.version() + 1):
        assert all(Path(file.path).is_file() for file in lake.samples.files(version)[1])


def test_an_empty_append_commits_only_its_position(lake, make_samples):
    version = lake.samples.version()
    assert lake.samples.append(make_samples([])) == version
    assert lake.samples.append(make_samples([]), CommitKey("app", 7)) == version + 1
    assert lake.samples.committed_position("app") == 7
    assert lake.samples.files()[1] == ()


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("shared", [True, False], ids=["one Lake", "two Lakes"])
def test_two_threads_lose_nothing(lake, make_samples, shared):
    lakes = [lake, lake if shared else Lake.open(lake.root)]

    def write(number):
        for i in range(15):
            lakes[number].samples.append(
                make_samples([i], series_id=number), CommitKey(str(number), i)
            )

    run_all([threading.Thread(target=write, args=(number,)) for number in (0, 1)])
    assert count(lake) == 30
    assert count(lake, "series_id = 0") == 15


WRITER = """
import sys
import pyarrow as pa
from datetime import UTC, datetime
from lake import CommitKey, Lake, delta_log
lake = Lake.open(sys.argv[1])
time = pa.array([datetime(2026, 3, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
for i in range(1, 16):
    rows = {"cluster": ["us"], "metric": ["up"], "series_id": [2], "time": time, "value": [1.0 * i]}
    lake.samples.append(pa.table(rows), CommitKey("process", i))
"""


def test_a_second_process_loses_nothing(lake, make_samples):
    other = subprocess.Popen([sys.executable, "-c", WRITER, str(lake.root)])
    own = 0
    while other.poll() is None:
        own += 1
        lake.samples.append(make_samples([own]), CommitKey("here", own))
    assert other.returncode == 0
    assert count(lake, "cluster = 'us'") == 15
    assert count(lake, "cluster = 'eu'") == own > 0


def test_rows_over_midnight_lie_in_their_days(lake, make_samples):
    step = timedelta(microseconds=1)
    lake.samples.append(make_samples([1, 2], start=MIDNIGHT - step, step=step))
    assert [(file.day, file.rows) for file in lake.samples.files()[1]] == [
        (date(2026, 3, 1), 1),
        (date(2026, 3, 2), 1),
    ]
    rows = lake.sql("SELECT date, value FROM samples ORDER BY time").to_pylist()
    assert rows == [
        {"date": date(2026, 3, 1), "value": 1.0},
        {"date": date(2026, 3, 2), "value": 2.0},
    ]


def test_days_before_1970_and_at_its_first_instant(lake, make_samples):
    start = datetime(1970, 1, 1, tzinfo=UTC)
    step = timedelta(microseconds=1)
    lake.samples.append(make_samples([1, 2], start=start - step, step=step))
    days = [file.day for file in lake.samples.files()[1]]
    assert days == [date(1969, 12, 31), date(1970, 1, 1)]


def test_values_come_back_to_the_bit(lake, make_samples):
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    values = [math.nan, stale, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    lake.samples.append(make_samples(values))
    stored = lake.sql("SELECT value FROM samples ORDER BY time").column("value").to_pylist()
    assert [struct.pack("<d", v) for v in stored] == [struct.pack("<d", v) for v in values]


def test_replace_is_idempotent_and_touches_nothing_else(lake, make_samples):
    lake.samples.append(make_samples([1, 2, 3]))
    lake.samples.append(make_samples([4], cluster="us"))
    lake.samples.append(make_samples([5], start=MIDNIGHT))
    for _ in range(2):
        lake.samples.replace(make_samples([7, 8]), "date = '2026-03-01' AND cluster = 'eu'")
        values = lake.sql("SELECT value FROM samples ORDER BY value").column("value").to_pylist()
        assert values == [4, 5, 7, 8]


def test_replace_by_nothing_deletes(lake, make_samples):
    lake.samples.append(make_samples([1, 2], start=MIDNIGHT - timedelta(seconds=1)))
    lake.samples.replace(make_samples([]), "date = '2026-03-01'")
    assert lake.sql("SELECT value FROM samples").column("value").to_pylist() == [2]


def test_replace_refuses_rows_outside_its_predicate(lake, make_samples):
    lake.samples.append(make_samples([1]))
    with pytest.raises(SchemaError, match="cluster = 'eu'"):
        lake.samples.replace(make_samples([2], cluster="us"), "cluster = 'eu'")
    assert lake.sql("SELECT value FROM samples").column("value").to_pylist() == [1]


def test_replace_leaves_files_alone_that_hold_no_such_row(lake, make_samples):
    lake.samples.append(make_samples([1], cluster="eu"))
    lake.samples.append(make_samples([2], cluster="us"))
    lake.samples.append(make_samples([3], start=MIDNIGHT))
    before = {file.path for file in lake.samples.files()[1]}
    lake.samples.replace(make_samples([0]), "date = '2026-03-01' AND value < 2")
    assert len(before & {file.path for file in lake.samples.files()[1]}) == 2


def test_replace_opens_only_files_of_the_days_it_is_about(lake, make_samples):
    lake.samples.append(make_samples([1]))
    lake.samples.append(make_samples([2], start=MIDNIGHT))
    (other,) = [file for file in lake.samples.files()[1] if file.day == MIDNIGHT.date()]
    Path(other.path).write_bytes(b"")
    lake.samples.replace(make_samples([4]), "date = '2026-03-01' AND cluster = 'eu'")
    with pytest.raises(FileDamagedError, match=Path(other.path).name):
        lake.samples.replace(make_samples([]), "value = 2")


def test_rows_that_stay_are_as_old_as_they_were(lake, make_samples):
    """Of two rows of one series and time the later written counts, also after a replacement."""
    lake.samples.append(pa.concat_tables([make_samples([1]), make_samples([9], cluster="us")]))
    time.sleep(0.002)
    lake.samples.append(make_samples([2]))
    first, second = sorted(file.modified_ms for file in lake.samples.files()[1])
    lake.samples.replace(make_samples([]), "cluster = 'us'")
    files = {file.modified_ms: file.path for file in lake.samples.files()[1]}
    assert sorted(files) == [first, second]
    values = [pq.read_table(files[each])["value"].to_pylist() for each in (first, second)]
    assert values == [[1], [2]]


def test_rows_for_which_a_predicate_is_unknown_stay(lake):
    row = {"cluster": "eu", "time": MIDNIGHT, "source": "test", "uid": "1", "count": 1}
    schema = lake.events.spec.schema
    lake.events.append(pa.Table.from_pylist([row, {**row, "reason": "Gone"}], schema=schema))
    lake.events.replace(schema.empty_table(), "reason = 'Gone' OR namespace = 'web'")
    assert lake.sql("SELECT reason FROM events").to_pylist() == [{"reason": None}]


def test_replace_refuses_a_predicate_that_is_none(lake, make_samples):
    lake.samples.append(make_samples([1]))
    with pytest.raises(SchemaError, match="clutser"):
        lake.samples.replace(make_samples([2]), "clutser = 'eu'")
    assert count(lake) == 1


def test_replace_by_nothing_of_nothing_commits_nothing(lake, make_samples):
    version = lake.samples.append(make_samples([1]))
    assert lake.samples.replace(make_samples([]), "cluster = 'us'") == version
    assert lake.samples.version() == version


def test_replace_keeps_positions(lake, make_samples):
    lake.samples.append(make_samples(), CommitKey("app", 3))
    lake.samples.replace(make_samples([2]), "cluster = 'eu'")
    assert Lake.open(lake.root).samples.committed_position("app") == 3


def test_files_of_a_version_stay_as_they_were(lake, make_samples):
    first = lake.samples.append(make_samples([1]))
    lake.samples.append(make_samples([2]))
    lake.samples.replace(make_samples([3]), "cluster = 'eu'")
    version, files = lake.samples.files(first)
    assert (version, [file.rows for file in files]) == (first, [1])
    assert Path(files[0].path).is_file()
    assert DeltaTable(str(lake.samples.folder), version=first).version() == first


@pytest.mark.parametrize("kept", [False, True], ids=["all", "all but what the reader knows"])
def test_a_reader_of_long_ago_finds_the_newest_in_a_log_that_was_cleaned_up(
    lake, make_samples, kept
):
    """It looks for the version after its own first, which is gone."""
    reader = Lake.open(lake.root)
    before = reader.snapshot().versions["samples"]
    for n in range(4):
        lake.samples.append(make_samples([float(n)]))
    DeltaTable(str(lake.samples.folder)).create_checkpoint()
    log = lake.root / "samples" / "_delta_log"
    for version in range(before + 1 if kept else 0, before + 4):
        (log / f"{version:020d}.json").unlink()
    assert reader.snapshot().versions["samples"] == before + 4
    lake.samples.append(make_samples([9.0]))
    assert reader.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 5}]


def test_append_forces_all_that_it_wrote_to_disk(lake, make_samples, monkeypatch):
    """Also where another writer commits right after us, and its version is the newest."""
    other, synced, fsync = Lake.open(lake.root), set(), os.fsync
    sync = DeltaLog.sync

    def record(descriptor):
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def sync_after_another_commit(log):
        monkeypatch.setattr(DeltaLog, "sync", sync)
        other.samples.append(make_samples([2]))
        synced.clear()
        return log.sync()

    monkeypatch.setattr(os, "fsync", record)
    lake.samples.append(make_samples([0]))
    data = {Path(file.path) for file in lake.samples.files()[1]}
    assert data | {next(iter(data)).parent, lake.samples.folder} <= synced
    monkeypatch.setattr(DeltaLog, "sync", sync_after_another_commit)
    lake.samples.append(make_samples([1]))
    log = lake.samples.folder / "_delta_log"
    assert {log / f"{2:020d}.json", log} <= synced


def test_replace_forces_all_that_it_wrote_to_disk(lake, make_samples, monkeypatch):
    """New rows and those that stay, before the commit that names them; then that."""
    synced, fsync, attempt = [], os.fsync, Commit.attempt

    def record(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def attempt_told(commit, *arguments):
        synced.append("commit")
        attempt(commit, *arguments)

    lake.samples.append(pa.concat_tables([make_samples([1]), make_samples([9], cluster="us")]))
    monkeypatch.setattr(os, "fsync", record)
    monkeypatch.setattr(Commit, "attempt", attempt_told)
    version = lake.samples.replace(make_samples([2]), "cluster = 'eu'")
    data = {Path(file.path) for file in lake.samples.files()[1]}
    assert len(data) == 2
    committed = synced.index("commit")
    assert data | {next(iter(data)).parent, lake.samples.folder} <= set(synced[:committed])
    log = lake.samples.folder / "_delta_log"
    assert {log / f"{version:020d}.json", log} <= set(synced[committed:])


def test_a_write_that_fails_leaves_no_row_and_no_position(lake, make_samples, monkeypatch):
    lake.samples.append(make_samples([1]), CommitKey("app", 1))

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space left"):
            lake.samples.append(make_samples([2]), CommitKey("app", 2))
    assert count(lake) == 1
    assert lake.samples.committed_position("app") == 1
    lake.samples.append(make_samples([2]), CommitKey("app", 2))
    assert count(lake) == 2


@pytest.fixture
def syncs(monkeypatch):
    """Files that were forced to disk, by name; a test may add names that fail."""
    synced, failing, fsync = set(), set(), os.fsync

    def record(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name in failing:
            raise OSError(5, "Input/output error")
        fsync(descriptor)
        synced.add(name)

    monkeypatch.setattr(os, "fsync", record)
    return synced, failing


def test_a_commit_that_was_not_forced_to_disk_is_so_at_the_next_attempt(lake, make_samples, syncs):
    synced, failing = syncs
    lake.samples.append(make_samples([0]))
    commit, key = f"{2:020d}.json", CommitKey("app", 2)
    failing.add(commit)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            lake.samples.append(make_samples([1]), key)
    failing.clear()
    synced.clear()
    assert lake.samples.append(make_samples([1]), key) == 2
    assert {commit, "_delta_log"} <= synced
    assert count(lake, "value = 1") == 1


def test_a_new_process_forces_the_log_to_disk_before_it_tells_a_position(lake, make_samples, syncs):
    synced, _ = syncs
    for position in (1, 2):
        lake.samples.append(make_samples([1]), CommitKey("app", position))
    synced.clear()
    new = Lake.open(lake.root)
    assert new.samples.committed_position("app") == 2
    assert {f"{version:020d}.json" for version in (0, 1, 2)} | {"_delta_log"} <= synced
    synced.clear()
    assert new.samples.committed_position("app") == 2
    assert synced == set()


def test_the_list_of_a_version_is_made_once(lake, make_samples, monkeypatch):
    lake.samples.append(make_samples([1]))
    made, table_files = [], delta_log.table_files
    monkeypatch.setattr(delta_log, "table_files", lambda *a: made.append(1) or table_files(*a))
    for _ in range(3):
        version, files = lake.samples.files()
        assert (version, len(files)) == (1, 1)
        assert lake.samples.files(0) == (0, ())
    assert len(made) == 2
    lake.samples.append(make_samples([2]))
    assert len(lake.samples.files()[1]) == 2
    assert len(made) == 3
