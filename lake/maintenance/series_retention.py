"""Dropping series that no kept sample or rollup names any more."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lake.files import TableFile
from lake.maintenance.levels import FINAL, prefix, runs
from lake.maintenance.output import new_run, write_merged
from lake.maintenance.policy import Keep, Policy
from lake.maintenance.reading import LOOKING_BYTES, reading
from lake.maintenance.retention import Dropped
from lake.maintenance.telling import Progress, Told, quiet
from lake.table import Table
from lake.views import quote

OF_SERIES = ("samples", "samples_5m", "samples_1h")
"""Tables whose rows name series."""

WORTH = 5
"""All series are written again when at least one in so many is gone."""

SLACK = timedelta(days=1)
"""A series is seen again once a day: its last samples may be so much later than `last_seen`."""


def cutoffs(policy: Policy, today: date) -> tuple[date, dict[str, date]]:
    """The first day of which any table still has samples: of most clusters, and by cluster."""
    each = [policy.keep.get(name, Keep()).cutoffs(today) for name in OF_SERIES]
    clusters = {cluster for _, own in each for cluster in own}
    return min(first for first, _ in each), {
        cluster: min(own.get(cluster, first) for first, own in each) for cluster in clusters
    }


@dataclass(frozen=True, slots=True)
class GoneSeries:
    """Series that nothing names any more.

    Attributes:
        version: of the table.
        files: of that version, oldest first.
        rows: how many go.
        where: the rows that stay, as SQL.
    """

    version: int
    files: tuple[TableFile, ...]
    rows: int
    where: str


def retain_series(table: Table, policy: Policy, now: datetime, told: Told = quiet) -> Dropped:
    """Write the table again without series that were last seen before every table's cutoff.

    A series stays or goes as a whole, with all its rows, so that `first_seen` stays true.

    Raises:
        ConflictError: another process rewrote the same files at every attempt.
        FileDamagedError: a file cannot be read.
        StoreError: the disk or the object store fails.
    """
    gone = gone_series(table, policy, now)
    if gone is None:
        return Dropped()
    begin = prefix(gone.version, FINAL - 1, new_run())
    progress = Progress(told)
    progress.plan(sum(file.rows for file in gone.files) - gone.rows)
    written = write_merged(
        table,
        gone.files,
        begin,
        policy.compaction,
        where=gone.where,
        dense=True,
        wrote=progress.add,
    )
    table.rewrite(written, gone.files, data_change=True)
    return Dropped(0, len(gone.files), gone.rows)


def gone_series(table: Table, policy: Policy, now: datetime) -> GoneSeries | None:
    """What `retain_series` would take out; None = nothing, or too little to be worth it.

    Raises:
        FileDamagedError: a file cannot be read.
        StoreError: the disk or the object store fails.
    """
    version, files = table.files()
    first, own = cutoffs(policy, now.date())
    if not files or (first == date.min and set(own.values()) <= {date.min}):
        return None
    ordered = [file for run in runs(files) for file in run.files]
    cases = [f"WHEN {quote(cluster)} THEN {_time(day)}" for cluster, day in sorted(own.items())]
    cutoff = f"CASE cluster {' '.join(cases)} ELSE {_time(first)} END" if cases else _time(first)
    paths = ", ".join(quote(file.path) for file in ordered)
    alive = (
        f"SELECT cluster, metric, series_id FROM read_parquet([{paths}]) "
        f"GROUP BY ALL HAVING max(last_seen) >= {cutoff}"
    )
    where = f"(cluster, metric, series_id) IN ({alive})"
    with reading(table, ordered, LOOKING_BYTES) as connection:
        query = f"SELECT count(*) FILTER (NOT {where}), count(*) FROM read_parquet([{paths}])"
        gone, rows = connection.execute(query).fetchall()[0]
    if gone * WORTH < rows or gone == 0:
        return None
    return GoneSeries(version, tuple(ordered), gone, where)


def _time(day: date) -> str:
    if day == date.min:
        return "TIMESTAMPTZ '-infinity'"
    return f"TIMESTAMPTZ '{(day - SLACK).isoformat()} 00:00:00+00'"
