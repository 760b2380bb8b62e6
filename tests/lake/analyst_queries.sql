-- What analysts write, one a line: all of it passes the guard and runs. Text after `---` is a remark.

-- Plain.
SELECT count(*) FROM samples
select COUNT(*) from SAMPLES
SELECT count(*) FROM "samples"
SELECT 1;
/* why */ SELECT 1 -- so
FROM samples
FROM samples SELECT value LIMIT 1
FROM metrics SELECT cluster, avg(value) WHERE metric = 'up' GROUP BY ALL
TABLE samples
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1), (2)) AS t(x)
SELECT DISTINCT ON (metric) metric, value FROM samples ORDER BY metric, time DESC
SELECT metric, count(*) FROM metrics GROUP BY ALL ORDER BY ALL LIMIT 10
SELECT value FROM samples ORDER BY value DESC NULLS LAST LIMIT 10 OFFSET 2
SELECT value FROM samples LIMIT 50%
SELECT * FROM samples USING SAMPLE 10 ROWS
SELECT * FROM samples TABLESAMPLE reservoir(20%)
SELECT * FROM samples TABLESAMPLE bernoulli(50%) REPEATABLE (42)
SELECT 1 AS x, x + 1 AS y WHERE x = 1
SELECT #1 FROM samples
SELECT current_user, current_date, current_timestamp, localtimestamp --- constants, and the clock

-- Columns.
SELECT * EXCLUDE (value) FROM samples
SELECT * REPLACE (round(value, 1) AS value) FROM samples
SELECT * RENAME (value AS v) FROM samples
SELECT COLUMNS('c.*') FROM samples
SELECT COLUMNS(lambda c: c LIKE 'c%') FROM samples
SELECT min(COLUMNS(*)), max(COLUMNS(*)) FROM samples
SELECT * LIKE 'c%' FROM samples
SELECT samples FROM samples --- a row as a struct
SELECT s.* FROM samples AS s(a, b, c)

-- Joins.
SELECT * FROM samples JOIN series USING (cluster, metric, series_id)
SELECT a.value FROM samples a LEFT JOIN samples b ON a.time = b.time AND a.value < b.value
SELECT s.value, e.reason FROM samples s, events e WHERE s.cluster = e.cluster
SELECT * FROM samples ASOF JOIN events USING (cluster, time)
SELECT s.time, e.reason FROM samples s ASOF LEFT JOIN events e ON s.cluster = e.cluster AND s.time >= e.time
SELECT * FROM samples POSITIONAL JOIN events
SELECT * FROM samples s FULL OUTER JOIN anomalies a ON s.series_id = a.series_id
SELECT * FROM series SEMI JOIN anomalies USING (series_id)
SELECT * FROM series ANTI JOIN anomalies USING (series_id)
SELECT * FROM samples NATURAL JOIN series
SELECT * FROM range(3) t(i), LATERAL (SELECT i * 2)
SELECT * FROM samples s CROSS JOIN (SELECT max(value) AS top FROM samples) WHERE value > top / 2

-- Set operations.
SELECT value FROM samples UNION ALL SELECT score FROM anomalies
SELECT value FROM samples EXCEPT SELECT score FROM anomalies
SELECT value FROM samples INTERSECT ALL SELECT score FROM anomalies
SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b
(SELECT value FROM samples ORDER BY value LIMIT 1) UNION ALL (SELECT value FROM samples ORDER BY value DESC LIMIT 1)

-- Common table expressions.
WITH t AS (SELECT value FROM samples) SELECT avg(value) FROM t
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM a, b
WITH T AS (SELECT 1 AS x) SELECT * FROM t
WITH t(a) AS MATERIALIZED (SELECT value FROM samples) SELECT * FROM t x JOIN t y USING (a)
WITH t AS NOT MATERIALIZED (SELECT value FROM samples) SELECT * FROM t
WITH t AS (SELECT 1 AS x) SELECT * FROM samples WHERE value IN (SELECT x FROM t)
WITH t AS (WITH u AS (SELECT 1 AS x) SELECT * FROM u) SELECT * FROM t
WITH t AS (SELECT 1 AS x) SELECT x FROM t UNION ALL SELECT x + 1 FROM t
WITH samples AS (SELECT 1 AS x) SELECT x FROM samples
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t
WITH RECURSIVE samples AS (SELECT value FROM samples UNION ALL SELECT value + 1 FROM samples WHERE value < 5) SELECT * FROM samples
WITH RECURSIVE t(k, v) USING KEY (k) AS (SELECT 1, 1 UNION SELECT k, v + 1 FROM t WHERE v < 5) SELECT * FROM t

-- Windows.
SELECT value, lag(value) OVER (PARTITION BY series_id ORDER BY time) FROM samples
SELECT value - lag(value, 1, 0.0) OVER w AS rise FROM samples WINDOW w AS (PARTITION BY series_id ORDER BY time)
SELECT avg(value) OVER (PARTITION BY series_id ORDER BY time RANGE BETWEEN INTERVAL 5 MINUTE PRECEDING AND CURRENT ROW) FROM samples
SELECT last_value(value IGNORE NULLS) OVER (ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM samples
SELECT quantile_cont(value, 0.9) OVER (ORDER BY time ROWS 10 PRECEDING EXCLUDE CURRENT ROW) FROM samples
SELECT ntile(4) OVER (ORDER BY value), percent_rank() OVER (ORDER BY value), dense_rank() OVER (ORDER BY value) FROM samples
SELECT * FROM samples QUALIFY row_number() OVER (PARTITION BY series_id ORDER BY time) = 1
SELECT sum(DISTINCT value) FILTER (WHERE value > 0) OVER () FROM samples

-- Groups.
SELECT date, sum(value) FROM samples GROUP BY ROLLUP (date)
SELECT cluster, metric, count(*), grouping(cluster) FROM samples GROUP BY CUBE (cluster, metric)
SELECT cluster, metric, count(*) FROM samples GROUP BY GROUPING SETS ((cluster), (metric), ())
SELECT metric, count(*) AS n FROM samples GROUP BY metric HAVING n > 1
SELECT sum(value) FILTER (WHERE cluster = 'eu') FROM samples
SELECT quantile_cont(value, [0.5, 0.9]), approx_quantile(value, 0.5), median(value), mad(value) FROM metrics
SELECT arg_max(value, time), arg_max(value, time, 3), regr_slope(value, epoch(time)), corr(value, epoch(time)) FROM samples
SELECT histogram(value), approx_count_distinct(series_id), entropy(metric), kurtosis(value) FROM samples
SELECT list(value ORDER BY time), string_agg(metric, ',' ORDER BY metric), first(value ORDER BY time) FROM samples
SELECT max(value, 2), min_by(metric, value), count_if(value > 1), bool_or(value > 1), any_value(metric) FROM samples

-- PIVOT and UNPIVOT.
PIVOT samples ON metric IN ('up', 'down') USING sum(value) GROUP BY date
SELECT * FROM (PIVOT samples ON metric IN ('up') USING sum(value))
FROM samples PIVOT (avg(value) FOR metric IN ('up') GROUP BY cluster)
FROM (UNPIVOT (SELECT min(value) AS least, max(value) AS most FROM samples) ON least, most INTO NAME what VALUE v)
UNPIVOT (SELECT 1 AS a, 2 AS b) ON COLUMNS(*)

-- Subqueries.
SELECT * FROM samples WHERE value > (SELECT avg(value) FROM samples)
SELECT * FROM series r WHERE EXISTS (SELECT 1 FROM samples s WHERE s.series_id = r.series_id)
SELECT * FROM samples WHERE value >= ALL (SELECT value FROM samples)
SELECT * FROM samples WHERE (cluster, metric) IN (SELECT (cluster, metric) FROM series)
SELECT ARRAY(SELECT value FROM samples ORDER BY value)
SELECT metric, (SELECT count(*) FROM samples i WHERE i.value < o.value) AS below FROM samples o

-- Lists, structs, maps.
SELECT unnest([1, 2, 3])
SELECT * FROM unnest([1, 2]) AS t(x)
SELECT unnest([{'a': 1, 'b': {'c': 2}}], recursive := true)
SELECT list_transform([1, 2], lambda x: x + 1), list_filter([1, 2], lambda x: x > 1), list_reduce([1, 2], lambda a, b: a + b)
SELECT list_transform([3, 1], lambda x, i: x * i)
SELECT [x * 2 FOR x IN [1, 2] IF x > 1]
SELECT [1, 2, 3][2:], [1, 2][-1], list_sort([2, 1], 'DESC'), len([1]), [1] || [2], list_sum([1, 2])
SELECT labels['job'], map_keys(labels), map_entries(labels), cardinality(labels) FROM series
SELECT {'a': 1, 'b': {'c': 2}}.b.c, struct_pack(a := 1), row(1, 2)
SELECT (MAP {'a': 1})['a'], map_from_entries([('a', 1)])
SELECT [1, 2]::INTEGER[2], array_distance([1.0, 2.0]::FLOAT[2], [2.0, 3.0]::FLOAT[2])
SELECT generate_subscripts([1, 2], 1), greatest(1, 2), least(1, 2)

-- Text, JSON, patterns.
SELECT regexp_extract(message, 'pod (.*)', 1), regexp_matches(message, '(?i)oom'), message SIMILAR TO '.*' FROM events
SELECT message ILIKE '%kill%', starts_with(message, 'x'), split_part(message, ' ', 1), message GLOB '*' FROM events
SELECT upper(metric), metric.upper().lower(), metric[1:2], concat_ws('/', cluster, metric), metric || '!' FROM samples
SELECT format('{} {:.2f}', metric, value), printf('%s', metric), lpad(metric, 10, ' ') FROM samples
SELECT json_extract('{"a": [1]}', '$.a[0]'), '{"a": 1}'::JSON ->> 'a', ('{"a": 1}'::JSON) -> '$.a', to_json(labels) FROM series
SELECT * FROM json_each('{"a": 1, "b": 2}')
SELECT levenshtein('a', 'b'), jaro_winkler_similarity('abc', 'abd'), md5('x'), hash(1), bar(1, 0, 2)
SELECT position('a' IN 'ba'), trim(BOTH 'x' FROM 'xax'), substring('abc' FROM 2 FOR 1), overlay('abc' PLACING 'x' FROM 1)
SELECT 'a' COLLATE NOCASE = 'A', metric FROM samples ORDER BY metric COLLATE de
SELECT $$dollar quotes$$, E'tab\t', 'it''s', 1_000, 0x1F, 1e3, x'00'::BLOB

-- Time.
SELECT time_bucket(INTERVAL '5 minutes', time) AS t, avg(value) FROM samples GROUP BY t
SELECT date_trunc('hour', time) AS hour, count(*) FROM samples GROUP BY hour ORDER BY hour
SELECT strftime(time, '%H'), now() - time, extract(dow FROM time), time::DATE, epoch_ms(time) FROM samples
SELECT time AT TIME ZONE 'Europe/Berlin', date_diff('second', time, now()), age(now(), time) FROM samples
SELECT * FROM samples WHERE time BETWEEN TIMESTAMPTZ '2026-03-01 00:00:00+00' AND now() AND date = DATE '2026-03-01'
SELECT strptime('2026-03-01', '%Y-%m-%d'), make_date(2026, 3, 1), last_day(DATE '2026-03-01'), to_days(1) + INTERVAL 1 HOUR
SELECT g.t, s.value FROM generate_series(TIMESTAMPTZ '2026-03-01 12:00:00+00', TIMESTAMPTZ '2026-03-01 12:00:05+00', INTERVAL 1 SECOND) g(t) LEFT JOIN samples s ON s.time = g.t

-- Expressions.
SELECT CAST(value AS INTEGER), value::VARCHAR, TRY_CAST('x' AS DOUBLE), TRY(1 // 0) FROM samples
SELECT CASE WHEN value > 1 THEN 'high' ELSE 'low' END, if(value > 1, 1, 0), coalesce(NULL, 1), nullif(1, 1) FROM samples
SELECT value BETWEEN 1 AND 2, value IS DISTINCT FROM 1, value IN (1, 2), NOT value > 1, isnan(value) FROM samples
SELECT 2 ** 3, 7 // 2, 7 % 2, -value, 5!, 1 << 2, 6 & 3, xor(1, 2), @ -1, sqrt(4), log10(100) FROM samples
SELECT round(value, 2), floor(value), sign(value), pi(), random() BETWEEN 0 AND 1, uuid() IS NOT NULL FROM samples
SELECT 'a'::ENUM ('a', 'b'), 1::DECIMAL(9, 2), [1]::INTEGER[], {'a': 1}::STRUCT(a BIGINT), typeof(1), NULL::UUID

-- Our own macros.
SELECT metric, increase(value, time), rate(value, time) FROM samples GROUP BY metric
SELECT label(labels, 'job') FROM series

-- Other tables.
SELECT count(*) FROM metrics JOIN events USING (cluster)
SELECT source, reason, count(*), attributes['x'] FROM events GROUP BY ALL
SELECT cluster, metric, score, actual / expected AS ratio FROM anomalies WHERE state = 'final' ORDER BY score DESC
SELECT kind, count(DISTINCT uid) FROM objects GROUP BY kind
SELECT cluster, sum("sum") / sum("count") FROM samples_1h GROUP BY cluster
SELECT max("max") FROM samples_5m WHERE metric = 'up'
