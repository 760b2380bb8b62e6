"""Whatever is answered without an engine is what DuckDB answers."""

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from lake import Lake, TimeRange
from lake.errors import QueryError
from lake.maintenance.compaction import compact
from lake.maintenance.policy import CompactionPolicy
from lake.range_query import Pool, answered
from lake.range_query.words import RESERVED

LATE = datetime(2026, 3, 4, tzinfo=UTC)

EVER = TimeRange(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
"""Said to `Lake.query`, it makes an engine answer."""

FROM = {
    "samples": ("samples", "samples.", ["value"], False),
    "samples s": ("samples s", "s.", ["value"], False),
    "joined": (
        "samples AS s JOIN series USING (series_id, cluster, metric)", "s.", ["value"], True,
    ),
    "metrics": ("metrics m", "m.", ["value"], True),
    "hours": (
        "buckets(INTERVAL 1 HOUR) b JOIN series r USING (cluster, metric, series_id)",
        "b.", ["min", "max", "sum", "last", "increase", "avg"], True,
    ),
    "slots": (
        "buckets(INTERVAL '5 minutes') b", "b.", ["min", "max", "last", "avg", "increase"], False,
    ),
}  # fmt: skip

TEXTS = {
    "metric": ["requests", "temperature", "up", "none"],
    "cluster": ["eu", "us", "it's", "nowhere"],
    "instance": ["host_0", "host_1", "host_9"],
    "pod": ["pod-0", "pod-1"],
}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def one_of(rng, column):
    values = rng.sample(TEXTS[column], rng.randint(1, 2))
    if len(values) == 1 and rng.random() < 0.7:
        return f"{column} = {quoted(values[0])}"
    return f"{column} IN ({', '.join(map(quoted, values))})"


def conditions(rng, prefix, number, joined):
    found = [one_of(rng, "metric")]
    if rng.random() < 0.6:
        found.append(one_of(rng, "cluster"))
    if joined and rng.random() < 0.6:
        found.append(one_of(rng, rng.choice(["instance", "pod"])))
    if rng.random() < 0.7:
        begin = datetime(2026, 3, 1, 22, tzinfo=UTC) + timedelta(minutes=rng.randint(-30, 300))
        end = begin + timedelta(minutes=rng.choice([0, 7, 60, 500, 4_000]))
        text = rng.choice(["{0}", "TIMESTAMPTZ {0}", "{0}"])
        begins, ends = (text.format(f"'{at:%Y-%m-%d %H:%M}+00'") for at in (begin, end))
        found += rng.choice(
            [
                [f"{prefix}time >= {begins}", f"time < {ends}"],
                [f"{prefix}time BETWEEN {begins} AND {ends}"],
                [f"time > {begins}"],
                [f"time <= '{end:%Y-%m-%dT%H:%M:%S}Z'"],
            ]
        )
    if rng.random() < 0.3:
        operator = rng.choice(["=", "<>", "!=", "<", "<=", ">", ">="])
        found.append(f"{prefix}{number} {operator} {rng.choice(['50', '-1.5', '0', '49.9'])}")
    rng.shuffle(found)
    return " AND ".join(found)


def query(rng):
    source, prefix, numbers, joined = FROM[rng.choice(list(FROM))]
    number = rng.choice(numbers)
    where = conditions(rng, prefix, number, joined)
    texts = ["metric", "cluster", "series_id", *(["instance", "pod"] if joined else [])]
    chosen = rng.sample(texts, rng.randint(0, 2))
    if rng.random() < 0.3:
        columns = [*chosen, f"{prefix}time", f"{number} AS n", "NULL AS nothing"]
        tail = ""
        if rng.random() < 0.5:
            columns[-2] = "NULL"
            tail = " ORDER BY time DESC, " + ", ".join(chosen or ["1"])
        return f"SELECT {', '.join(columns)} FROM {source} WHERE {where}{tail}"
    bucket = rng.choice(["INTERVAL 7 MINUTE", "INTERVAL '1 hour'", "INTERVAL 90 SECOND"])
    functions = [
        f"max({number}) AS most", f"min({prefix}{number}) AS least", f"avg({number}) AS mean",
        f"sum({number}) AS total", f"count({number}) AS known", "count(*)", "count(*) AS n",
        f"rate({number}, {prefix}time) AS speed", f"increase({number}, time) AS risen",
    ]  # fmt: skip
    if "series_id" in chosen:
        functions.append(f"arg_max({number}, time) AS newest")
    aggregates = rng.sample(functions, rng.randint(1, 3))
    keys = [*chosen]
    if rng.random() < 0.7:
        keys.insert(0, f"time_bucket({bucket}, {prefix}time) AS since")
    columns = [*keys, *aggregates, *(["NULL AS host"] if rng.random() < 0.3 else [])]
    rng.shuffle(columns)
    if not keys:
        return f"SELECT {', '.join(columns)} FROM {source} WHERE {where}"
    positions = [str(columns.index(key) + 1) for key in keys]
    names = [key.rpartition(" ")[2] for key in keys]
    by = rng.choice(["ALL", ", ".join(positions), ", ".join(names)])
    tail = ""
    if rng.random() < 0.4:
        down = rng.choice(["", " DESC", " asc"])
        tail = f" ORDER BY {', '.join(name + down for name in names)}"
        tail += rng.choice(["", " LIMIT 5"])
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {where} GROUP BY {by}{tail};"


def plain(value):
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.10g}")
    return value


def rows_of(table):
    return [tuple(map(plain, row.values())) for row in table.to_pylist()]


def compare(sql, mine, theirs):
    assert mine.schema.remove_metadata() == theirs.schema.remove_metadata(), sql
    ours, others = rows_of(mine), rows_of(theirs)
    if "ORDER BY" not in sql:
        ours, others = sorted(ours, key=repr), sorted(others, key=repr)
    if "ORDER BY time" in sql:  # the rest of their columns may be alike
        ours, others = sorted(ours, key=repr), sorted(others, key=repr)
        times = mine.column("time").to_pylist()
        assert times == sorted(times, reverse=True), sql
    assert ours == others, sql


@pytest.mark.parametrize("seed", range(3))
def test_the_same_rows_and_types(some_days, seed):
    rng = random.Random(seed)
    pool, snapshot, taken = Pool(1 << 20), some_days.snapshot(), 0
    for _ in range(60):
        sql = query(rng)
        mine = answered(snapshot, sql, pool=pool)
        if mine is None:
            continue
        taken += 1
        compare(sql, mine, some_days.query(sql, between=EVER).rows)
    assert taken > 30


REFUSED = [
    "SELECT max(value) AS v, pod FROM metrics WHERE metric = 'up'",
    "SELECT time AS at, max(value) AS v FROM samples WHERE metric = 'up' GROUP BY 2",
    "SELECT host FROM metrics WHERE metric = 'up'",
    "SELECT pod FROM samples WHERE metric = 'up'",
    "SELECT m.pod FROM metrics AS n WHERE metric = 'up'",
    "SELECT r.time FROM samples s JOIN series r USING (cluster, metric, series_id)"
    " WHERE metric = 'up'",
    "SELECT value FROM samples WHERE metric = 'up' AND time > '2026-02-30'",
    "SELECT value FROM samples WHERE metric = 'up' LIMIT 1 LIMIT 2",
    "SELECT count(*) FROM samples WHERE metric = 'up' GROUP BY value, count(*)",
    "SELECT sum(value) AS s FROM samples WHERE metric = 'up' ORDER BY time",
    "SELECT value FROM samples WHERE metric = 'up' 'down'",
    "SELECT value FROM samples, WHERE metric = 'up' AND",
    "SELECT time AS at, count(*) FROM samples WHERE metric = 'up' GROUP BY at",
    "SELECT value FROM samples WHERE metric = E'up' AND metric = 'up'; SELECT 1",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_an_engine_refuses_is_left_to_it(some_days, sql):
    assert answered(some_days.snapshot(), sql) is None
    if "'; SELECT" not in sql:
        with pytest.raises(QueryError):
            some_days.query(sql, between=EVER)


LEFT = [
    "SELECT cluster AS samples, count(*) FROM samples WHERE metric = 'up' GROUP BY samples",
    "SELECT cluster AS s, count(*) FROM samples s WHERE metric = 'up' GROUP BY s",
    "SELECT max(buckets.max) AS m FROM buckets(INTERVAL 1 HOUR) WHERE metric = 'up'"
    " AND time < '2026-03-02'",
    "SELECT r.cluster, count(*) FROM samples s JOIN series r USING (cluster, metric, series_id)"
    " WHERE metric = 'up' GROUP BY s.cluster",
    "SELECT time_bucket(INTERVAL 1 HOUR, time) AS b, count(*) FROM samples WHERE metric = 'up'"
    " GROUP BY time_bucket(INTERVAL 60 MINUTES, time)",
    "SELECT count(*) FROM samples WHERE metric = 'up' AND time > '2026-03-01 05:17+\u0660\u0662'",
    "SELECT count(*) FROM samples WHERE metric = 'up' AND time > now() - INTERVAL '1\u0660 hours'",
    "SELECT * FROM samples WHERE metric = 'up'",
    "SELECT value FROM samples WHERE metric = 'up' OR cluster = 'eu'",
    "SELECT value FROM samples WHERE NOT metric = 'up'",
    "SELECT value FROM samples WHERE metric = 'up' -- AND cluster = 'eu'",
    "SELECT value FROM samples WHERE metric = 'up' /* AND */",
    "SELECT \"value\" FROM samples WHERE metric = 'up'",
    "SELECT DISTINCT value FROM samples WHERE metric = 'up'",
    "SELECT value FROM samples WHERE metric = $name",
    "SELECT value FROM samples AT (VERSION => 1) WHERE metric = 'up'",
    "SELECT value + 1 AS v FROM samples WHERE metric = 'up'",
    "SELECT value FROM samples WHERE metric LIKE 'up'",
    "SELECT value FROM samples WHERE cluster = 'eu'",
    "SELECT max(time) AS t FROM samples WHERE metric = 'up'",
    "SELECT max(value) FROM samples WHERE metric = 'up'",
    "SELECT date AS at, max(value) AS v FROM samples WHERE metric = 'up' GROUP BY date",
    "SELECT time_bucket(INTERVAL 1 HOUR, time) AS time, max(value) AS v FROM samples"
    " WHERE metric = 'up' GROUP BY time",
    "SELECT time_bucket(INTERVAL 1 HOUR, time) AS date, max(value) AS v FROM samples"
    " WHERE metric = 'up' GROUP BY date",
    "SELECT value FROM samples WHERE metric = 'up' UNION ALL SELECT 1",
    "WITH samples AS (SELECT 'up' AS metric, 1 AS value) SELECT value FROM samples"
    " WHERE metric = 'up'",
    "SELECT b.max AS m FROM buckets(INTERVAL 2 HOUR) b WHERE metric = 'up'",
    "SELECT value FROM stored.samples WHERE metric = 'up'",
    "SELECT value FROM metrics WHERE metric = 'up' AND label(labels, 'a') = 'b'",
    "SELECT max(value) AS v FROM samples WHERE metric = 'up' HAVING max(value) > 1",
    "SELECT value FROM samples WHERE metric = 'up' AND value > 0.12345678901234567",
    "SELECT value FROM samples WHERE metric = 'up' AND time > now() - INTERVAL 1 MONTH",
]


@pytest.mark.parametrize("sql", LEFT)
def test_what_is_not_surely_understood_is_left_to_an_engine(some_days, sql):
    assert answered(some_days.snapshot(), sql) is None


def test_buckets_whose_rollups_lag_are_left_to_an_engine(some_days):
    sql = "SELECT time, max AS v FROM buckets(INTERVAL 1 HOUR) WHERE metric = 'up' AND time >= '{}'"
    snapshot = some_days.snapshot()
    assert answered(snapshot, sql.format("2026-03-03 21:00")) is None
    assert answered(snapshot, sql.format("2026-03-01") + " AND time < '2026-03-02'") is not None


def test_now(some_days):
    at = datetime(2026, 3, 1, 23, tzinfo=UTC)
    sql = (
        "SELECT count(*) FROM samples WHERE metric = 'up' "
        "AND time >= now() - INTERVAL 10 MINUTE AND time < now()"
    )
    counted = sql.replace("now()", f"TIMESTAMPTZ '{at.isoformat()}'")
    mine = answered(some_days.snapshot(), sql, now=lambda: at)
    theirs = some_days.query(counted, between=EVER).rows
    assert mine.to_pylist() == theirs.to_pylist() != [{"count_star()": 0}]


def test_reserved_words_are_those_of_duckdb():
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() "
            "WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    assert {name for (name,) in rows} == RESERVED


def test_the_past(some_days, make_samples):
    """A snapshot is answered as it was; one whose files are gone is an engine's to tell of."""
    sql = "SELECT count(*) AS n FROM samples WHERE metric = 'up'"
    some_days.samples.append(make_samples([1.0]))
    then = some_days.snapshot()
    before = answered(then, sql)["n"].to_pylist()
    some_days.samples.append(make_samples([1.0]))
    as_of = some_days.snapshot(then.id)
    assert answered(as_of, sql)["n"].to_pylist() == before
    assert answered(some_days.snapshot(), sql)["n"].to_pylist() == [before[0] + 1]
    compact(some_days.samples, CompactionPolicy(fan_in=2), LATE)
    kept = {file.path for file in some_days.samples.files()[1]}
    gone = [file.path for file in then.tables["samples"].files if file.path not in kept]
    Path(gone[0]).unlink()
    assert answered(Lake.open(some_days.root).snapshot(then.id), sql) is None


def test_the_last_hour_of_rollups_that_lag(some_days, make_samples):
    """A bucket holds what comes within the hour after its time."""
    late = datetime(2026, 3, 2, 1, 59, tzinfo=UTC)
    some_days.samples.append(make_samples([9e9], start=late, metric="requests"))
    sql = (
        "SELECT max(max) AS m FROM buckets(INTERVAL 1 HOUR) WHERE metric = 'requests' "
        "AND time >= '2026-03-02 00:00' AND time < '2026-03-02 01:30'"
    )
    assert answered(some_days.snapshot(), sql) is None
    assert some_days.sql(sql)["m"].to_pylist() == [9e9]
