"""Which series have siblings: the two queries that `members` asks."""

# What a family depends on: metric, declared kind, and the labels that families ask for.
KEY = """
metric || chr(1) || coalesce(kind, '') || chr(1)
    || array_to_string(list_transform($names, lambda name: coalesce(labels[name], '')), chr(1))
"""

CHOSEN = """
last_seen >= $since AND workload IS NOT NULL
  AND ($workloads IS NULL OR list_contains($workloads, regexp_replace(workload, $cut, '')))
  AND regexp_full_match(metric, $include) AND NOT regexp_full_match(metric, $exclude)
  AND NOT list_contains($but_not, cluster)
"""

KEYS = f"SELECT DISTINCT {KEY} AS key FROM series WHERE {CHOSEN}"  # noqa: S608 - constants of ours

MEMBERS = rf"""
WITH keyed AS (
    SELECT *, {KEY} AS key FROM series WHERE {CHOSEN}
), scored AS (
    SELECT unnest($keys) AS key, unnest($counters) AS counter
), chosen AS (
    SELECT series_id, cluster, metric, counter, key, first_seen,
           regexp_replace(namespace, $cut, '') AS namespace,
           regexp_replace(workload, $cut, '') AS workload,
           -- cAdvisor's `name`, beside `id`, is one container's.
           list_transform(list_filter(map_entries(labels),
               lambda label: NOT regexp_full_match(label.key, $places)
                   AND NOT (label.key = 'name' AND map_contains(labels, 'id'))),
               lambda label: label.key || chr(1) || CASE WHEN label.key = '__name__'
                   THEN label.value ELSE regexp_replace(label.value, $cut, '') END) AS what
    FROM keyed JOIN scored USING (key)
), numbered AS (
    SELECT *, dense_rank() OVER (ORDER BY metric, counter, namespace, workload, what) AS "group"
    FROM chosen
), shared AS (
    SELECT "group" FROM numbered GROUP BY "group" HAVING count(DISTINCT cluster) > $siblings
)
SELECT * FROM numbered SEMI JOIN shared USING ("group") ORDER BY "group", cluster, series_id
"""  # noqa: S608 - constants of ours
