"""The caller's clusters only: what a restricted connection can see, below any SQL.

A restricted table is a *secure* view (DuckDB 2) with a filter on `cluster`. An ordinary view is no
border: its filter is merged with the query's own, and an expression of the query that fails, or
that tells of statistics, may then be computed over rows that the view leaves out. Into a secure
view go only filters whose evaluation cannot be observed, such as `metric = 'up'`, so that files are
still pruned; any other is computed over the rows that come out.
(https://github.com/duckdb/duckdb/pull/24842, https://github.com/duckdb/duckdb/pull/25462)

What it costs: a join does not prune what it joins, since its keys do not reach into the view.
"""

from collections.abc import Collection, Sequence

from lake.files import TableFile
from lake.table_spec import TableSpec
from lake.views import quote, stored_rows


def may_hold(file: TableFile, clusters: Collection[str]) -> bool:
    """Whether a file can hold rows of the clusters, by the log's statistics.

    Writers may cut a long greatest value short, so it stands for all that begin with it.
    """
    if file.clusters is None:
        return bool(clusters)
    least, greatest = file.clusters
    return any(
        least <= cluster and (cluster <= greatest or cluster.startswith(greatest))
        for cluster in clusters
    )


def confined_view(spec: TableSpec, paths: Sequence[str], clusters: Collection[str]) -> str:
    """The view `stored.<table>` over files of a version, with rows of the clusters alone.

    >>> from lake.schema import SAMPLES
    >>> confined_view(SAMPLES, ["a.parquet"], ["it's"]).partition(" WHERE ")[2]
    "cluster IN ('it''s')"
    """
    # A table without the column is of no cluster in particular: nothing of it is shown.
    known = clusters if "cluster" in spec.schema.names else ()
    return confined(spec.name, stored_rows(spec, paths), known)


def confined(name: str, rows: str, clusters: Collection[str]) -> str:
    """The view `stored.<name>` over a query with a column `cluster`, with these clusters alone."""
    rule = f"cluster IN ({', '.join(map(quote, sorted(clusters)))})" if clusters else "false"
    return f"CREATE SECURE VIEW stored.{name} AS SELECT * FROM ({rows}) WHERE {rule}"
