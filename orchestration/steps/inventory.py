"""What the lake holds of a day: rows a cluster, age of the newest, minutes without any."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lake import Lake, TimeRange
from lake.query import run
from lake.timerange import DAY, EPOCH, MICROSECOND, to_micros

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Holding:
    """One cluster's share of a day in one table; `newest` is a time of data, not of arrival."""

    cluster: str
    rows: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without one sample of a cluster, `[start, end)`, in whole minutes."""

    cluster: str
    start: datetime
    end: datetime


HOLDINGS = {
    table: f"""
SELECT cluster, count(*) AS rows, epoch_us(max(time)) AS newest
FROM {table} WHERE date = $day GROUP BY cluster ORDER BY cluster
"""  # noqa: S608 - the two names are ours
    for table in ("samples", "events")
}


def holdings(lake: Lake, table: str, day: date) -> list[Holding]:
    """Rows of `samples` or `events` per cluster of a UTC day."""
    between = TimeRange.of_day(day)
    rows = lake.sql(HOLDINGS[table], {"day": day}, between=between).to_pylist()
    return [
        Holding(row["cluster"], row["rows"], EPOCH + timedelta(microseconds=row["newest"]))
        for row in rows
    ]


MINUTES = """
SELECT cluster, list(DISTINCT epoch_us(time) // 60000000 ORDER BY epoch_us(time) // 60000000) AS at
FROM samples WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
GROUP BY cluster
"""

KNOWN = """
SELECT cluster, min(first_seen) AS first_seen FROM series
GROUP BY cluster HAVING max(last_seen) >= $since ORDER BY cluster
"""


def gaps(lake: Lake, between: TimeRange, longest: timedelta) -> list[Gap]:
    """Stretches of the range that are longer than `longest` and hold no sample of a cluster.

    A cluster that is new in the range begins with its first sample, so that it has no gap before;
    one that was seen in the day before the range or in it and fell silent has one until the end.
    """
    snapshot = lake.snapshot()
    params = {
        "first_day": between.start.date(),
        "last_day": between.end.date(),
        "start": between.start,
        "end": between.end,
    }
    rows = run(snapshot, MINUTES, params, between).rows.to_pylist()
    minutes = {row["cluster"]: row["at"] for row in rows}
    first, last = (
        to_micros(moment) // (MINUTE // MICROSECOND) for moment in (between.start, between.end)
    )
    # `last_seen` is exact to the day.
    known = run(snapshot, KNOWN, {"since": between.start - DAY}).rows.to_pylist()
    found = []
    for cluster, first_seen in ((row["cluster"], row["first_seen"]) for row in known):
        seen = minutes.get(cluster, [])
        if first_seen < between.start:
            seen = [first - 1, *seen]
        ends = [*seen[1:], last] if seen else []
        for before, after in zip(seen, ends, strict=True):
            if (after - before - 1) * MINUTE > longest:
                found.append(Gap(cluster, EPOCH + (before + 1) * MINUTE, EPOCH + after * MINUTE))
    return found
