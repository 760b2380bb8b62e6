"""SQL that passes the guard and means harm: limits of time, memory, rows and bytes hold."""

import re
import time

import pytest

from lake import Lake, Limits
from lake.errors import QueryError, QueryNotAllowedError, QueryTimeoutError, ResultTooLargeError

MIB = 1 << 20

LIMITS = Limits(rows=1_000, result_bytes=MIB, seconds=1.0, memory_bytes=128 * MIB, threads=1)

LONGEST = 30.0
"""Seconds to be stopped in, not minutes; the successor of a killed worker takes several."""

COUNTED = "SELECT count(*) FROM {}"

BOMBS = {
    "cross join": "SELECT count(*) FROM range(100000000) a, range(100000000) b "
    "WHERE a.range * b.range % 7 = 3",
    "cross join of many": COUNTED.format(", ".join(f"range(1000) t{i}" for i in range(9)))
    + " WHERE t0.range + t8.range = 3",
    "join on nothing": "SELECT count(*) FROM range(1000000) a JOIN range(1000000) b "
    "ON a.range < b.range",
    "recursion for ever": "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
    "SELECT max(n) FROM t",
    "recursion that grows": "WITH RECURSIVE t(n) AS "
    "(SELECT 1 UNION ALL SELECT n FROM t, range(10)) SELECT count(*) FROM t",
    "long series": "SELECT sum(hash(i)) FROM generate_series(1, 1000000000000) t(i)",
    "repeat": "SELECT length(repeat('x', 2000000000))",
    "repeat of repeat": "SELECT length(repeat(repeat('x', 100000), 100000))",
    "repeat for each": "SELECT max(length(repeat('x', 100000000 + i))) FROM range(100) t(i)",
    "replace": "SELECT length(replace(repeat('a', 100000), 'a', repeat('b', 100000)))",
    "lpad": "SELECT length(lpad('x', 2000000000, 'y'))",
    "printf": "SELECT length(printf('%2000000000d', 1))",
    "format": "SELECT length(format('{:>2000000000}', 'x'))",
    "bar": "SELECT length(bar(1, 0, 1, 2000000000))",
    "regular expression": "SELECT regexp_replace(repeat('a', 50000000), '(a*)*b', 'x', 'g')",
    "counted expression": "SELECT count(*) FROM range(1000000) t(i) "
    "WHERE regexp_matches(repeat('a', 5000) || i, '(a?){500}b')",
    "edit distance": "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    "list": "SELECT list(i) FROM range(1000000000) t(i)",
    "list of ranges": "SELECT len(range(1000000000))",
    "list resized": "SELECT len(list_resize([1], 2000000000))",
    "list per row": "SELECT max(len(range(10000000 + i))) FROM range(1000) t(i)",
    "unnested": "SELECT count(*) FROM (SELECT unnest(range(100000)) FROM range(100000))",
    "unnested twice": "SELECT count(*) FROM "
    "(SELECT unnest(l) FROM (SELECT unnest(range(1000000)) AS i, range(1000000) AS l))",
    "lambda in lambda": "SELECT list_sum(list_transform(range(100000), "
    "lambda x: list_sum(list_transform(range(100000), lambda y: x * y))))",
    "text of all": "SELECT length(string_agg(md5(i::VARCHAR), '')) FROM range(100000000) t(i)",
    "sort": "SELECT i FROM range(1000000000) t(i) ORDER BY hash(i) LIMIT 1 OFFSET 999999998",
    "distinct": "SELECT count(DISTINCT md5(i::VARCHAR)) FROM range(1000000000) t(i)",
    "groups": "SELECT count(*) FROM (SELECT i, count(*) FROM range(1000000000) t(i) GROUP BY i)",
    "cube": "SELECT count(*) FROM (SELECT count(*) FROM (SELECT "
    + ", ".join(f"hash(i + {k}) AS c{k}" for k in range(12))
    + " FROM range(1000000) t(i)) GROUP BY CUBE ("
    + ", ".join(f"c{k}" for k in range(12))
    + "))",
    "window": "SELECT max(q) FROM (SELECT quantile_cont(i, 0.5) OVER (ORDER BY hash(i) "
    "ROWS BETWEEN 100000 PRECEDING AND CURRENT ROW) AS q FROM range(3000000) t(i))",
    "histogram": "SELECT histogram(i) FROM range(1000000000) t(i)",
    "exact quantile": "SELECT quantile_cont(hash(i), 0.5) FROM range(1000000000) t(i)",
    "deep json": "SELECT json(repeat('[', 10000000) || repeat(']', 10000000))",
    "long json": "SELECT json_array_length('[' || repeat('1,', 200000000) || '1]')",
    "json of all": "SELECT length(json_group_array(i)::VARCHAR) FROM range(1000000000) t(i)",
    "pivot": "SELECT count(*) FROM "
    "(PIVOT (SELECT i % 1000 AS a, i AS b FROM range(1000000000) t(i)) "
    f"ON a IN ({', '.join(map(str, range(1000)))}) USING sum(b) GROUP BY b)",
    "map": "SELECT map(range(50000000), range(50000000))",
    "bits": "SELECT bitstring_agg(i, 0, 10000000000) FROM range(10) t(i)",
    "correlated": "SELECT count(*) FROM range(100000) a "
    "WHERE (SELECT count(*) FROM range(100000) b WHERE b.range % 7 < a.range % 5) > 3",
    "asof": "SELECT count(*) FROM range(100000000) a(x) ASOF JOIN range(100000000) b(y) ON x >= y",
}  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return Lake.open(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("sql", BOMBS.values(), ids=BOMBS)
def test_it_is_stopped(lake, sql):
    began = time.monotonic()
    with pytest.raises(QueryError) as stopped:
        lake.query_guarded(sql, LIMITS)
    assert time.monotonic() - began < LONGEST
    assert not isinstance(stopped.value, QueryNotAllowedError)
    assert not re.search("Binder|Parser|Catalog", str(stopped.value))  # it did begin
    assert lake.query_guarded("SELECT 1 AS x", LIMITS).rows.to_pylist() == [{"x": 1}]


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT i FROM range(1000000000000) t(i)", "rows"),
        ("SELECT unnest(range(2000))", "rows"),
        ("SELECT repeat('x', 2000) FROM range(1000)", "bytes"),
        ("SELECT repeat('x', 2000000)", "bytes"),
        ("SELECT " + ", ".join(["repeat('x', 1000)"] * 500) + " FROM range(10)", "bytes"),
        ("SELECT range(1000) FROM range(1000)", "bytes"),
    ],
    ids=["endless", "unnested", "texts", "one text", "columns", "lists"],
)
def test_results_are_bounded_in_rows_and_bytes(lake, sql, what):
    with pytest.raises(ResultTooLargeError, match=what):
        lake.query_guarded(sql, LIMITS)


def test_time_is_of_the_clock_and_not_of_the_processor(lake):
    endless = BOMBS["long series"]
    began = time.monotonic()
    with pytest.raises(QueryTimeoutError, match="1 s"):
        lake.query_guarded(endless, LIMITS)
    assert 1.0 <= time.monotonic() - began < LONGEST


def test_the_disk_is_not_memory(lake, tmp_path, monkeypatch):
    """A sort that does not fit into memory fails: it does not spill into the working directory."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError):
        lake.query_guarded(BOMBS["sort"], LIMITS)
    assert list(tmp_path.iterdir()) == []
