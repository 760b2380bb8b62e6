"""`buckets` answers as the samples do, from the cheapest tables."""

import json
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import Limits
from lake.errors import QueryError
from lake.maintenance.compaction import compact
from lake.maintenance.policy import CompactionPolicy
from lake.prepare import prepare
from lake.rollups import roll_up
from lake.rollups.aggregate import HOUR, SLOT
from lake.rollups.spans import union
from lake.rollups.stale import Stale
from lake.syntax import nodes
from tests.lake.rollups.reference import COLUMNS, Sample, buckets, rows_of, same, to_rows

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
MIDNIGHT = 20514 * 24 * HOUR  # 2026-03-02
SECOND = 1_000_000

STEPS = {
    "INTERVAL 1 HOUR": HOUR,
    "INTERVAL 60 MINUTE": HOUR,
    "INTERVAL 5 MINUTE": SLOT,
    "INTERVAL 1 DAY": 24 * HOUR,
    "'2 hours'": 2 * HOUR,
    "INTERVAL 15 MINUTE": 3 * SLOT,
    "INTERVAL 1 MINUTE": 60 * SECOND,
    "INTERVAL 90 SECOND": 90 * SECOND,
}


def some(rng, n, around=MIDNIGHT, spread=3 * HOUR):
    return [
        Sample(
            str(rng.choice(["eu", "us"])),
            str(rng.choice(["errors", "requests"])),
            int(rng.choice([-5, 1, 2**62])),
            around + int(rng.integers(-spread, spread)) // SECOND * SECOND,
            float(rng.choice([math.nan, math.inf, *range(9), 1000.5])),
        )
        for _ in range(n)
    ]


def ask(lake, step, where="true"):
    return rows_of(lake.sql(f"SELECT {COLUMNS} FROM buckets({step}) WHERE {where}"))


def exact(history, steps=STEPS):
    for step in steps:
        same(ask(history.lake, step), buckets(history.written, STEPS[step]))


FILTERS = {
    "cluster = 'eu'": lambda key: key[0] == "eu",
    "metric = 'errors' AND time >= '2026-03-02 01:00'": lambda key: (
        key[1] == "errors" and key[3] >= MIDNIGHT + HOUR
    ),
    "time >= '2026-03-01 23:00' AND time < '2026-03-02 02:00'": lambda key: (
        MIDNIGHT - HOUR <= key[3] < MIDNIGHT + 2 * HOUR
    ),
    "series_id = 1 AND time = '2026-03-02 00:00'": lambda key: key[2:] == (1, MIDNIGHT),
    "date_trunc('day', time) = DATE '2026-03-01'": lambda key: (
        MIDNIGHT - 24 * HOUR <= key[3] < MIDNIGHT
    ),
}


@pytest.mark.parametrize("seed", range(2))
def test_equals_the_samples_at_every_moment(history, seed):
    rng = np.random.default_rng(seed)
    lake = history.lake
    for step in range(4):
        late = int(rng.choice([0, 0, 5 * HOUR, 30 * HOUR]))
        history.append(some(rng, int(rng.integers(1, 40)), MIDNIGHT + step * HOUR - late))
        if rng.random() < 0.5:
            roll_up(lake, NOW)
        if rng.random() < 0.5:
            for table in ("samples", "samples_5m", "samples_1h"):
                compact(lake.tables[table], CompactionPolicy(fan_in=2), NOW)
        exact(history, rng.choice(list(STEPS), 3, replace=False))
        name = str(rng.choice(list(STEPS)))
        wanted = buckets(history.written, STEPS[name])
        for where, chosen in FILTERS.items():
            same(ask(lake, name, where), {k: b for k, b in wanted.items() if chosen(k)})


def test_without_any_rollup(history):
    history.append(some(np.random.default_rng(1), 30))
    exact(history)


def test_with_a_log_that_does_not_reach_back(history):
    rng = np.random.default_rng(2)
    history.append(some(rng, 30))
    roll_up(history.lake, NOW)
    history.append(some(rng, 30))
    history.append(some(rng, 5))
    log = history.lake.samples.folder / "_delta_log"
    history.lake.samples.delta().create_checkpoint()
    (log / f"{2:020d}.json").unlink()
    exact(history, ["INTERVAL 1 HOUR", "INTERVAL 5 MINUTE"])
    roll_up(history.lake, NOW)
    exact(history, ["INTERVAL 1 HOUR", "INTERVAL 5 MINUTE"])


def test_an_old_snapshot_stays_as_it_was(history):
    rng = np.random.default_rng(4)
    history.append(some(rng, 30))
    roll_up(history.lake, NOW)
    history.append(some(rng, 10))
    snapshot, then = history.lake.snapshot(), list(history.written)
    history.append(some(rng, 10))
    roll_up(history.lake, NOW)
    query = f"SELECT {COLUMNS} FROM buckets(INTERVAL 1 HOUR)"
    same(rows_of(snapshot.connect().sql(query).to_arrow_table()), buckets(then, HOUR))
    same(rows_of(history.lake.sql(query, as_of=snapshot.id)), buckets(then, HOUR))


def test_samples_older_than_the_rollups(history):
    """A past put together from versions may have rollups that are ahead of the samples."""
    rng = np.random.default_rng(6)
    history.append(some(rng, 20))
    then, version = list(history.written), history.lake.samples.version()
    history.append(some(rng, 20))
    roll_up(history.lake, NOW)
    versions = {**history.lake.snapshot().versions, "samples": version}
    query = f"SELECT {COLUMNS} FROM buckets(INTERVAL 5 MINUTE)"
    same(rows_of(history.lake.sql(query, as_of=versions)), buckets(then, SLOT))


def test_months(history):
    history.append(some(np.random.default_rng(7), 12, spread=40 * 24 * HOUR))
    roll_up(history.lake, NOW)
    sql = (
        'SELECT time, sum("count") AS n FROM buckets(INTERVAL 1 MONTH) GROUP BY time ORDER BY time'
    )
    wanted = {}
    for key, bucket in buckets(history.written, 24 * HOUR).items():
        day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=key[3])
        month = day.replace(day=1)
        wanted[month] = wanted.get(month, 0) + bucket.count
    found = {row["time"]: row["n"] for row in history.lake.sql(sql).to_pylist()}
    assert found == wanted
    # The days that a month's bucket needs lie after the time it begins at.
    for month in wanted:
        one = f"SELECT sum(\"count\") AS n FROM buckets(INTERVAL 1 MONTH) WHERE time = '{month}'"
        assert history.lake.sql(one).to_pylist() == [{"n": wanted[month]}]


@pytest.mark.parametrize("step", ["INTERVAL 0 HOUR", "INTERVAL (-1) HOUR", "'soon'"])
def test_steps_that_are_none(history, step):
    history.append(some(np.random.default_rng(1), 5))
    with pytest.raises(QueryError):
        ask(history.lake, step)


@pytest.mark.parametrize(
    ("step", "table"),
    [
        ("INTERVAL 1 HOUR", "samples_1h"),
        ("INTERVAL 1 DAY", "samples_1h"),
        ("INTERVAL 15 MINUTE", "samples_5m"),
    ],
)
def test_only_the_cheapest_table_is_read(history, step, table):
    history.append(some(np.random.default_rng(1), 50))
    roll_up(history.lake, NOW)
    snapshot = history.lake.snapshot()
    with snapshot.connect() as connection:
        sql = f"SELECT time, avg FROM buckets({step}) WHERE cluster = 'eu' AND metric = 'errors'"
        plan = connection.execute(f"EXPLAIN ANALYZE (FORMAT JSON) {sql}").fetchone()[1]
    scans = [node for node in nodes(json.loads(plan)) if node.get("name") == "READ_PARQUET"]
    assert scans
    for scan in scans:
        assert f"/{table}/" in scan["extra_info"]["Filename(s)"]
        assert "(cluster = 'eu')" in scan["extra_info"]["Filters"]
        assert "/samples/" not in scan["extra_info"]["Filename(s)"]


def test_old_times_are_read_from_rollups_though_fresh_ones_are_not_there(history):
    history.append([Sample("eu", "errors", 1, MIDNIGHT, 1.0)])
    roll_up(history.lake, NOW)
    history.append([Sample("eu", "errors", 1, MIDNIGHT + 6 * HOUR, 1.0)])
    snapshot = history.lake.snapshot()
    assert snapshot.stale().slots != ()
    ready = prepare(
        snapshot, "SELECT 1 FROM buckets(INTERVAL 1 HOUR) WHERE time < '2026-03-02 02:00'"
    )
    assert ready.stale is not None
    assert ready.stale.slots == ()
    assert "samples_stale" not in ready.paths


def test_from_outside_only_the_callers_clusters(history):
    rng = np.random.default_rng(9)
    history.append(some(rng, 40))
    roll_up(history.lake, NOW)
    history.append(some(rng, 40))
    for step in ("INTERVAL 1 HOUR", "INTERVAL 5 MINUTE", "INTERVAL 1 MINUTE"):
        sql = f"SELECT {COLUMNS} FROM buckets({step})"
        wanted = buckets(history.written, STEPS[step])
        found = history.lake.query_guarded(sql, Limits()).rows
        same(rows_of(found), wanted)
        found = history.lake.query_guarded(sql, Limits(), clusters=["us"]).rows
        same(rows_of(found), {key: b for key, b in wanted.items() if key[0] == "us"})


def test_rows_of_others_are_not_computed_over(history):
    """Not even an expression that fails tells of them."""
    history.append([Sample("eu", "secret", 1, MIDNIGHT, 1.0), Sample("us", "7", 1, MIDNIGHT, 1.0)])
    for rolled in (False, True):
        if rolled:
            roll_up(history.lake, NOW)
        for step in ("INTERVAL 1 HOUR", "INTERVAL 5 MINUTE", "INTERVAL 1 MINUTE"):
            sql = f"SELECT metric FROM buckets({step}) WHERE CAST(metric AS INTEGER) > 0"
            found = history.lake.query_guarded(sql, Limits(), clusters=["us"]).rows
            assert found.to_pylist() == [{"metric": "7"}]


spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=4).map(union)


@given(spans, spans, st.dictionaries(st.text(max_size=3), st.integers()), st.integers())
def test_what_a_worker_is_told(slots, hours, floors, floor):
    stale = Stale(slots, hours, floors, floor, (1, 7))
    assert Stale.from_json(json.loads(json.dumps(stale.to_json()))) == stale


def test_quantiles_are_not_offered(history):
    """They do not follow from buckets; of samples they can be asked."""
    history.append(some(np.random.default_rng(1), 5))
    with pytest.raises(QueryError, match="value"):
        history.lake.sql("SELECT quantile_cont(value, 0.9) FROM buckets(INTERVAL 1 HOUR)")


def test_late_rows_are_written_as_they_come(history):
    history.append([Sample("eu", "m", 1, MIDNIGHT, 5.0)])
    roll_up(history.lake, NOW)
    history.append([Sample("eu", "m", 1, MIDNIGHT, 7.0)])
    compact(history.lake.samples, CompactionPolicy(fan_in=2), NOW)
    history.lake.samples.append(to_rows([Sample("eu", "m", 1, MIDNIGHT, 6.0)]))
    history.written.append(Sample("eu", "m", 1, MIDNIGHT, 6.0))
    exact(history)
    roll_up(history.lake, NOW)
    exact(history)
