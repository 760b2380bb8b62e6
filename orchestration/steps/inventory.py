"""What the lake holds of a day: rows a cluster, age of the newest, minutes without any."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lake import Lake, TimeRange
from lake.timerange import EPOCH, to_micros

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
SELECT DISTINCT cluster, epoch_us(time) // 60000000 AS minute
FROM samples WHERE date = $day AND time >= $start AND time < $end ORDER BY cluster, minute
"""


def gaps(lake: Lake, day: date, now: datetime, longest: timedelta) -> list[Gap]:
    """Stretches of the day, up to now, that are longer than `longest` and hold no sample.

    A cluster's day begins with its first sample there, so that a new cluster has no gap; a
    cluster that fell silent has one that lasts until the day's end or now.
    """
    whole = TimeRange.of_day(day)
    end = min(whole.end, now)
    if end <= whole.start:
        return []
    between = TimeRange(whole.start, end)
    params = {"day": day, "start": between.start, "end": between.end}
    minutes: dict[str, list[int]] = {}
    for row in lake.sql(MINUTES, params, between=between).to_pylist():
        minutes.setdefault(row["cluster"], []).append(row["minute"])
    last = to_micros(end) // (MINUTE // timedelta(microseconds=1))
    found = []
    for cluster, seen in minutes.items():
        for before, after in zip(seen, [*seen[1:], last], strict=True):
            if (after - before - 1) * MINUTE > longest:
                found.append(Gap(cluster, EPOCH + (before + 1) * MINUTE, EPOCH + after * MINUTE))
    return found
