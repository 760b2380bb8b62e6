-- What SQL from outside must not do, one a line, with the reason after `---`.
-- {root} is the lake's folder, {file} a file of its, {loose} one of no version, {log} a log entry.

-- Statements that write.
COPY samples TO '{root}/out.csv' --- writes a file
COPY samples TO '{root}/out.parquet' (FORMAT parquet) --- writes a file
COPY samples TO '{file}' (FORMAT parquet) --- writes over a file that may be read
COPY (SELECT * FROM samples) TO '{root}/out.parquet' (FORMAT parquet) --- writes a file
COPY (SELECT 1) TO '/dev/stdout' --- writes to the process' output
COPY samples TO 's3://bucket/x.parquet' --- sends data away
COPY samples TO '{root}/out' (FORMAT parquet, PARTITION_BY (cluster)) --- writes a folder
COPY samples FROM '{root}/out.csv' --- reads a file
COPY FROM DATABASE memory TO other --- copies the catalog
EXPORT DATABASE '{root}/dump' --- writes a folder
EXPORT DATABASE '{root}/dump' (FORMAT parquet) --- writes a folder
IMPORT DATABASE '{root}/dump' --- runs SQL from a file
ATTACH '{root}/x.db' --- makes a file
ATTACH '{root}/x.db' AS x (READ_ONLY) --- reads a file
ATTACH ':memory:' AS other --- opens another database
ATTACH 'https://example.org/x.db' AS x --- opens a connection
ATTACH 'host=127.0.0.1' AS pg (TYPE postgres) --- opens a connection
DETACH memory --- closes the database
INSERT INTO samples SELECT * FROM samples --- writes
INSERT INTO stored.samples VALUES (1) --- writes
INSERT OR REPLACE INTO samples SELECT * FROM samples --- writes
UPDATE samples SET value = 0 --- writes
UPDATE samples SET value = 0 RETURNING * --- writes and gives rows
DELETE FROM samples --- writes
DELETE FROM samples RETURNING * --- writes and gives rows
MERGE INTO samples USING series ON true WHEN MATCHED THEN DELETE --- writes
TRUNCATE samples --- writes
CREATE TABLE x AS SELECT 1 --- writes
CREATE TABLE x (i INTEGER) --- writes
CREATE OR REPLACE TABLE samples AS SELECT 1 --- takes a view's place
CREATE TEMP TABLE x (i INT) --- takes memory that stays
CREATE TEMP TABLE samples AS SELECT 1 --- hides a view
CREATE VIEW x AS SELECT 1 --- changes the catalog
CREATE OR REPLACE VIEW samples AS SELECT 1 --- changes what others see
CREATE VIEW x AS SELECT * FROM stored.samples --- a way round the names
CREATE SECURE VIEW x AS SELECT 1 --- changes the catalog
CREATE MACRO m() AS 1 --- changes the catalog
CREATE MACRO f(p) AS TABLE SELECT * FROM read_text(p) --- a file reader of one's own
CREATE FUNCTION f(x) AS x + 1 --- changes the catalog
CREATE SECRET s (TYPE s3, KEY_ID 'x') --- sets credentials
CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'x') --- writes a file
CREATE SEQUENCE s --- changes the catalog
CREATE SCHEMA s --- changes the catalog
CREATE TYPE mood AS ENUM ('sad') --- changes the catalog
CREATE INDEX i ON samples (value) --- changes the catalog
CREATE TRIGGER t AFTER INSERT ON samples FOR EACH ROW DELETE FROM samples --- changes the catalog
DROP VIEW samples --- changes the catalog
DROP SCHEMA stored CASCADE --- changes the catalog
DROP TABLE IF EXISTS samples --- changes the catalog
DROP SECRET s --- changes credentials
DROP MACRO rate --- changes the catalog
ALTER VIEW samples RENAME TO x --- changes the catalog
ALTER TABLE samples ADD COLUMN x INTEGER --- changes the catalog
COMMENT ON VIEW samples IS 'x' --- changes the catalog

-- Statements that change the engine.
INSTALL httpfs --- downloads code
INSTALL httpfs FROM community --- downloads code
INSTALL '{root}/x.duckdb_extension' --- loads code
FORCE INSTALL httpfs --- downloads code
UPDATE EXTENSIONS --- downloads code
LOAD httpfs --- loads code
LOAD '{root}/x.duckdb_extension' --- loads code
SET threads = 64 --- lifts a limit
SET memory_limit = '1TB' --- lifts a limit
SET GLOBAL enable_external_access = true --- opens the files
SET lock_configuration = false --- opens the settings
SET allowed_directories = ['/'] --- opens the files
SET temp_directory = '{root}/spill' --- writes files
SET log_query_path = '{root}/log.txt' --- writes a file
SET home_directory = '/' --- moves the home folder
SET search_path = 'stored' --- resolves names elsewhere
SET schema = 'stored' --- resolves names elsewhere
SET SESSION disabled_optimizers = 'filter_pushdown' --- changes plans
SET VARIABLE x = 1 --- keeps state
SET TimeZone = 'America/New_York' --- changes the answers of others
SET python_enable_replacements = true --- opens the process' variables
RESET threads --- lifts a limit
RESET ALL --- lifts a limit
RESET VARIABLE x --- changes state
PRAGMA database_list --- reads the catalog
PRAGMA memory_limit = '64GB' --- lifts a limit
PRAGMA version --- reads the engine
PRAGMA show_tables --- reads the catalog
PRAGMA table_info('samples') --- reads the catalog
PRAGMA enable_profiling --- changes the engine
PRAGMA profile_output = '{root}/profile.json' --- writes a file
PRAGMA disable_verification --- changes the engine
PRAGMA import_database('{root}/dump') --- runs SQL from a file
PRAGMA add_parquet_key('k', '0123456789112345') --- sets a key
CALL pragma_version() --- reads the engine
CALL enable_logging() --- changes the engine
CALL duckdb_settings() --- reads the settings
CALL query('SELECT 1') --- runs SQL from a text
CALL checkpoint() --- changes the engine
USE memory --- resolves names elsewhere
USE stored --- resolves names elsewhere
BEGIN --- keeps state
BEGIN TRANSACTION READ ONLY --- keeps state
COMMIT --- keeps state
ROLLBACK --- keeps state
ABORT --- keeps state
CHECKPOINT --- writes
FORCE CHECKPOINT --- writes
VACUUM --- writes
VACUUM ANALYZE samples --- writes
ANALYZE --- writes statistics
PREPARE p AS SELECT 1 --- keeps state
PREPARE p AS SELECT * FROM read_text('/etc/passwd') --- prepares a file reader
EXECUTE p --- runs what was kept
EXECUTE p(1) --- runs what was kept
DEALLOCATE p --- changes state
EXPLAIN SELECT 1 --- shows the plan, with the paths of files
EXPLAIN ANALYZE SELECT count(*) FROM samples --- shows the plan, with the paths of files
EXPLAIN (FORMAT json) SELECT 1 --- shows the plan

-- More than one statement, or none.
SELECT 1; SELECT 2 --- two
SELECT 1; DROP VIEW samples --- two
SELECT 1; COPY samples TO '{root}/out.csv' --- two
SELECT 1;; SET threads = 64 --- two, with an empty one between
SELECT 1 /* ; */ ; /* x */ SET threads = 64 --- two, behind comments
SET threads = 64; SELECT 1 --- the SELECT last
 --- nothing
 ;  --- nothing
-- nothing --- a comment alone
/* SELECT 1 */ --- a comment alone

-- Statements that count as SELECT.
SHOW TABLES --- reads the catalog
SHOW ALL TABLES --- reads the catalog
SHOW DATABASES --- reads the catalog
SHOW samples --- reads the catalog
SHOW TABLES FROM stored --- reads the catalog
DESCRIBE samples --- reads the catalog
DESCRIBE stored.samples --- reads the catalog
DESCRIBE SELECT * FROM samples --- reads the catalog
SUMMARIZE samples --- reads all of a table
SUMMARIZE '{file}' --- reads a file
SUMMARIZE SELECT * FROM read_text('/etc/passwd') --- reads a file
SELECT * FROM (DESCRIBE samples) --- nested
SELECT * FROM (SHOW TABLES) --- nested
SELECT * FROM (SUMMARIZE samples) --- nested
SELECT * FROM (SHOW ALL TABLES) --- nested
WITH x AS (FROM (SUMMARIZE samples)) SELECT * FROM x --- nested in a CTE
PIVOT samples ON metric USING sum(value) --- makes a type from the values, in a statement before
SELECT * FROM (PIVOT samples ON metric USING sum(value)) --- nested
PIVOT '{file}' ON metric IN ('up') USING sum(value) --- reads a file
FROM (UNPIVOT '{file}' ON value) --- reads a file

-- Statements that write, within a SELECT.
WITH x AS (COPY samples TO '{root}/out.csv') SELECT * FROM x --- in a CTE
WITH x AS (INSERT INTO samples SELECT * FROM samples RETURNING *) SELECT * FROM x --- in a CTE
WITH x AS (DELETE FROM samples RETURNING *) SELECT * FROM x --- in a CTE
WITH x AS (UPDATE samples SET value = 0 RETURNING *) SELECT * FROM x --- in a CTE
WITH x AS (MERGE INTO samples USING series ON true WHEN MATCHED THEN DELETE RETURNING *) FROM x --- in a CTE
WITH x AS (CREATE TABLE y AS SELECT 1) SELECT * FROM x --- in a CTE
WITH x AS (SELECT 1) INSERT INTO samples SELECT * FROM x --- behind a CTE
WITH x AS (SELECT 1) DELETE FROM samples --- behind a CTE
SELECT * FROM (WITH x AS (COPY samples TO '{root}/out.csv') SELECT * FROM x) --- in a subquery's CTE
SELECT * FROM (INSERT INTO samples SELECT * FROM samples RETURNING *) --- as a subquery
SELECT * FROM (DELETE FROM samples RETURNING *) t --- as a subquery
SELECT (DELETE FROM samples RETURNING 1) --- as a value
SELECT 1 INTO x --- makes a table in other dialects
SELECT * FROM samples FOR UPDATE --- locks in other dialects

-- Files, by functions.
SELECT * FROM read_csv('/etc/passwd') --- reads a file
SELECT * FROM read_csv_auto('/etc/passwd') --- reads a file
SELECT * FROM read_csv(['/etc/passwd', '/etc/group']) --- reads files
SELECT * FROM read_parquet('{file}') --- reads a file
SELECT * FROM read_parquet('{root}/*/*.parquet') --- reads files
SELECT * FROM read_parquet('https://example.org/x.parquet') --- opens a connection
SELECT * FROM read_parquet('s3://bucket/x.parquet') --- opens a connection
SELECT * FROM parquet_scan('{file}') --- reads a file
SELECT * FROM parquet_metadata('{file}') --- statistics of all rows
SELECT * FROM parquet_file_metadata('{file}') --- statistics of all rows
SELECT * FROM parquet_full_metadata('{file}') --- statistics of all rows
SELECT * FROM parquet_kv_metadata('{file}') --- statistics of all rows
SELECT * FROM parquet_page_index('{file}') --- statistics of all rows
SELECT * FROM parquet_bloom_probe('{file}', 'metric', 'up') --- tells of values in a file
SELECT * FROM parquet_schema('{file}') --- reads a file
SELECT * FROM read_json('{log}') --- reads a file
SELECT * FROM read_json_auto('{log}') --- reads a file
SELECT * FROM read_json_objects('{log}') --- reads a file
SELECT * FROM read_ndjson('{log}') --- reads a file
SELECT * FROM read_ndjson_objects('{log}') --- reads a file
SELECT * FROM read_text('/etc/passwd') --- reads a file
SELECT * FROM READ_TEXT('/etc/passwd') --- in capitals
SELECT * FROM "read_text"('/etc/passwd') --- in quotes
SELECT * FROM read_text/* x */('/etc/passwd') --- behind a comment
SELECT * FROM main.read_text('/etc/passwd') --- qualified
SELECT * FROM system.main.read_text('/etc/passwd') --- qualified
SELECT * FROM read_blob('/etc/passwd') --- reads a file
SELECT * FROM read_text('/proc/self/environ') --- reads the environment
SELECT * FROM read_duckdb('{root}/x.db') --- reads a file
SELECT * FROM sniff_csv('/etc/passwd') --- reads a file
SELECT * FROM glob('{root}/**') --- lists files
SELECT * FROM glob('/proc/*/environ') --- lists files
SELECT * FROM delta_scan('{root}/samples') --- reads a table
SELECT * FROM iceberg_scan('{root}/samples') --- reads a table
SELECT * FROM sqlite_scan('{root}/x.db', 't') --- reads a file
SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 't') --- opens a connection
SELECT * FROM postgres_query('db', 'SELECT 1') --- opens a connection
SELECT * FROM mysql_query('db', 'SELECT 1') --- opens a connection
SELECT * FROM st_read('{file}') --- reads a file
SELECT * FROM read_xlsx('{file}') --- reads a file
SELECT * FROM arrow_scan(1, 2, 3) --- reads memory at an address
SELECT * FROM pandas_scan(1) --- reads memory at an address
SELECT * FROM python_map_function(1) --- runs a function at an address
SELECT * FROM seq_scan() --- internal
SELECT * FROM samples, LATERAL read_text('/etc/passwd') --- in a join
SELECT * FROM samples JOIN read_csv('/etc/passwd') ON true --- in a join
SELECT (SELECT content FROM read_text('/etc/passwd')) --- as a value
SELECT EXISTS (FROM read_text('/etc/passwd')) --- one bit of a file
SELECT 1 WHERE 'x' IN (SELECT content FROM read_text('/etc/passwd')) --- one bit of a file
SELECT 1 ORDER BY (SELECT content FROM read_text('/etc/passwd')) --- in ORDER BY
SELECT 1 LIMIT (SELECT length(content) FROM read_text('/etc/passwd')) --- in LIMIT
SELECT count(*) FROM samples GROUP BY (SELECT 1 FROM read_text('/etc/passwd')) --- in GROUP BY
SELECT value FROM samples QUALIFY 1 = (SELECT 1 FROM read_text('/etc/passwd')) --- in QUALIFY
SELECT list_transform([1], lambda x: (SELECT content FROM read_text('/etc/passwd'))) --- in a lambda
VALUES ((SELECT content FROM read_text('/etc/passwd'))) --- in VALUES
SELECT * FROM range((SELECT 1 FROM read_text('/etc/passwd'))) --- in an argument
SELECT 1 UNION ALL SELECT 1 FROM read_text('/etc/passwd') --- in a set operation
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT 1 FROM read_text('/etc/passwd'), t) FROM t --- in recursion
FROM (PIVOT (SELECT * FROM read_text('/etc/passwd')) ON size IN (1) USING count(*)) --- in PIVOT
SELECT * FROM samples AT (VERSION => (SELECT 1 FROM read_text('/etc/passwd'))) --- in AT

-- Files, by names.
SELECT * FROM '/etc/passwd' --- a path
SELECT * FROM '{file}' --- a path
SELECT * FROM "{file}" --- a path as an identifier
FROM '{file}' --- a path
TABLE "{file}" --- a path
SELECT * FROM '{root}/**/*.parquet' --- a pattern
SELECT * FROM 'https://example.org/x.parquet' --- an address
SELECT * FROM 's3://bucket/x.parquet' --- an address
SELECT * FROM 'x.csv' --- a path
SELECT * FROM 'x.json' --- a path
SELECT * FROM "x.db" --- a path
SELECT (SELECT count(*) FROM '{file}') --- as a value
SELECT * FROM samples WHERE value IN (SELECT value FROM '{file}') --- in a filter
SELECT 1 UNION ALL SELECT count(*) FROM '{file}' --- in a set operation
SELECT 1 ORDER BY (SELECT count(*) FROM '{file}') --- in ORDER BY
SELECT * FROM samples POSITIONAL JOIN '{file}' --- in a join

-- Names of common table expressions outside their scope.
SELECT * FROM (WITH "{file}" AS (SELECT 1) SELECT 1), "{file}" --- beside it
SELECT * FROM "{file}" WHERE 1 IN (WITH "{file}" AS (SELECT 1) SELECT 1) --- above it
WITH a AS (SELECT * FROM "{file}"), "{file}" AS (SELECT 1) SELECT * FROM a --- before it
WITH "{file}" AS (SELECT * FROM "{file}") SELECT * FROM "{file}" --- within itself
(WITH "{file}" AS (SELECT 1) SELECT value FROM samples) UNION SELECT value FROM "{file}" --- beside it
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a --- before it
WITH RECURSIVE sqlite_master AS (SELECT name, sql FROM sqlite_master UNION ALL SELECT name, sql FROM sqlite_master WHERE false) SELECT * FROM sqlite_master --- a first member does not see itself
WITH RECURSIVE "{loose}" AS (SELECT * FROM "{loose}" UNION ALL SELECT * FROM "{loose}" WHERE false) SELECT * FROM "{loose}" --- likewise
WITH RECURSIVE "{log}" AS (SELECT * FROM "{log}" UNION ALL SELECT * FROM "{log}" WHERE false) SELECT * FROM "{log}" --- likewise
WITH RECURSIVE "{file}" AS (WITH x AS (SELECT value FROM "{file}") SELECT value FROM x UNION ALL SELECT value FROM "{file}" WHERE false) SELECT * FROM "{file}" --- likewise
WITH "{root}/K.parquet" AS (SELECT 1) SELECT * FROM "{root}/k.parquet" --- DuckDB tells the Kelvin sign from a k

-- Other tables of the engine.
SELECT * FROM information_schema.tables --- the catalog
SELECT * FROM information_schema.columns --- the catalog
SELECT * FROM pg_catalog.pg_class --- the catalog
SELECT * FROM pg_catalog.pg_settings --- the settings
SELECT * FROM pg_tables --- the catalog, through the search path
SELECT * FROM sqlite_master --- the catalog, with the paths of files
SELECT * FROM sqlite_temp_master --- the catalog
SELECT * FROM duckdb_views --- the catalog, as a view
SELECT * FROM stored.samples --- below the views
SELECT * FROM stored.series --- below the views
SELECT * FROM "stored"."samples" --- below the views
SELECT * FROM STORED.SAMPLES --- below the views
SELECT * FROM memory.stored.samples --- below the views
SELECT stored.samples.value FROM stored.samples --- below the views
WITH s AS (SELECT * FROM stored.samples) SELECT * FROM s --- below the views
WITH stored AS (SELECT 1) SELECT * FROM stored.samples --- a CTE is no schema
SELECT * FROM main.samples --- qualified
SELECT * FROM memory.main.samples --- qualified
SELECT * FROM memory.samples --- qualified
SELECT * FROM system.information_schema.tables --- the catalog
SELECT * FROM temp.main.x --- another database

-- Functions that read the engine or run SQL.
SELECT * FROM duckdb_settings() --- the settings
SELECT * FROM duckdb_views() --- the catalog, with the paths of files
SELECT * FROM duckdb_secrets() --- credentials
SELECT * FROM duckdb_functions() --- the catalog
SELECT * FROM duckdb_tables() --- the catalog
SELECT * FROM duckdb_columns() --- the catalog
SELECT * FROM duckdb_databases() --- the catalog
SELECT * FROM duckdb_extensions() --- the engine
SELECT * FROM duckdb_variables() --- state
SELECT * FROM duckdb_logs() --- other queries
SELECT * FROM duckdb_logs_parsed('QueryLog') --- other queries
SELECT * FROM duckdb_prepared_statements() --- state
SELECT * FROM duckdb_temporary_files() --- files
SELECT * FROM duckdb_memory() --- the engine
SELECT * FROM duckdb_external_file_cache() --- the paths of files
SELECT * FROM duckdb_table_sample('samples') --- statistics
SELECT * FROM duckdb_keywords() --- the engine
SELECT * FROM duckdb_optimizers() --- the engine
SELECT * FROM which_secret('s3://bucket', 's3') --- credentials
SELECT * FROM pragma_database_size() --- the engine
SELECT * FROM pragma_table_info('samples') --- the catalog
SELECT * FROM pragma_storage_info('samples') --- statistics
SELECT * FROM pragma_show('samples') --- the catalog
SELECT * FROM pragma_version() --- the engine
SELECT * FROM pragma_user_agent() --- the engine
SELECT * FROM pragma_platform() --- the engine
SELECT * FROM query('SELECT 1') --- runs a text
SELECT * FROM query('SELECT * FROM stored.samples') --- runs a text
SELECT * FROM query('SEL' || 'ECT 1') --- runs a text
SELECT * FROM query_table('samples') --- reads a table by a text
SELECT * FROM query_table(['samples', 'stored.samples']) --- reads tables by texts
SELECT * FROM histogram(samples, value) --- reads a table by a name
SELECT * FROM histogram_values('stored.samples', value) --- reads a table by a text
SELECT * FROM summary((SELECT 1)) --- internal
SELECT * FROM json_execute_serialized_sql('{}') --- runs a tree
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM stored.samples')) --- runs a tree
SELECT json_serialize_sql('SELECT 1') --- parses a text
SELECT json_serialize_plan('SELECT * FROM stored.samples') --- plans a text
SELECT json_deserialize_sql('{}') --- makes SQL
SELECT * FROM sql_auto_complete('SEL') --- reads the catalog
SELECT * FROM test_all_types() --- internal
SELECT * FROM test_vector_types(NULL::INTEGER) --- internal
SELECT * FROM enable_logging() --- changes the engine
SELECT * FROM checkpoint() --- writes
SELECT * FROM force_checkpoint() --- writes
SELECT * FROM enable_profiling() --- changes the engine
SELECT * FROM truncate_duckdb_logs() --- changes the engine
SELECT * FROM add_grammar_extension('x') --- changes the engine
SELECT * FROM create_external_resource('x') --- changes the engine
SELECT * FROM IDENTIFIER('samples') --- a name by a text
SELECT getenv('HOME') --- reads the environment
SELECT 'HOME'.getenv() --- as a method
SELECT GETENV('HOME') --- in capitals
SELECT "getenv"('HOME') --- in quotes
SELECT getenv/**/('HOME') --- behind a comment
SELECT coalesce(NULL, getenv('HOME')) --- in an operator
SELECT getvariable('x') --- reads state
SELECT current_setting('threads') --- reads the settings
SELECT Current_Setting('threads') --- in mixed case
SELECT main.current_setting('threads') --- qualified
SELECT system.main.current_setting('threads') --- qualified
SELECT 'threads'.current_setting() --- as a method
SELECT x FROM (SELECT current_setting('home_directory') AS x) --- nested
SELECT value FROM samples WHERE current_setting('threads') = 2 --- in a filter
SELECT list_transform([1], lambda i: current_setting('threads')) --- in a lambda
SELECT [current_setting('threads') FOR i IN [1]] --- in a comprehension
SELECT sum(value) OVER (ORDER BY current_setting('threads')) FROM samples --- in a window
SELECT sum(value) FILTER (WHERE current_setting('threads') = 2) FROM samples --- in a filter of an aggregate
SELECT list(value ORDER BY current_setting('threads')) FROM samples --- in an aggregate's order
SELECT CASE WHEN true THEN current_setting('threads') END --- in CASE
SELECT {'a': current_setting('threads')} --- in a struct
SELECT * REPLACE (current_setting('threads') AS metric) FROM samples --- in REPLACE
SELECT COLUMNS(lambda c: current_setting('threads') = c) FROM samples --- in COLUMNS
SELECT 1 LIMIT current_setting('threads') --- in LIMIT
SELECT * FROM range(current_setting('threads')) --- in an argument
SELECT TRY(current_setting('threads')) --- in TRY
FROM samples SELECT DISTINCT ON (current_setting('threads')) value --- in DISTINCT ON
FROM (PIVOT samples ON metric IN ('up') USING max(current_setting('threads'))) --- in PIVOT
SELECT current_database() --- reads the engine
SELECT current_schemas(true) --- reads the engine
SELECT current_query() --- reads the engine
SELECT current_connection_id() --- reads the engine
SELECT txid_current() --- reads the engine
SELECT in_search_path('memory', 'main') --- reads the catalog
SELECT version() --- reads the engine
SELECT nextval('s') --- has an effect
SELECT currval('s') --- reads state
SELECT setseed(0.5) --- has an effect
SELECT write_log('x') --- has an effect
SELECT parse_duckdb_log_message('QueryLog', 'x') --- internal
SELECT pg_sleep(60) --- waits
SELECT sleep_ms(60000) --- waits
SELECT pg_read_file('/etc/passwd') --- reads a file
SELECT pg_get_viewdef(1) --- reads the catalog
SELECT pg_postmaster_start_time() --- reads the engine
SELECT has_table_privilege('samples', 'select') --- reads the catalog
SELECT inet_server_addr() --- reads the engine
SELECT stats(metric) FROM samples --- statistics of all rows
SELECT stats(cluster) OVER () FROM samples --- statistics, as a window
SELECT vector_type(metric) FROM samples --- how values are held
SELECT __internal_compress_string_utinyint('x') --- internal
SELECT __internal_barrier(true) --- internal
SELECT create_sort_key('x', 'ASC') --- internal
SELECT load_aws_credentials() --- reads credentials
SELECT http_get('http://127.0.0.1/') --- opens a connection
SELECT shellfs('id') --- runs a command
SELECT no_such_function(1) --- what is not known is refused

-- Python variables of the process.
SELECT * FROM connection --- a variable
SELECT * FROM sql --- a variable
SELECT * FROM rows --- a variable
SELECT * FROM secret_rows --- a variable
SELECT * FROM limits --- a variable
SELECT * FROM paths --- a variable

-- Tricks of writing.
SELECT * FROM "sam""ples" --- a quote in a name
SELECT * FROM "samples " --- a blank in a name
SELECT * FROM "samples\0" --- a name that only begins like a view
SELECT * FROM ѕamples --- a letter of another alphabet
SELECT * FROM "ＳＡＭＰＬＥＳ" --- wide letters
SELECT ｇetenv('HOME') --- a wide letter
SELECT * FROM $$/etc/passwd$$ --- dollar quotes
SELECT * FROM E'/etc/pass\x77d' --- an escape
SELECT * FROM '/etc/' || 'passwd' --- a name that is computed
EXPLAIN (ANALYZE, FORMAT html) SELECT 1 --- shows the plan
