"""SQL from outside: what is refused writes and reads nothing, what is allowed runs."""

from pathlib import Path

import pytest

from lake import Lake, Limits
from lake.errors import QueryError, QueryNotAllowedError
from lake.guard import check_select

REFUSED = [
    # Statements that write.
    "COPY samples TO '{root}/out.csv'",
    "COPY (SELECT * FROM samples) TO '{root}/out.parquet' (FORMAT parquet)",
    "COPY samples FROM '{root}/out.csv'",
    "EXPORT DATABASE '{root}/dump'",
    "IMPORT DATABASE '{root}/dump'",
    "ATTACH '{root}/x.db'",
    "DETACH memory",
    "INSERT INTO samples SELECT * FROM samples",
    "UPDATE samples SET value = 0",
    "DELETE FROM samples",
    "MERGE INTO samples USING series ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE samples",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x (i INT)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "CREATE SECRET s (TYPE s3, KEY_ID 'x')",
    "CREATE SEQUENCE s",
    "CREATE SCHEMA s",
    "CREATE TYPE mood AS ENUM ('sad')",
    "CREATE INDEX i ON samples (value)",
    "DROP VIEW samples",
    "ALTER VIEW samples RENAME TO x",
    "COMMENT ON VIEW samples IS 'x'",
    # Statements that change the engine.
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 64",
    "SET VARIABLE x = 1",
    "RESET threads",
    "PRAGMA database_list",
    "PRAGMA memory_limit = '64GB'",
    "CALL pragma_version()",
    "USE memory",
    "BEGIN",
    "COMMIT",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT count(*) FROM samples",
    # More than one statement, or none.
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW samples",
    "SELECT 1; COPY samples TO '{root}/out.csv'",
    "",
    " ; ",
    "-- nothing",
    # Statements that count as SELECT.
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE samples",
    "SUMMARIZE samples",
    "SELECT * FROM (DESCRIBE samples)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM (SUMMARIZE samples)",
    "PIVOT samples ON metric USING sum(value)",
    "SELECT * FROM (PIVOT samples ON metric USING sum(value))",
    "WITH x AS (COPY samples TO '{root}/out.csv') SELECT * FROM x",
    "WITH x AS (INSERT INTO samples SELECT * FROM samples RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM samples RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE samples SET value = 0 RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (COPY samples TO '{root}/out.csv') SELECT * FROM x)",
    # Files, as functions and as names.
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_scan('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM parquet_schema('{file}')",
    "SELECT * FROM read_json('{log}')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM READ_TEXT('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('{root}/**')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "FROM '{file}'",
    "SELECT (SELECT count(*) FROM '{file}')",
    "SELECT * FROM samples WHERE value IN (SELECT value FROM '{file}')",
    "SELECT * FROM samples, LATERAL read_text('/etc/passwd')",
    "SELECT 1 UNION ALL SELECT count(*) FROM '{file}'",
    "SELECT 1 ORDER BY (SELECT count(*) FROM '{file}')",
    # Names of common table expressions outside their scope.
    'SELECT * FROM (WITH "{file}" AS (SELECT 1) SELECT 1), "{file}"',
    'SELECT * FROM "{file}" WHERE 1 IN (WITH "{file}" AS (SELECT 1) SELECT 1)',
    'WITH a AS (SELECT * FROM "{file}"), "{file}" AS (SELECT 1) SELECT * FROM a',
    'WITH "{file}" AS (SELECT * FROM "{file}") SELECT * FROM "{file}"',
    '(WITH "{file}" AS (SELECT 1) SELECT value FROM samples) UNION SELECT value FROM "{file}"',
    "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
    # The first member of a recursive one does not see its name.
    "WITH RECURSIVE sqlite_master AS (SELECT name, sql FROM sqlite_master UNION ALL "
    "SELECT name, sql FROM sqlite_master WHERE false) SELECT * FROM sqlite_master",
    'WITH RECURSIVE "{loose}" AS (SELECT * FROM "{loose}" UNION ALL '
    'SELECT * FROM "{loose}" WHERE false) SELECT * FROM "{loose}"',
    'WITH RECURSIVE "{log}" AS (SELECT * FROM "{log}" UNION ALL '
    'SELECT * FROM "{log}" WHERE false) SELECT * FROM "{log}"',
    'WITH RECURSIVE "{file}" AS (WITH x AS (SELECT value FROM "{file}") SELECT value FROM x '
    'UNION ALL SELECT value FROM "{file}" WHERE false) SELECT * FROM "{file}"',
    # DuckDB tells the Kelvin sign from a k.
    'WITH "{root}/\u212a.parquet" AS (SELECT 1) SELECT * FROM "{root}/k.parquet"',
    # The engine's own tables and state.
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM stored.samples",
    "SELECT * FROM main.samples",
    "SELECT * FROM memory.main.samples",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('samples')",
    "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "SELECT * FROM test_all_types()",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT current_setting('threads')",
    "SELECT Current_Setting('threads')",
    "SELECT main.current_setting('threads')",
    "SELECT x FROM (SELECT current_setting('home_directory') AS x)",
    "SELECT value FROM samples WHERE current_setting('threads') = 2",
    "SELECT list_transform([1], lambda i: current_setting('threads'))",
    "SELECT sum(value) OVER (ORDER BY current_setting('threads')) FROM samples",
    "SELECT nextval('s')",
    "SELECT write_log('x')",
    "SELECT pg_sleep(60)",
    # Python variables of the process.
    "SELECT * FROM connection",
    "SELECT * FROM sql",
    "SELECT * FROM rows",
    "SELECT * FROM secret_rows",
]

ALLOWED = [
    "SELECT count(*) FROM samples",
    "select COUNT(*) from SAMPLES",
    'SELECT count(*) FROM "samples"',
    "SELECT 1;",
    "/* why */ SELECT 1 -- so",
    "FROM samples",
    "FROM samples SELECT value LIMIT 1",
    "TABLE samples",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM (VALUES (1), (2)) AS t(x)",
    "SELECT * FROM samples JOIN series USING (cluster, metric, series_id)",
    "SELECT a.value FROM samples a LEFT JOIN samples b ON a.time = b.time AND a.value < b.value",
    "SELECT * FROM samples ASOF JOIN events USING (cluster, time)",
    "SELECT s.value, e.reason FROM samples s, events e WHERE s.cluster = e.cluster",
    "SELECT value FROM samples UNION ALL SELECT score FROM anomalies",
    "SELECT value FROM samples EXCEPT SELECT score FROM anomalies",
    "WITH t AS (SELECT value FROM samples) SELECT avg(value) FROM t",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM a, b",
    "WITH T AS (SELECT 1 AS x) SELECT * FROM t",
    "WITH t AS MATERIALIZED (SELECT value FROM samples) SELECT * FROM t a JOIN t b USING (value)",
    "WITH t AS (SELECT 1 AS x) SELECT * FROM samples WHERE value IN (SELECT x FROM t)",
    "WITH t AS (WITH u AS (SELECT 1 AS x) SELECT * FROM u) SELECT * FROM t",
    "WITH t AS (SELECT 1 AS x) SELECT x FROM t UNION ALL SELECT x + 1 FROM t",
    "WITH samples AS (SELECT 1 AS x) SELECT x FROM samples",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
    "WITH RECURSIVE samples AS (SELECT value FROM samples UNION ALL "
    "SELECT value + 1 FROM samples WHERE value < 5) SELECT * FROM samples",
    "SELECT value, lag(value) OVER (PARTITION BY series_id ORDER BY time) FROM samples",
    "SELECT * FROM samples QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY time) = 1",
    "SELECT * FROM samples WHERE value > (SELECT avg(value) FROM samples)",
    "SELECT * FROM series r WHERE EXISTS (SELECT 1 FROM samples s WHERE s.series_id = r.series_id)",
    "SELECT unnest([1, 2, 3])",
    "SELECT * FROM unnest([1, 2]) AS t(x)",
    "SELECT list_transform([1, 2], lambda x: x + 1)",
    "SELECT [x * 2 FOR x IN [1, 2] IF x > 1]",
    "SELECT labels['job'], map_keys(labels) FROM series",
    "SELECT CAST(value AS INTEGER), value::VARCHAR, TRY_CAST('x' AS DOUBLE) FROM samples",
    "SELECT time_bucket(INTERVAL '5 minutes', time) AS t, avg(value) FROM samples GROUP BY t",
    "SELECT quantile_cont(value, [0.5, 0.9]), approx_quantile(value, 0.5) FROM metrics",
    "SELECT * FROM generate_series(1, 3)",
    "SELECT * FROM range(3) t(i), LATERAL (SELECT i * 2)",
    "SELECT metric, count(*) FROM metrics GROUP BY ALL ORDER BY ALL LIMIT 10",
    "SELECT date, sum(value) FROM samples GROUP BY ROLLUP (date)",
    "SELECT * EXCLUDE (value) FROM samples",
    "SELECT COLUMNS('c.*') FROM samples",
    "SELECT * FROM (PIVOT samples ON metric IN ('up') USING sum(value))",
    "SELECT * FROM samples USING SAMPLE 10 ROWS",
    "SELECT CASE WHEN value > 1 THEN 'high' ELSE 'low' END FROM samples",
    "SELECT arg_max(value, time), regr_slope(value, epoch(time)) FROM samples",
    "SELECT strftime(time, '%H'), date_trunc('hour', time), now() - time FROM samples",
    "SELECT regexp_extract(message, 'pod (.*)', 1) FROM events",
    "SELECT sum(value) FILTER (WHERE cluster = 'eu') FROM samples",
]


@pytest.fixture(scope="module")
def written(tmp_path_factory, make_samples):
    lake = Lake.open(tmp_path_factory.mktemp("written"))
    lake.samples.append(make_samples([1, 2, 3]))
    return lake


@pytest.fixture(scope="module")
def places(written):
    (file,) = written.samples.files()[1]
    log = written.samples.folder / "_delta_log" / f"{0:020d}.json"
    loose = written.samples.folder / "loose.parquet"
    loose.write_bytes(Path(file.path).read_bytes())
    return {"root": written.root, "file": file.path, "log": log, "loose": loose}


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(places, sql):
    with pytest.raises(QueryError) as refusal:
        check_select(sql.format(**places))
    assert isinstance(refusal.value, QueryNotAllowedError) or "Parser Error" in str(refusal.value)


def test_refused_statements_leave_the_lake_alone(written, places):
    secret_rows = written.sql("SELECT 42 AS secret")
    before = {path: path.stat().st_mtime_ns for path in written.root.rglob("*")}
    for sql in REFUSED:
        with pytest.raises(QueryError):
            written.query_guarded(sql.format(**places), Limits(seconds=2))
    assert {path: path.stat().st_mtime_ns for path in written.root.rglob("*")} == before
    assert secret_rows.num_rows == 1


@pytest.mark.parametrize("sql", ALLOWED)
def test_allowed(written, sql):
    assert check_select(sql) == sql
    assert written.query_guarded(sql, Limits()).rows.num_columns > 0


def test_refusals_name_the_rule_and_what_was_found(written):
    with pytest.raises(
        QueryNotAllowedError, match="'read_text' is not allowed: send one SELECT over"
    ):
        check_select("SELECT * FROM read_text('/etc/passwd')")


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT FROM WHERE", "SELECT (", "\x00", "SELECT '"])
def test_what_does_not_parse_is_a_query_error(sql):
    with pytest.raises(QueryError):
        check_select(sql)


@pytest.mark.parametrize("depth", [100, 900, 5_000, 50_000])
def test_deep_nesting_is_an_answer_not_a_crash(written, depth):
    sql = f"SELECT {'(' * depth}1{' + 1)' * depth} AS x"
    try:
        rows = written.query_guarded(sql, Limits()).rows
    except QueryError:
        assert depth > 100
    else:
        assert rows.to_pylist() == [{"x": depth + 1}]
