"""One engine for many queries: what each reads is its own, and what is walled off stays so."""

import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from lake import Lake, Limits
from lake.connection import connect
from lake.errors import LakeError, QueryError, QueryTimeoutError
from lake.query import _job
from lake.results import Format
from lake.rollups import roll_up
from lake.sandbox import Job, Pool, kept
from lake.sandbox.engines import Engines
from lake.schema import EVENTS, SERIES

DAY = timedelta(days=1)

QUERIES = [
    "SELECT * FROM samples ORDER BY ALL",
    "SELECT count(*), max(value) FROM samples WHERE time >= '2026-03-02'",
    "SELECT metric, pod, sum(value) FROM metrics GROUP BY ALL ORDER BY ALL",
    "SELECT pod, sum(value) FROM metrics WHERE metric = 'up' GROUP BY ALL ORDER BY ALL",
    "SELECT metric, labels, last_seen FROM series ORDER BY ALL",
    "SELECT * FROM events ORDER BY ALL",
    "SELECT count(*) FROM anomalies",
    "SELECT * FROM buckets(INTERVAL 1 HOUR) ORDER BY ALL",
    "SELECT * FROM buckets(INTERVAL 5 MINUTE) ORDER BY ALL",
    "SELECT * FROM buckets(INTERVAL 7 SECOND) ORDER BY ALL",
    "SELECT s.pod, b.max FROM buckets(INTERVAL 1 DAY) b JOIN series s USING (series_id) ORDER BY 2",
    "SELECT pod, rate(value, time) FROM metrics GROUP BY ALL ORDER BY ALL",
    "WITH a AS (FROM samples_1h) SELECT count(*), sum(max) FROM a",
    "SELECT count(*) FROM samples_5m",
    "SELECT 1",
]


def of_series(number, at):
    row = {"cluster": "eu", "metric": "up", "series_id": number, "pod": f"p-{number}",
           "labels": [("pod", f"p-{number}")], "first_seen": at, "last_seen": at}  # fmt: skip
    return pa.table([pa.array([row.get(f.name)], f.type) for f in SERIES.schema], SERIES.schema)


def event(at, reason):
    row = {"cluster": "eu", "time": at, "source": "k8s", "reason": reason, "uid": reason,
           "count": 1, "type": "Normal"}  # fmt: skip
    return pa.table([pa.array([row.get(f.name)], f.type) for f in EVENTS.schema], EVENTS.schema)


def job_of(lake, sql, clusters=None, **limits):
    return _job(lake.snapshot(), sql, Limits(**limits), clusters, Format.arrow)


def rows(connection, sql):
    return connection.sql(sql).fetchall()


def in_own(job):
    with connect(job.paths, store=job.store, stale=job.stale, views=job.views) as connection:
        return rows(connection, job.sql)


@pytest.fixture
def engines():
    return Engines(keep=True)


@pytest.fixture
def ask(engines):
    def run(job):
        with engines.connection(job) as connection:
            return rows(connection, job.sql)

    return run


def kept_one(engines):
    return engines._kept.connection


def test_each_query_sees_the_lake_as_it_then_is(lake, engines, ask, make_samples, noon):
    """From no file at all over many versions, with rollups that are stale and that are not."""
    for step in range(4):
        for sql in QUERIES:
            job = job_of(lake, sql)
            assert kept.shared(job), sql
            assert ask(job) == in_own(job), sql
        first = kept_one(engines)
        at = noon + step * DAY
        lake.samples.append(make_samples(range(1 + step), start=at, series_id=step))
        lake.series.append(of_series(step, at))
        lake.events.append(event(at, f"r{step}"))
        if step == 1:
            roll_up(lake, noon + 3 * DAY)
    assert kept_one(engines) is first, "one engine for all of them"
    assert ask(job_of(lake, QUERIES[0])) != []


def test_lakes_do_not_mix(tmp_path, ask, make_samples):
    lakes = [Lake.open(tmp_path / name) for name in ("a", "b")]
    for n, lake in enumerate(lakes, 1):
        lake.samples.append(make_samples([float(n)] * n))
    for _ in range(2):
        for n, lake in enumerate(lakes, 1):
            assert ask(job_of(lake, "SELECT sum(value) FROM samples")) == [(float(n * n),)]


def test_what_is_refused_leaves_the_engine_and_what_is_stopped_does_not(lake, engines, ask):
    ask(job_of(lake, "SELECT count(*) FROM samples"))
    first = kept_one(engines)
    with pytest.raises(QueryError), engines.connection(job_of(lake, "SELECT 1")):
        raise QueryError("no such column") from duckdb.BinderException("of it")
    assert kept_one(engines) is first
    with pytest.raises(QueryTimeoutError), engines.connection(job_of(lake, "SELECT 1")):
        raise QueryTimeoutError(1.0)
    assert engines._kept is None
    with pytest.raises(duckdb.Error):
        first.execute("SELECT 1")  # it is closed
    assert ask(job_of(lake, "SELECT 1")) == [(1,)]


def test_other_limits_are_kept(lake, engines, ask):
    ask(job_of(lake, "SELECT 1"))
    first = kept_one(engines)
    ask(job_of(lake, "SELECT 1", threads=1, memory_bytes=100 << 20))
    assert kept_one(engines) is not first
    assert rows(kept_one(engines), "SELECT current_setting('threads')") == [(1,)]


def test_an_answer_that_fails_midway_leaves_no_engine(lake, engines):
    with pytest.raises(QueryError), engines.connection(job_of(lake, "SELECT 1")):
        raise QueryError("a value that has no form in JSON")
    assert engines._kept is None


def test_footers_do_not_pile_up(lake, engines, ask, make_samples, monkeypatch):
    monkeypatch.setattr(kept, "MOST_FILES", 3)
    seen = []
    for n in range(8):
        lake.samples.append(make_samples([float(n)], series_id=n))
        assert ask(job_of(lake, "SELECT count(*) FROM samples")) == [(n + 1,)]
        if engines._kept not in seen:
            seen.append(engines._kept)
        assert len(engines._kept._read) <= n + 1
    assert len(seen) > 1


SOME_CLUSTERS = "SELECT count(*) FROM samples"


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(lambda lake: job_of(lake, SOME_CLUSTERS, clusters=["eu"]), id="some clusters"),
        pytest.param(lambda lake: job_of(lake, "SELECT * FROM lake_tables"), id="rows of ours"),
        pytest.param(
            lambda lake: job_of(lake, "SELECT * FROM samples AT (VERSION => 0)"), id="the past"
        ),
        pytest.param(lambda _: Job({}, "SELECT 1", Limits()), id="no lake"),
    ],
)
def test_all_others_have_an_engine_of_their_own(lake, engines, ask, make_samples, job):
    lake.samples.append(make_samples())
    ask(job_of(lake, "SELECT 1"))
    first = kept_one(engines)
    assert not kept.shared(job(lake))
    with engines.connection(job(lake)) as connection:
        assert connection is not first
    engines.make_ahead()
    assert engines._ready is not None, "the next of its kind need not wait"


BELOW_THE_GUARD = {
    "another file": "SELECT * FROM read_text('{outside}')",
    "a file beside": "SELECT * FROM read_text('{root}/../outside')",
    "written": "COPY (SELECT 1) TO '{outside}2'",
    "attached": "ATTACH '{outside}3' AS other",
    "unlocked": "SET lock_configuration = false",
    "set": "SET allowed_directories = ['/']",
    "Python's": "SELECT * FROM some_table",
    "an extension": "INSTALL httpfs",
}


@pytest.mark.parametrize("sql", BELOW_THE_GUARD.values(), ids=BELOW_THE_GUARD)
def test_were_there_a_hole_in_the_guard(lake, engines, ask, make_samples, tmp_path, sql):
    outside = tmp_path / "outside"
    outside.write_text("secret")
    some_table = make_samples()
    lake.samples.append(some_table)
    ask(job_of(lake, "SELECT count(*) FROM samples"))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(duckdb.Error):
        kept_one(engines).execute(sql.format(outside=outside, root=lake.root)).fetchall()
    assert sorted(tmp_path.iterdir()) == before


WRITING = {
    "over its file": "COPY (SELECT 1) TO '{file}'",
    "into its file": "COPY (SELECT 1) TO '{file}' (FORMAT parquet, USE_TMP_FILE false)",
    "over the log": "COPY (SELECT 1) TO '{log}' (FORMAT csv, USE_TMP_FILE false)",
    "beside it": "COPY (SELECT 1) TO '{root}/new.parquet'",
    "over a table": "COPY (SELECT 1 AS a, 2 AS b) TO '{root}/series' "
    "(FORMAT parquet, PARTITION_BY (a), OVERWRITE true)",
    "a database": "ATTACH '{root}/new.db'",
}


@pytest.mark.parametrize("clusters", [None, ["eu"]], ids=["all clusters", "some"])
def test_a_query_s_process_changes_no_file(lake, make_samples, clusters):
    """Were there a hole in the guard: the lake's folder is open to the engine that is kept."""
    lake.samples.append(make_samples([1.0] * 9))
    (file,) = (Path(each.path) for each in lake.samples.files()[1])
    log = lake.root / "samples" / "_delta_log" / f"{0:020d}.json"

    def contents():
        found = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
        return found, sorted(lake.root.rglob("*"))

    before = contents()
    job = job_of(lake, "SELECT * FROM samples", clusters)
    with closing(Pool()) as pool:
        for sql in WRITING.values():
            with pytest.raises(LakeError):
                pool.run(replace(job, sql=sql.format(file=file, log=log, root=lake.root)))
            assert contents() == before, sql
        assert pool.run(job).num_rows == 9


def test_where_files_can_be_changed_no_engine_is_kept(lake):
    engines = Engines(keep=False)
    with engines.connection(job_of(lake, "SELECT 1")):
        assert engines._kept is None


def test_what_a_worker_dies_of_goes_to_its_log(tmp_path):
    program = "from lake.sandbox.landlock import forbid_changes as f; f(); print(1 / 0)"
    with (tmp_path / "log").open("wb") as log:
        subprocess.run([sys.executable, "-c", program], stderr=log, check=False)
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("linked", ["samples", "day"])
def test_a_folder_of_the_lake_may_be_a_link(lake, make_samples, tmp_path, linked):
    """To another disk, say. DuckDB takes what it leads to for a file outside of the lake."""
    lake.samples.append(make_samples([1.0] * 9))
    (file,) = (Path(each.path) for each in lake.samples.files()[1])
    folder = file.parent if linked == "day" else lake.root / "samples"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    for clusters in (None, ["eu"]):
        assert lake.query_guarded("FROM samples", Limits(), clusters=clusters).rows.num_rows == 9


def test_the_next_engine_is_made_ahead_where_one_will_be_needed(
    tmp_path, engines, make_samples, monkeypatch
):
    """For a query of more files than one is kept for, and for callers of two lakes in turn."""
    monkeypatch.setattr(kept, "MOST_FILES", 3)
    lakes = [Lake.open(tmp_path / name) for name in ("a", "b")]
    for n in range(5):
        lakes[0].samples.append(make_samples([float(n)], series_id=n))
    jobs = [job_of(lakes[0], "FROM samples")] * 3 + [job_of(one, "SELECT 1") for one in lakes] * 2
    for job in jobs:
        assert engines._ready is not None
        with engines.connection(job) as connection:
            rows(connection, job.sql)
        engines.make_ahead()


def test_one_that_is_kept_needs_no_other(lake, engines, ask):
    for _ in range(3):
        ask(job_of(lake, "SELECT 1"))
        engines.make_ahead()
        assert engines._ready is None


def test_many_callers_of_a_pool(lake, make_samples):
    """Each gets its own rows, whichever worker and engine they come to."""
    for n in range(5):
        lake.samples.append(make_samples([float(n)], series_id=n))
    pool, wrong = Pool(), []

    def call(n):
        for turn in range(10):
            clusters = ["us"] if turn % 4 == 3 else None
            sql = f"SELECT coalesce(sum(value), -1) AS v FROM samples WHERE series_id <= {n}"
            expected = -1.0 if clusters else float(sum(range(n + 1)))
            got = pool.run(job_of(lake, sql, clusters))["v"].to_pylist()
            if got != [expected]:
                wrong.append((n, turn, got))

    callers = [threading.Thread(target=call, args=(n,)) for n in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    pool.close()
    assert wrong == []
