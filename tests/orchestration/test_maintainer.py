"""The resident maintainer: rounds in their time, one failure stops no other, it ends when told."""

import threading
import time
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from lake import Lake
from lake.maintenance import lease
from orchestration import maintainer as maintainer_module
from orchestration import rounds
from orchestration.failures import Failure
from orchestration.maintainer import Maintainer
from orchestration.maintenance_settings import MaintenanceSettings
from tests.patience import wait_until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lake(tmp_path, clock, make_samples):
    """Ten small files of a day that is over."""
    lake = Lake.open(tmp_path / "lake", clock=clock)
    for i in range(10):
        start = NOON - timedelta(days=3) + timedelta(seconds=i)
        lake.samples.append(make_samples([i], start=start))
    return lake


@pytest.fixture
def maintainer(lake, clock):
    return Maintainer(lake, MaintenanceSettings(), clock)


def test_rounds_run_when_their_time_has_come(lake, maintainer, clock):
    done = maintainer.statistics
    maintainer.run_if_due()
    assert done.rounds == {}
    clock.now += 5 * MINUTE
    maintainer.run_if_due()
    assert done.rounds == {"merge": 1, "clean": 1}
    assert (done.merges["samples"], done.rows_merged["samples"]) == (1, 10)
    assert done.files["samples"] == len(lake.samples.files()[1]) == 1
    assert lake.sql("SELECT sum(count) AS n FROM samples_1h")["n"].to_pylist() == [10]
    for _ in range(6):
        clock.now += 5 * MINUTE
        maintainer.run_if_due()
    assert done.rounds == {"merge": 7, "clean": 1}
    assert done.last == {"merge": clock.now, "clean": NOON + 5 * MINUTE}
    assert done.errors == {}


def test_a_round_is_left_out_while_another_process_is_at_it(lake, maintainer, clock):
    clock.now += 5 * MINUTE
    with lease(Lake.open(lake.root), clock):
        maintainer.run_if_due()
    assert maintainer.statistics.held == 2
    assert len(lake.samples.files()[1]) == 10
    clock.now += 5 * MINUTE
    maintainer.run_if_due()
    assert len(lake.samples.files()[1]) == 1


def test_a_table_that_fails_is_told_until_it_is_well(lake, maintainer, clock):
    entry = lake.events.folder / "_delta_log" / f"{1:020d}.json"
    entry.write_text('{"add": {"path"')
    clock.now += 5 * MINUTE
    maintainer.run_if_due()
    done = maintainer.statistics
    assert set(done.errors) == {"merge/events", "clean/events"}
    assert done.errors["merge/events"].kind == "TableDamagedError"
    assert done.failures["merge/events"] == 1
    assert len(lake.samples.files()[1]) == 1
    first = clock.now
    clock.now += 5 * MINUTE
    maintainer.run_if_due()
    told = maintainer.problems()
    assert set(told) == {"maintenance merge/events", "maintenance clean/events"}
    assert {failure.since for failure in told.values()} == {first}
    entry.unlink()
    clock.now += 5 * MINUTE
    maintainer.run_if_due()
    assert set(done.errors) == {"clean/events"}, "the clean round's is told until the next one"


def test_a_panic_of_native_code_is_told_and_ends_no_thread(maintainer, clock, monkeypatch):
    """It is no `Exception`; the thread's end would be seen by nobody."""

    def panic(*_, **__):
        raise pl.exceptions.PanicException("index out of bounds")

    clock.now += 5 * MINUTE
    with monkeypatch.context() as broken:
        broken.setattr(maintainer_module, "merge_lake", panic)
        maintainer.run_if_due()
    failure = Failure("PanicException", "index out of bounds", clock.now)
    assert maintainer.problems() == {"maintenance merge": failure}
    clock.now += 5 * MINUTE
    maintainer.run_if_due()
    assert maintainer.problems() == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_ended_is_told(maintainer, monkeypatch):
    monkeypatch.setattr(rounds, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(maintainer, "_due", {})
    maintainer.start()
    wait_until(lambda: maintainer.problems() == {"maintenance": rounds.ENDED})
    maintainer.stop()


def test_it_runs_in_a_thread_and_ends_when_told(lake, maintainer, clock):
    maintainer.start()
    clock.now += 5 * MINUTE
    end = time.monotonic() + 50
    while maintainer.statistics.rounds["clean"] == 0 and time.monotonic() < end:
        time.sleep(0.05)
    maintainer.stop()
    assert maintainer.statistics.rounds == {"merge": 1, "clean": 1}
    assert "maintain" not in {thread.name for thread in threading.enumerate()}


def test_where_others_do_it_there_is_no_thread(lake, clock):
    maintainer = Maintainer(lake, MaintenanceSettings(resident=False), clock)
    maintainer.start()
    assert "maintain" not in {thread.name for thread in threading.enumerate()}
    maintainer.stop()
