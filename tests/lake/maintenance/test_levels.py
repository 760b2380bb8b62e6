"""The plan of compaction: how many files, how often a row is written again, which row wins."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.files import TableFile
from lake.maintenance.levels import (
    FINAL,
    Merge,
    most_files,
    plan,
    plan_day,
    prefix,
    prefix_of,
    runs,
)
from lake.maintenance.policy import CompactionPolicy
from tests.patience import least_seconds

DAY = date(2026, 3, 1)
START = datetime(2026, 3, 1, tzinfo=UTC)
FLUSH = 1000
"""Bytes of a flushed file."""


def ms(moment):
    return round(moment.timestamp() * 1000)


@dataclass
class Written:
    """What is in a file of the simulation: each key's newest value, and how often rows moved."""

    rows: dict
    moves: int = 0


class Day:
    """A day's files, flushed to and merged as planned, without any file."""

    def __init__(self, policy, day=DAY):
        self.policy, self.day = policy, day
        self.files: dict[TableFile, Written] = {}
        self.commits = 0
        self.truth: dict = {}

    def flush(self, at, keys, skew=0):
        self.commits += 1
        name = f"{self.commits:032x}.parquet"
        file = TableFile(name, self.day, len(keys), FLUSH, None, None, ms(at) + skew)
        self.files[file] = Written(dict.fromkeys(keys, self.commits))
        self.truth |= self.files[file].rows

    def maintain(self, now):
        for _ in range(1000):
            merges = plan(self.files, now, self.policy)
            if not merges:
                return
            for merge in merges:
                self.carry_out(merge)
        raise AssertionError("the plan never gets empty")

    def carry_out(self, merge: Merge):
        begin = prefix(0, merge.level, f"{self.commits:04x}{len(self.files):04x}")
        rows, moves = {}, 0
        for file in merge.files:
            written = self.files.pop(file)
            rows |= written.rows
            moves = max(moves, written.moves + 1)
        size = sum(file.size for file in merge.files)
        pieces = max(1, math.ceil(size / self.policy.target_bytes))
        newest = max(file.modified_ms for file in merge.files)
        for piece in range(pieces):
            own = {key: value for key, value in rows.items() if hash(key) % pieces == piece}
            file = TableFile(
                f"{begin}{piece}.parquet", self.day, len(own), size // pieces, None, None, newest
            )
            self.files[file] = Written(own, moves)

    @property
    def bytes(self):
        return sum(file.size for file in self.files)

    def read(self):
        found = {}
        for run in runs(self.files):
            for file in run.files:
                found |= self.files[file].rows
        return found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("flush"), st.integers(1, 40)),
        st.tuples(st.just("maintain"), st.sampled_from([60, 600, 3600])),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(2, 8), st.sampled_from([FLUSH * 5, FLUSH * 50, 128 << 20]))
def test_files_are_bounded_rows_move_seldom_and_the_last_commit_wins(steps, fan_in, target):
    policy = CompactionPolicy(target_bytes=target, fan_in=fan_in)
    day, now = Day(policy), START
    for what, value in steps:
        if what == "flush":
            for number in range(value):
                now += timedelta(seconds=10)
                day.flush(now, {number % 5, value % 3})
            continue
        now += timedelta(seconds=value)
        day.maintain(now)
        assert len(day.files) <= most_files(day.commits, day.bytes, policy)
        assert day.read() == day.truth
        levels = math.floor(math.log(max(day.commits, 1), fan_in) + 1e-9)
        late = max(0, math.ceil((now - START).total_seconds() / 86400))
        assert all(written.moves <= levels + 2 + late for written in day.files.values())


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-600_000, 600_000), st.booleans()), max_size=120),
    st.integers(2, 8),
)
def test_with_clocks_apart_no_row_is_lost_and_files_stay_bounded(steps, fan_in):
    """Which of two rows of a key wins is not certain then; that one of them does, is."""
    policy = CompactionPolicy(fan_in=fan_in)
    day, now = Day(policy), START
    for skew, maintain in steps:
        now += timedelta(seconds=10)
        day.flush(now, {skew % 7}, skew)
        if maintain:
            day.maintain(now)
            assert len(day.files) <= (fan_in - 1) * FINAL + 1
    assert day.read().keys() == day.truth.keys()


def test_a_whole_day_of_flushes_every_ten_seconds():
    """8,640 flushes, maintenance each five minutes: the figures that the module states."""
    policy = CompactionPolicy()
    day, now, most, moved = Day(policy), START, 0, 0
    for flush in range(8640):
        now += timedelta(seconds=10)
        day.flush(now, {flush % 50})
        if flush % 30 == 29:
            most = max(most, len(day.files))
            before = dict(day.files)
            day.maintain(now)
            moved += sum(file.rows for file in before if file not in day.files)
    assert most <= 35 + 30
    assert max(written.moves for written in day.files.values()) <= 3
    day.maintain(START + timedelta(days=1, hours=1))
    (file,) = day.files
    assert prefix_of(file) == prefix(0, FINAL, prefix_of(file)[-9:-1])
    assert day.files[file].moves <= 4
    assert day.read() == day.truth


def a_file(number, at, rows=10, name=None):
    name = name or f"{number:032x}.parquet"
    return TableFile(name, DAY, rows, FLUSH, None, None, ms(at))


CLOSED = START + timedelta(days=1, hours=1)
FINAL_NAME = prefix(5, FINAL, "00000001") + "x.parquet"


@pytest.mark.parametrize(
    ("now", "merged"),
    [(CLOSED - timedelta(seconds=1), False), (CLOSED, True)],
)
def test_a_day_is_closed_an_hour_after_its_end_even_if_it_has_one_file(now, merged):
    found = plan([a_file(1, START)], now, CompactionPolicy())
    assert [merge.level for merge in found] == ([FINAL] if merged else [])


@pytest.mark.parametrize(
    ("late_rows", "age", "merged"),
    [
        pytest.param(10, timedelta(hours=1), False, id="few and fresh"),
        pytest.param(30, timedelta(hours=1), True, id="many"),
        pytest.param(10, timedelta(days=1), True, id="left alone"),
    ],
)
def test_late_rows_of_a_closed_day(late_rows, age, merged):
    now = CLOSED + timedelta(days=10)
    final = a_file(1, CLOSED, 100, FINAL_NAME)
    found = plan([final, a_file(2, now - age, late_rows)], now, CompactionPolicy())
    assert [merge.level for merge in found] == ([FINAL] if merged else [])


def test_a_closed_day_is_left_alone():
    assert plan([a_file(1, CLOSED, 1, FINAL_NAME)], CLOSED, CompactionPolicy()) == []


def test_a_table_without_days_is_never_closed():
    files = [replace(a_file(i, START), day=None) for i in range(8)]
    now = START + timedelta(days=365)
    assert plan(files[:7], now, CompactionPolicy()) == []
    (merge,) = plan(files, now, CompactionPolicy())
    assert (merge.day, merge.level, len(merge.files)) == (None, 1, 8)


def test_the_newest_day_comes_first():
    days = [DAY - timedelta(days=age) for age in (3, 0, 7)]
    files = [replace(a_file(i, START), day=day) for i, day in enumerate(days)]
    found = plan(files, START + timedelta(days=2), CompactionPolicy())
    assert [merge.day for merge in found] == sorted(days, reverse=True)


def test_files_of_one_run_count_once():
    """A run of many files is no reason to merge, and never merged in part."""
    begin = prefix(3, 1, "0000000a")
    run = [a_file(i, START, name=f"{begin}{i}.parquet") for i in range(20)]
    assert plan_day(DAY, run, START, CompactionPolicy()) is None
    more = [a_file(100 + i, START + timedelta(minutes=1 + i)) for i in range(8)]
    merge = plan_day(DAY, [*more, *run], START, CompactionPolicy())
    assert set(merge.files) == set(more)
    assert list(merge.files) == sorted(more, key=lambda file: file.modified_ms)


def test_plans_of_many_days_are_quick():
    """Eight times the days take eight times as long, and not sixty-four."""
    files = [
        replace(a_file(day * 10 + i, START, name=None), day=DAY - timedelta(days=day))
        for day in range(3650)
        for i in range(5)
    ]
    few, all_of_them = files[: len(files) // 8], partial(plan, files, CLOSED, CompactionPolicy())
    assert len(all_of_them()) == 3650
    of_few = least_seconds(lambda: plan(few, CLOSED, CompactionPolicy()))
    assert least_seconds(all_of_them) < 24 * of_few
