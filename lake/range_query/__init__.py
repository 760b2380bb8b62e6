"""Range queries: some series over some time, as panels of dashboards ask, without an engine.

An engine binds, plans and starts for milliseconds before it reads the one row group that is wanted;
and one that may see some clusters only is made for the query alone. So SELECTs of a plain kind
(`parser.py`) are answered here: from footers and columns that stay in memory (`pool.py`,
`footers.py`, `row_groups.py`), by bisection. The answer is that of DuckDB, which gets all others.
"""

from collections.abc import Collection

import pyarrow as pa

from lake.clock import Clock, utc_now
from lake.errors import LakeError
from lake.range_query.answering import answer
from lake.range_query.parser import asked
from lake.range_query.pool import Pool, shared
from lake.range_query.question import UnsuitedError
from lake.snapshot import Snapshot

__all__ = ["Pool", "answered", "shared"]


def answered(
    snapshot: Snapshot,
    sql: str,
    clusters: Collection[str] | None = None,
    *,
    pool: Pool = shared,
    now: Clock = utc_now,
) -> pa.Table | None:
    """The rows of a query; None where an engine has to answer it, or to say what is wrong.

    Args:
        snapshot: what is read.
        sql: one statement, of anybody.
        clusters: whose rows may be seen; None = all.
        pool: keeps what is read.
        now: the time that `now()` is.
    """
    if snapshot.store.reader != "file" or not pool.most:
        return None
    question = asked(sql, now)
    if question is None:
        return None
    try:
        return answer(question, snapshot, clusters, pool)
    except (UnsuitedError, LakeError, OSError, pa.ArrowException):
        return None
