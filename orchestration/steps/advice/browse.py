"""Reading advice: a listing in order of what it is worth, and one by its id."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from lake import Lake
from orchestration.errors import NotFoundError
from orchestration.steps import paging
from orchestration.steps.advice.rows import Row, parsed

State = Literal["open", "accepted", "dismissed", "applied", "withdrawn"]

Order = Literal["saving", "risk"]

BYTES_A_CORE, GPU_CORES = 8 * 1024.0**3, 20.0
"""About what clouds charge for a core they charge for 8 GiB, and for a GPU 20 times."""

WORTH = (
    f"coalesce(saving_cpu_cores, 0) + coalesce(saving_memory_bytes, 0) / {BYTES_A_CORE} "
    f"+ {GPU_CORES} * coalesce(saving_gpus, 0)"
)
"""In cores."""

ORDERS: dict[Order, str] = {
    "saving": WORTH,
    "risk": "coalesce(current_risk, 0) - coalesce(risk, 0)",
}
"""What comes first: the most worth, or what takes most risk away."""

LISTING = """
WITH found AS (
    SELECT * EXCLUDE (date), CAST({order} AS DOUBLE) AS figure FROM advice
    WHERE ($clusters IS NULL OR list_contains($clusters, cluster))
      AND ($kinds IS NULL OR list_contains($kinds, kind))
      AND ($namespace IS NULL OR namespace = $namespace)
      AND ($workload IS NULL OR workload = $workload)
      AND ($states IS NULL OR list_contains($states, state))
      AND ($abstained OR NOT abstained)
)
SELECT * FROM found
WHERE $after_figure IS NULL OR figure < $after_figure
   OR (figure = $after_figure AND advice_id > $after_id)
ORDER BY figure DESC, advice_id LIMIT $rows
"""

ONE = """
SELECT * EXCLUDE (date) FROM advice
WHERE starts_with(advice_id, $id) AND ($clusters IS NULL OR list_contains($clusters, cluster))
LIMIT 2
"""

LEAST_ID = 6
"""Characters of an id that name it, where no other begins with them."""


TOTALS = """
SELECT cluster, kind, count(*) AS "count", sum(saving_cpu_cores) AS saving_cpu_cores,
       sum(saving_memory_bytes) AS saving_memory_bytes
FROM advice WHERE NOT abstained AND state IN ('open', 'accepted')
GROUP BY cluster, kind ORDER BY cluster, kind
"""


@dataclass(frozen=True, slots=True)
class Total:
    """What is advised in a cluster, of one kind; None = it saves none of that."""

    cluster: str
    kind: str
    count: int
    saving_cpu_cores: float | None
    saving_memory_bytes: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listing is narrowed to; empty or None = everything.

    Attributes:
        clusters: only these.
        kinds: only these.
        namespace: only this.
        workload: only this.
        states: open, accepted, dismissed, applied, withdrawn.
        abstained: also that which nothing can be proposed for.
        order: what comes first.
        visible: clusters that the reader may see at all, None = all.
    """

    clusters: Sequence[str] = ()
    kinds: Sequence[str] = ()
    namespace: str | None = None
    workload: str | None = None
    states: Sequence[State] = ("open", "accepted")
    abstained: bool = False
    order: Order = "saving"
    visible: Collection[str] | None = None


def listing(lake: Lake, wanted: Wanted, limit: int = 100, cursor: str | None = None) -> paging.Page:
    """Advice, that which is worth most first.

    Raises:
        FilterError: the cursor is not from this listing, or the limit is out of range.
    """
    asked: Collection[str] | None = wanted.clusters or None
    if wanted.visible is not None:
        seen = wanted.visible
        asked = seen if asked is None else [one for one in asked if one in seen]
    params = {
        "clusters": None if asked is None else sorted(asked),
        "kinds": sorted(wanted.kinds) or None,
        "namespace": wanted.namespace,
        "workload": wanted.workload,
        "states": sorted(wanted.states) or None,
        "abstained": wanted.abstained,
        **paging.after_figure(cursor),
        "rows": paging.size(limit) + 1,
    }
    sql = LISTING.format(order=ORDERS[wanted.order])
    page = paging.page(lake, sql, params, None, limit, ("figure", "advice_id"))
    for row in page.rows:
        del row["figure"]
    return paging.Page([parsed(row) for row in page.rows], page.next_cursor, page.versions)


def totals(lake: Lake) -> Sequence[Total]:
    """What is advised, by cluster and kind."""
    return [Total(**row) for row in lake.sql(TOTALS).to_pylist()]


def one_advice(lake: Lake, advice_id: str, visible: Collection[str] | None = None) -> Row:
    """One advice by its id or the beginning of it.

    Raises:
        NotFoundError: there is none, several begin so, or the reader may not see its cluster.
    """
    found = []
    if len(advice_id) >= LEAST_ID:
        params = {"id": advice_id, "clusters": None if visible is None else sorted(visible)}
        found = paging.rows(lake.sql(ONE, params))
    if len(found) != 1:
        several = "several pieces of advice begin" if found else "no advice begins"
        raise NotFoundError(f"{several} with the id {advice_id!r}: list them for whole ids")
    return parsed(found[0])
