"""The process for SQL from outside: its limits hold, its end is an error, none is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest

from lake import Limits
from lake.errors import (
    EngineError,
    FileDamagedError,
    QueryCancelledError,
    QueryError,
    QueryMemoryError,
    QueryTimeoutError,
    ResultTooLargeError,
)
from lake.sandbox import KEPT_WORKERS, Job, Pool, Worker, process
from lake.sandbox.frames import PIECE_BYTES
from lake.sandbox.worker import ALLOWANCE_BYTES
from tests.patience import MINUTES, SOON, wait_until

MIB = 1 << 20

HEAVY = "SELECT count(*) FROM range(1000000000000) t(i) WHERE i % 7 = 0"

DEAF = "SELECT " + ", ".join(f"md5(repeat('x', {300_000_000 + i}))" for i in range(200))
"""Constants are computed while the query is planned, when it cannot be interrupted: minutes."""


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def kept():
    """For tests that leave their worker fit for the next query: to start one takes a second."""
    pool = Pool()
    yield pool
    pool.close()


def exists(pid):
    return Path(f"/proc/{pid}").exists()


def peak_bytes(pid):
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().split("\n") if line
    )
    return int(status["VmHWM"].split()[0]) * 1024


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 2000000000))",
        "SELECT len(range(200000000))",
        "SELECT len(generate_series(1, 200000000))",
        "SELECT len(list_resize([1], 500000000))",
        "SELECT list(i) FROM range(100000000) t(i)",
    ],
)
def test_memory_is_bounded_where_the_engine_does_not_bound_it(pool, sql):
    with pytest.raises(QueryError) as refusal:
        pool.run(Job({}, sql, Limits(memory_bytes=128 * MIB)))
    assert isinstance(refusal.value, QueryMemoryError) or "Out of Memory" in str(refusal.value)
    idle = pool._idle[0]
    assert peak_bytes(idle._process.pid) < 200 * MIB + 128 * MIB + ALLOWANCE_BYTES
    assert pool.run(Job({}, "SELECT 1 AS x", Limits())).to_pylist() == [{"x": 1}]


def test_memory_within_the_limit_can_be_used(kept):
    """The allowance is enough for what is not the query's own."""
    sql = "SELECT count(*) AS n FROM (SELECT DISTINCT i FROM range(1500000) t(i))"
    assert kept.run(Job({}, sql, Limits(memory_bytes=256 * MIB))).to_pylist() == [{"n": 1_500_000}]


def test_a_query_that_cannot_be_interrupted_is_killed(pool):
    pool.run(Job({}, "SELECT 1", Limits()))
    pid, began = pool._idle[0]._process.pid, time.monotonic()
    with pytest.raises(QueryTimeoutError, match=r"after 0\.2 s"):
        pool.run(Job({}, DEAF, Limits(seconds=0.2)))
    assert time.monotonic() - began < SOON
    assert not exists(pid)
    assert pool.run(Job({}, "SELECT 1", Limits())).num_rows == 1


def test_a_process_that_dies_of_its_query_is_an_error_of_the_query(pool):
    pool.run(Job({}, "SELECT 1", Limits()))
    pid = pool._idle[0]._process.pid
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(QueryMemoryError, match="more memory than 1024 MiB, or crashed"):
        pool.run(Job({}, HEAVY, Limits(seconds=MINUTES)))
    killer.join()
    assert not exists(pid)


def test_a_process_that_died_while_idle_is_replaced(pool):
    pool.run(Job({}, "SELECT 1", Limits()))
    first = pool._idle[0]._process
    first.kill()
    first.wait()
    assert pool.run(Job({}, "SELECT 1", Limits())).num_rows == 1
    assert pool._idle[0]._process.pid != first.pid


def test_a_process_that_does_not_start_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineError, match="did not start"):
        Worker()


def test_one_process_answers_many_queries(kept):
    pids = set()
    for i in range(5):
        assert kept.run(Job({}, f"SELECT {i} AS i", Limits())).to_pylist() == [{"i": i}]
        with pytest.raises(QueryError):
            kept.run(Job({}, "SELECT nowhere", Limits()))
        with pytest.raises(ResultTooLargeError):
            kept.run(Job({}, "SELECT * FROM range(10)", Limits(rows=9)))
        pids.add(kept._idle[0]._process.pid)
    assert len(pids) == 1


def test_queries_at_once_have_processes_of_their_own(pool):
    found = {}

    def ask(i):
        found[i] = pool.run(Job({}, f"SELECT sum(i) + {i} AS s FROM range(3000000) t(i)", Limits()))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = 2_999_999 * 3_000_000 // 2
    assert {i: rows["s"][0].as_py() for i, rows in found.items()} == {
        i: total + i for i in range(3)
    }
    assert len(pool._idle) <= KEPT_WORKERS


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        pytest.param("SELECT 1 AS x WHERE false", [], id="no rows"),
        pytest.param("SELECT 'a'::ENUM ('a', 'b') AS x", [{"x": "a"}], id="dictionary"),
        pytest.param("SELECT {'a': [1, NULL]} AS x", [{"x": {"a": [1, None]}}], id="nested"),
        pytest.param("SELECT NULL AS x", [{"x": None}], id="null"),
    ],
)
def test_rows_of_any_kind_come_over(kept, sql, rows):
    table = kept.run(Job({}, sql, Limits()))
    assert table.column_names == ["x"]
    assert table.to_pylist() == rows


def test_many_rows_come_over_in_their_order(kept):
    table = kept.run(Job({}, "SELECT i, repeat('x', 50) AS t FROM range(100000) t(i)", Limits()))
    assert table["i"].combine_chunks().equals(pa.array(range(100_000)))


PARENT = """
import os, sys
from lake import Limits
from lake.sandbox import Job, shared
shared().run(Job({}, "SELECT 1", Limits()))
print(shared()._idle[0]._process.pid, flush=True)
if sys.argv[1] == "killed":
    os._exit(0)
"""


@pytest.mark.parametrize("how", ["ended", "killed"])
def test_no_process_outlives_its_parent(how):
    done = subprocess.run([sys.executable, "-c", PARENT, how], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    wait_until(lambda: not exists(int(done.stdout)))


DEAF_PARENT = """
import sys
from lake import Limits
from lake.sandbox import Job, Worker
worker = Worker()
print(worker._process.pid, flush=True)
worker.begin(Job({}, sys.argv[1], Limits(seconds=0.5)))
worker.read()
"""


def test_a_query_that_cannot_be_interrupted_ends_without_its_parent():
    command = [sys.executable, "-c", DEAF_PARENT, DEAF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        parent.kill()
    assert exists(pid)
    wait_until(lambda: not exists(pid), SOON)


def test_a_failure_on_the_way_is_the_querys_and_not_the_workers(kept):
    late = "SELECT CASE WHEN i = 90000 THEN error('late') ELSE i END AS i FROM range(100000) t(i)"
    kept.run(Job({}, "SELECT 1", Limits()))
    pid = kept._idle[0]._process.pid
    with pytest.raises(QueryError, match="late"):
        kept.run(Job({}, late, Limits()))
    assert kept._idle[0]._process.pid == pid


def test_one_that_hangs_is_killed(pool):
    """Stopped, as by a debugger or a disk that does not answer: it hears of nothing."""
    pool.run(Job({}, "SELECT 1", Limits()))
    pid = pool._idle[0]._process.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(QueryTimeoutError):
        pool.run(Job({}, "SELECT 1", Limits(seconds=0.2)))
    assert not exists(pid)
    assert pool.run(Job({}, "SELECT 1", Limits())).num_rows == 1


def test_one_that_dies_between_two_pieces_is_an_error(pool):
    with pool.ask(Job({}, "SELECT repeat('x', 1000) FROM range(60000)", Limits())) as answer:
        assert answer.read()
        next(iter(pool._busy))._process.kill()
        with pytest.raises(QueryMemoryError):
            list(answer)
    assert (pool.busy, pool.idle) == (0, 0)


def test_an_answer_that_nobody_reads_holds_its_worker_and_no_more(kept):
    """It waits longer than the query may run, and goes on when it is read."""
    job = Job({}, "SELECT i, repeat('x', 1000) FROM range(60000) t(i)", Limits(seconds=2))
    with kept.ask(job) as answer:
        pieces = [answer.read()]
        for _ in range(40):
            time.sleep(0.06)
            pieces.append(answer.read())
        pieces += answer
    rows = pa.ipc.open_stream(pa.py_buffer(b"".join(pieces))).read_all()
    assert rows.num_rows == 60_000
    assert max(map(len, pieces)) <= PIECE_BYTES


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(HEAVY, id="heavy"),
        pytest.param("SELECT repeat('x', 1000) FROM range(99000)", id="unread"),
        pytest.param(DEAF, id="deaf"),
    ],
)
def test_cancel_from_another_thread(kept, sql):
    kept.run(Job({}, "SELECT 1", Limits()))
    answer = kept.ask(Job({}, sql, Limits(seconds=MINUTES)))
    canceller = threading.Timer(0.3, answer.cancel)
    began = time.monotonic()
    canceller.start()
    canceller.join()
    with pytest.raises(QueryCancelledError):
        list(answer)
    assert time.monotonic() - began < SOON
    answer.close()
    assert kept.busy == 0
    assert kept.run(Job({}, "SELECT 1", Limits())).num_rows == 1


def test_a_query_that_is_called_off_before_it_begins_costs_no_worker(kept, monkeypatch):
    """A worker that has answered makes its next engine before it looks for the next query."""
    monkeypatch.setattr(process, "CANCEL_SECONDS", SOON)
    kept.run(Job({}, "SELECT 1", Limits()))
    (worker,) = kept._idle
    for _ in range(5):
        kept.run(Job({}, "SELECT 1", Limits()))
        answer = kept.ask(Job({}, HEAVY, Limits()))
        answer.cancel()
        with pytest.raises(QueryCancelledError):
            list(answer)
        answer.close()
    assert kept._idle == [worker]
    assert worker.usable()


def test_a_late_cancel_does_not_hit_the_next_query(kept):
    for i in range(30):
        answer = kept.ask(Job({}, "SELECT 1", Limits()))
        time.sleep(0.001 * (i % 5))
        answer.cancel()
        answer.close()
        assert kept.run(Job({}, "SELECT sum(i) FROM range(100000) t(i)", Limits())).num_rows == 1


def test_a_closed_pool_leaves_no_process(pool):
    answers = [pool.ask(Job({}, HEAVY, Limits())) for _ in range(3)]
    pids = [worker._process.pid for worker in pool._busy]
    assert len(pids) == 3
    pool.close()
    for answer in answers:
        answer.close()
    assert not any(map(exists, pids))
    assert (pool.busy, pool.idle) == (0, 0)


def test_errors_come_over_with_their_fields(kept):
    with pytest.raises(ResultTooLargeError) as refusal:
        kept.run(Job({}, "SELECT * FROM range(10)", Limits(rows=9)))
    assert (refusal.value.what, refusal.value.limit) == ("rows", 9)
    assert str(refusal.value) == str(ResultTooLargeError("rows", 9))
    with pytest.raises(FileDamagedError) as gone:
        kept.run(Job({"samples": ["/nowhere/x.parquet"]}, "SELECT * FROM samples", Limits()))
    assert gone.value.path == "/nowhere/x.parquet"
