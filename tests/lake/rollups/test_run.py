import math
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import Lake
from lake.errors import FileDamagedError
from lake.maintenance.policy import CompactionPolicy, Keep
from lake.maintenance.retention import retain
from lake.rollups import compute, roll_up, rolled_up_to
from lake.rollups.aggregate import HOUR, SLOT
from lake.table import Table
from tests.lake.rollups.reference import COLUMNS, Sample, buckets, rows_of, same, stored, to_rows

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
MIDNIGHT = 20514 * 24 * HOUR  # 2026-03-02
SECOND = 1_000_000


def exact(history):
    same(stored(history.lake, "samples_5m"), buckets(history.written, SLOT))
    same(stored(history.lake, "samples_1h"), buckets(history.written, HOUR))


def some(rng, n, around=MIDNIGHT, spread=3 * HOUR, clusters=("eu", "us")):
    """Samples with resets, duplicates and NaN."""
    return [
        Sample(
            str(rng.choice(clusters)),
            str(rng.choice(["errors", "requests"])),
            int(rng.choice([-5, 1, 2**62])),
            around + int(rng.integers(-spread, spread)) // SECOND * SECOND,
            float(rng.choice([math.nan, *range(9), 1000.5])),
        )
        for _ in range(n)
    ]


@pytest.mark.parametrize("seed", range(2))
def test_rollups_are_those_of_all_samples(history, seed):
    rng = np.random.default_rng(seed)
    for step in range(6):
        late = int(rng.choice([0, 0, 5 * HOUR, 30 * HOUR]))
        history.append(some(rng, int(rng.integers(1, 60)), MIDNIGHT + step * HOUR - late))
        if rng.random() < 0.3:
            history.replace_day(
                "eu", MIDNIGHT // (24 * HOUR), some(rng, 5, MIDNIGHT + 12 * HOUR, 9 * HOUR, ("eu",))
            )
        roll_up(history.lake, NOW)
        exact(history)


samples = st.builds(
    Sample,
    st.sampled_from(["eu", "us"]),
    st.just("m"),
    st.integers(1, 2),
    st.integers(-40, 40).map(lambda n: MIDNIGHT + n * 7 * 60 * SECOND),
    st.integers(0, 5).map(float),
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(appends=st.lists(st.lists(samples, min_size=1, max_size=8), min_size=1, max_size=4))
def test_whenever_it_runs(tmp_path_factory, appends):
    lake = Lake.open(tmp_path_factory.mktemp("lake"))
    written = []
    for batch in appends:
        written += sorted(batch, key=lambda sample: sample[:4])
        lake.samples.append(to_rows(written[-len(batch) :]), ordered=True)
        roll_up(lake, NOW)
        same(stored(lake, "samples_5m"), buckets(written, SLOT))
    same(stored(lake, "samples_1h"), buckets(written, HOUR))


def test_nothing_to_do(lake):
    report = roll_up(lake, NOW)
    assert (report.since, report.stretches, report.behind) == (None, 0, None)
    assert rolled_up_to(lake) == lake.samples.version()
    before = {name: table.version() for name, table in lake.tables.items()}
    assert roll_up(lake, NOW).since == lake.samples.version()
    assert {name: table.version() for name, table in lake.tables.items()} == before


def test_only_what_changed_is_written_again(history):
    for hour in range(5):
        history.append([Sample("eu", "m", 1, MIDNIGHT + hour * HOUR, 1.0)])
    roll_up(history.lake, NOW)
    files = {file.path for file in history.lake.tables["samples_5m"].files()[1]}
    history.append([Sample("eu", "m", 1, MIDNIGHT + 6 * HOUR, 1.0)])
    report = roll_up(history.lake, NOW)
    assert (report.stretches, report.slots, report.hours) == (1, 1, 1)
    assert files < {file.path for file in history.lake.tables["samples_5m"].files()[1]}
    assert report.behind == NOW - datetime(2026, 3, 2, 6, tzinfo=UTC) - timedelta(milliseconds=1)
    exact(history)


def test_memory_is_by_slices(history, monkeypatch):
    monkeypatch.setattr(compute, "SLICE_ROWS", 7)
    rng = np.random.default_rng(5)
    history.append(some(rng, 60))
    roll_up(history.lake, NOW)
    exact(history)
    history.append(some(rng, 30))
    roll_up(history.lake, NOW)
    exact(history)


class KilledError(Exception):
    pass


def kill_at(monkeypatch, number, *, committed):
    """The process ends at the n-th commit of a rollup table, just before or just after it."""
    rewrite, calls = Table.rewrite, [0]

    def dying(self, *args, **kwargs):
        calls[0] += 1
        if calls[0] == number and not committed:
            raise KilledError
        version = rewrite(self, *args, **kwargs)
        if calls[0] == number:
            raise KilledError
        return version

    monkeypatch.setattr(Table, "rewrite", dying)


@pytest.mark.parametrize(("committed", "first"), [(False, 1), (True, 2)])
def test_a_run_that_is_killed_anywhere_leaves_nothing_wrong(history, monkeypatch, committed, first):
    """Before every other commit, and after those between."""
    rng = np.random.default_rng(3)
    history.append(some(rng, 20, spread=9 * HOUR))
    roll_up(history.lake, NOW)
    number, killed = first, True
    while killed:
        history.append(some(rng, 9, spread=9 * HOUR))
        killed = False
        with monkeypatch.context() as patch:
            kill_at(patch, number, committed=committed)
            try:
                roll_up(history.lake, NOW)
            except KilledError:
                killed = True
        asked = history.lake.sql(
            "SELECT cluster, metric, series_id, epoch_us(time) AS time, min, max, sum, "
            '"count", last, increase FROM buckets(INTERVAL 1 HOUR)'
        )
        from_buckets = {tuple(list(row.values())[:4]): row["count"] for row in asked.to_pylist()}
        wanted = buckets(history.written, HOUR)
        assert from_buckets == {key: bucket.count for key, bucket in wanted.items()}
        history.append(some(rng, 2, spread=9 * HOUR))
        roll_up(Lake.open(history.lake.root), NOW)  # another process
        exact(history)
        number += 2
    assert number > 4


def test_a_first_run_that_was_cut_off_goes_on_where_it_was(history, monkeypatch):
    days = [Sample("eu", "m", 1, MIDNIGHT + day * 24 * HOUR, 1.0) for day in range(6)]
    history.append(days)
    with monkeypatch.context() as patch:
        kill_at(patch, 7, committed=True)
        with pytest.raises(KilledError):
            roll_up(history.lake, NOW)
    assert rolled_up_to(history.lake) is None
    history.append([Sample("eu", "m", 2, MIDNIGHT + 2 * 24 * HOUR, 1.0)])
    report = roll_up(history.lake, NOW)
    # Two of six days were done. Each has an hour that has samples, and one that they reach.
    assert report.stretches == 3 * 2 + 1 + 2
    exact(history)


def test_it_stops_when_told_to(history):
    history.append([Sample("eu", "m", 1, MIDNIGHT + day * 24 * HOUR, 1.0) for day in range(4)])
    asked = iter([False, False, True])
    report = roll_up(history.lake, NOW, stopping=lambda: next(asked))
    assert (report.version, report.stretches) == (None, 2)
    report = roll_up(history.lake, NOW)
    assert (report.version, report.stretches) == (history.lake.samples.version(), 2 * 2 + 1)
    exact(history)


def test_a_file_that_cannot_be_read_is_an_error_that_says_what_to_do(history):
    history.append([Sample("eu", "m", 1, MIDNIGHT, 1.0)])
    file = history.lake.samples.files()[1][0]
    content = Path(file.path).read_bytes()
    Path(file.path).write_bytes(content[: len(content) // 2])
    with pytest.raises(FileDamagedError, match=Path(file.path).name):
        roll_up(history.lake, NOW)
    Path(file.path).write_bytes(content)
    roll_up(history.lake, NOW)
    exact(history)


def test_appends_go_on_meanwhile(history):
    rng = np.random.default_rng(8)
    batches = [some(rng, 30, MIDNIGHT + n * HOUR // 4) for n in range(24)]
    writer = threading.Thread(target=lambda: [history.append(batch) for batch in batches])
    writer.start()
    runs = 0
    while writer.is_alive():
        roll_up(history.lake, NOW)
        runs += 1
    writer.join()
    roll_up(history.lake, NOW)
    assert runs > 1
    exact(history)


POLICY = CompactionPolicy()


def test_a_cluster_that_is_kept_for_less_time_leaves_its_buckets(history):
    lake = history.lake
    for cluster in ("eu", "us"):
        history.append(
            Sample(cluster, "m", 1, MIDNIGHT + n * 60 * SECOND, float(n)) for n in range(100)
        )
    roll_up(lake, NOW)
    retain(lake.samples, Keep(90, {"us": 0}), NOW, POLICY)
    assert lake.sql("SELECT DISTINCT cluster FROM samples").to_pylist() == [{"cluster": "eu"}]
    late = [Sample(cluster, "m", 1, MIDNIGHT + 30 * SECOND, 50.0) for cluster in ("eu", "us")]
    lake.samples.append(to_rows(late))
    history.written.append(late[0])
    asked = f"SELECT {COLUMNS} FROM buckets(INTERVAL 1 HOUR)"
    same(rows_of(lake.sql(asked)), buckets(history.written, HOUR))
    roll_up(lake, NOW)
    exact(history)
    same(rows_of(lake.sql(asked)), buckets(history.written, HOUR))


def test_samples_that_are_dropped_leave_their_buckets(history):
    lake = history.lake
    day = [Sample("eu", "m", 1, MIDNIGHT + n * 60 * SECOND, float(n)) for n in range(100)]
    today = [Sample("eu", "m", 1, MIDNIGHT + 24 * HOUR + n * 60 * SECOND, 5.0) for n in range(100)]
    history.append(day)
    history.append(today)
    roll_up(lake, NOW)
    retain(lake.samples, Keep(0), NOW, POLICY)
    assert lake.sql("SELECT min(date) AS d FROM samples").to_pylist() == [{"d": date(2026, 3, 3)}]
    roll_up(lake, NOW)
    exact(history)
    # What comes late for the day is not all there was: it must not take its place.
    late = to_rows([Sample("eu", "m", 1, MIDNIGHT + 30 * SECOND, 1e9)])
    lake.samples.append(late)
    found = lake.sql("SELECT max(max) AS m, sum(count) AS n FROM buckets(INTERVAL 1 HOUR)")
    assert found.to_pylist() == [{"m": 99.0, "n": 200.0}]
    roll_up(lake, NOW)
    exact(history)
