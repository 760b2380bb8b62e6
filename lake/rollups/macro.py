"""The table macro `buckets(step)`: one question, answered from the cheapest resolution.

Hours come from `samples_1h`, five minutes from `samples_5m`, multiples of either from either, any
other step from samples. Where the rollups are stale, from samples too, so that the answer is that
of the samples at the snapshot's version. `step` is a constant in practice, so that DuckDB drops the
branches that are not for it before anything is read.
"""

from collections.abc import Collection, Mapping, Sequence

from lake.clusters import confined
from lake.rollups.aggregate import HOUR, LOOKBACK, SLOT
from lake.rollups.plan import before
from lake.rollups.progress import EVER
from lake.rollups.rows import moment, within
from lake.rollups.spans import ALL_TIME, Spans
from lake.rollups.stale import STALE, WRITTEN, Stale
from lake.schema import SAMPLES_1H, SAMPLES_5M
from lake.views import quote

NAME = "buckets"

READS = ("samples", "samples_5m", "samples_1h")
"""The tables that it reads."""

REACH = (LOOKBACK + 1) * SLOT
"""Microseconds before a bucket whose samples and slots its `increase` depends on."""

ROWS = "cluster, metric, series_id, time"
VALUES = 'min, max, sum, "count", last, increase'

HOURLY = f"epoch_us(CAST(step AS INTERVAL)) % {HOUR} = 0"
FIVE_MINUTELY = f"epoch_us(CAST(step AS INTERVAL)) % {SLOT} = 0"
ONE_HOUR = "CAST(step AS INTERVAL) = INTERVAL 1 HOUR"
ONE_SLOT = "CAST(step AS INTERVAL) = INTERVAL 5 MINUTE"

NUMBER = "(isfinite(value) OR isinf(value))"
"""Not `NOT isnan(value)`: from a Parquet file's minimum and maximum, which leave NaN out, DuckDB
2.0 concludes that there is none."""

RISE = f"""
CASE WHEN time_bucket(INTERVAL 5 MINUTE, time)
          <= time_bucket(INTERVAL 5 MINUTE, lag(time) OVER one_series)
             + INTERVAL {LOOKBACK * SLOT // 60_000_000} MINUTE
     THEN CASE WHEN value > lag(value) OVER one_series THEN value - lag(value) OVER one_series
               WHEN value = lag(value) OVER one_series THEN 0 ELSE value END
     ELSE 0 END
"""


def written_view(name: str, paths: Sequence[str], clusters: Collection[str] | None) -> str:
    """A view of samples with `written`, by which what was written later is greater.

    Args:
        name: of the view, in schema `stored`.
        paths: files in the order in which they were written.
        clusters: whose rows it has; None = all.
    """
    columns = f"{ROWS}, value, (CAST(file_index AS BIGINT) << 40) + file_row_number AS written"
    listed = ", ".join(map(quote, paths))
    rows = f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)"
    if not paths:
        rows = (
            "SELECT '' AS cluster, '' AS metric, 0::BIGINT AS series_id, "
            "TIMESTAMPTZ '1970-01-01' AS time, 0::DOUBLE AS value, 0::BIGINT AS written WHERE false"
        )
    if clusters is None:
        return f"CREATE OR REPLACE VIEW stored.{name} AS {rows}"
    return confined(name, rows, clusters)


def buckets_statements(
    stale: Stale, paths: Mapping[str, Sequence[str]], clusters: Collection[str] | None
) -> list[str]:
    """What makes the macro and its views, over the stored tables; run again, it replaces them.

    Args:
        stale: of the snapshot, and the query.
        paths: with `Stale.paths`.
        clusters: whose rows it reads; None = all.
    """
    views = [
        written_view(name, paths.get(name, ()), clusters)
        for name in sorted(tables_of(stale) & {WRITTEN, STALE})
    ]
    return [*views, buckets_macro(stale)]


def tables_of(stale: Stale) -> frozenset[str]:
    """What the macro reads in schema `stored`, with the steps that the query asks for."""
    parts = _parts(stale)
    return frozenset(name for part in parts.values() for name in KNOWN if f"stored.{name} " in part)


KNOWN = (SAMPLES_1H.name, SAMPLES_5M.name, WRITTEN, STALE)


def buckets_macro(stale: Stale) -> str:
    """The statement that makes the macro.

    It reads `stored.samples_1h`, `stored.samples_5m`, `stored.samples_written` and, of the stale
    times, `stored.samples_stale` (see `written_view`): of these, what the steps need.
    """
    parts = _parts(stale)
    whole = [parts[name] for name in ("hours", "slots") if name in parts]
    coarser = [part for name, part in parts.items() if name not in {"hours", "slots"}]
    if coarser:
        whole.append(f"""
SELECT cluster, metric, series_id, time_bucket(CAST(step AS INTERVAL), part.time) AS time,
       min(min) AS min, max(max) AS max, sum(sum) AS sum,
       CAST(sum("count") AS BIGINT) AS "count", arg_max(last, part.time) AS last,
       sum(increase) AS increase
FROM ({" UNION ALL ".join(coarser)}) part
GROUP BY cluster, metric, series_id, time_bucket(CAST(step AS INTERVAL), part.time)""")
    return f"""
CREATE OR REPLACE MACRO {NAME}(step) AS TABLE
SELECT {ROWS}, min, max, sum, "count", sum / "count" AS avg, last, increase FROM (
{" UNION ALL ".join(whole)})
"""


def _parts(stale: Stale) -> dict[str, str]:
    """The queries that buckets are made of, by what they read; those alone that some step needs."""
    stale_slots, stale_hours = _stale(stale.slots, stale), _stale(stale.hours, stale)
    parts = {
        "hours": f"SELECT {ROWS}, {VALUES} FROM stored.samples_1h "
        f"WHERE {ONE_HOUR} AND NOT {stale_hours}",
        "slots": f"SELECT {ROWS}, {VALUES} FROM stored.samples_5m "
        f"WHERE {ONE_SLOT} AND NOT {stale_slots}",
        "of hours": f"SELECT {ROWS}, {VALUES} FROM stored.samples_1h "
        f"WHERE {HOURLY} AND NOT ({ONE_HOUR}) AND NOT {stale_hours}",
        "of slots": f"SELECT {ROWS}, {VALUES} FROM stored.samples_5m "
        f"WHERE {FIVE_MINUTELY} AND NOT ({ONE_SLOT}) AND NOT {stale_slots} "
        f"AND (NOT ({HOURLY}) OR {stale_hours})",
        "of samples": _from_samples(_counted(WRITTEN, _needed(stale)), f"NOT ({FIVE_MINUTELY})"),
    }
    if stale.slots:
        parts["of stale"] = _from_samples(_stale_samples(stale), f"own AND {FIVE_MINUTELY}")
    if stale.steps is None:
        return parts
    needed = {name for step in stale.steps for name in _needed_for(step, stale)}
    return {name: part for name, part in parts.items() if name in needed}


def _needed_for(step: int, stale: Stale) -> set[str]:
    """The parts whose conditions on the step hold; DuckDB would find out only as it plans."""
    if step % SLOT:
        return {"of samples"}
    hourly = step % HOUR == 0
    found = {"of stale"}
    if hourly:
        found.add("hours" if step == HOUR else "of hours")
    if step == SLOT:
        found.add("slots")
    elif not hourly or stale.hours:
        found.add("of slots")
    return found


def _from_samples(samples: str, where: str) -> str:
    """Each sample as a bucket of its own."""
    return (
        f'SELECT {ROWS}, value AS min, value AS max, value AS sum, 1 AS "count", value AS last, '
        f"increase FROM (SELECT *, {RISE} AS increase FROM ({samples}) "
        f"WINDOW one_series AS (PARTITION BY cluster, metric, series_id ORDER BY time)) "
        f"WHERE {where}"
    )


def _counted(view: str, where: str) -> str:
    """Samples without those that another of the same time replaces, and then without NaN."""
    return (
        f"SELECT {ROWS}, value, true AS own FROM ("
        f"SELECT {ROWS}, value FROM stored.{view} WHERE {where} QUALIFY lead(time) OVER "
        f"(PARTITION BY cluster, metric, series_id ORDER BY time, written) IS DISTINCT FROM time"
        f") WHERE {NUMBER}"
    )


def _needed(stale: Stale) -> str:
    """Said before the windows, through which the query's own bounds do not pass."""
    return "true" if stale.between == ALL_TIME[0] else within("time", (stale.between,))


def _stale_samples(stale: Stale) -> str:
    """Samples of stale slots, and the last ones before, from the buckets that hold them."""
    floor = _floor(stale)
    kept = "true" if floor is None else f"time >= {floor}"
    own = _counted(STALE, f"{within('time', stale.slots)} AND {kept} AND {_needed(stale)}")
    lead = within("time", before(stale.slots))
    if floor is not None:
        lead = f"({lead} OR ({within('time', stale.slots)} AND time < {floor}))"
    return f"{own} UNION ALL SELECT {ROWS}, last, false FROM stored.samples_5m WHERE {lead}"


def _stale(spans: Spans, stale: Stale) -> str:
    floor = _floor(stale)
    inside = within("time", spans)
    return inside if floor is None or not spans else f"({inside} AND time >= {floor})"


def _floor(stale: Stale) -> str | None:
    """SQL for the time before which the row's cluster is right in the rollups; None = no matter."""
    floors = [stale.floor, *stale.floors.values()]
    if not stale.hours or max(floors) <= stale.hours[0][0]:
        return None
    of_others = _moment(stale.floor)
    if not stale.floors:
        return of_others
    cases = " ".join(
        f"WHEN {quote(cluster)} THEN {_moment(at)}" for cluster, at in stale.floors.items()
    )
    return f"CASE cluster {cases} ELSE {of_others} END"


def _moment(micros: int) -> str:
    return "TIMESTAMPTZ '-infinity'" if micros == EVER else moment(micros)
