"""How far roll-up has come, as positions of streams in the tables' own commits.

* `rollup`, in both rollup tables: the version of `samples` whose rows are all in them.
* `rollup-days`, in `samples_1h`: of a run that is under way or was cut off, the version that it
  works towards and the last day it is done with.
* `retention` and `retention/<cluster>`, in `samples` and `samples_5m`: rows before this time
  (microseconds since 1970) are taken out because they are old, of most clusters and of one that is
  kept for another time. Roll-up leaves the buckets before it as they are: what came late for them
  is not all there was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from deltalake import DeltaTable

from lake.commit import CommitKey
from lake.rollups.remembered import Remembered
from lake.rollups.spans import ALL_TIME
from lake.table import Table
from lake.timerange import TimeRange, to_micros

ROLLUP = "rollup"
DAYS = "rollup-days"
RETENTION = "retention"

DAY_BITS = 20
"""Of a position of `DAYS`: the day, since 1970."""

EVER = ALL_TIME[0][0]


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a run towards a version of `samples`: the last day that is done."""

    target: int
    day: int

    @property
    def key(self) -> CommitKey:
        """As a position."""
        return CommitKey(DAYS, (self.target << DAY_BITS) + self.day)


def progress(hours: DeltaTable) -> Progress | None:
    """Of the last run that had more than a day to do."""
    position = hours.transaction_version(DAYS)
    if position is None:
        return None
    return Progress(position >> DAY_BITS, position & ((1 << DAY_BITS) - 1))


def rolled_up(rollup: DeltaTable) -> int | None:
    """The version of `samples` whose rows are all in this version of a rollup table."""
    version: int | None = rollup.transaction_version(ROLLUP)
    return version


def retention_app(cluster: str | None = None) -> str:
    """The stream of cutoffs: of one cluster, or of all that have none of their own."""
    return RETENTION if cluster is None else f"{RETENTION}/{cluster}"


def note_cutoffs(table: Table, cutoff: date, own: Mapping[str, date]) -> None:
    """Say which rows are about to be taken out for their age; to be called before they are.

    Args:
        table: which table's.
        cutoff: the first day that is kept, of clusters that have none of their own.
        own: the first day that is kept, of those that have.
    """
    # A cluster's own first: what it keeps for longer is not gone with the others'.
    for app, day in [(retention_app(name), day) for name, day in own.items()]:
        if table.seen_position(app) is None:
            gone = table.seen_position(retention_app()) or 0
            table.rewrite([], [], CommitKey(app, max(gone, _position(day))))
        _note(table, app, _position(day))
    if _position(cutoff):
        _note(table, retention_app(), _position(cutoff))


def _note(table: Table, app: str, position: int) -> None:
    noted = table.seen_position(app)
    if noted is None or noted < position:
        table.rewrite([], [], CommitKey(app, position))


def _position(day: date) -> int:
    return max(0, to_micros(TimeRange.of_day(day).start))


def kept_from(tables: Iterable[Table], cluster: str | None) -> int:
    """The time before which rows of a cluster are taken out of one of the tables; `EVER` if none.

    As their newest versions have it; `Cutoffs` tells of others.

    Args:
        tables: usually `samples` and `samples_5m`.
        cluster: None = one that has no time of its own.
    """
    return max(_cutoff(table, cluster) for table in tables)


def _cutoff(table: Table, cluster: str | None) -> int:
    return _first(table.seen_position(app) for app in _apps(cluster))


def _apps(cluster: str | None) -> tuple[str, ...]:
    """The streams that a cluster's cutoff may be in; the first that has one counts."""
    return tuple(dict.fromkeys((retention_app(cluster), retention_app())))


def _first(cutoffs: Iterable[int | None]) -> int:
    return next((cutoff for cutoff in cutoffs if cutoff is not None), EVER)


KEPT_STREAMS = 10_000
"""Of cutoffs, about which it is known since when they are where they are: one a cluster."""


class Cutoffs:
    """The times before which rows are taken out of a table, at versions of it.

    A version's log is opened only where cutoffs may have moved since: they never move back, so that
    one which the newest version has, and a version before the one in question, was there between.
    Safe to use from several threads.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._since: Remembered[str, tuple[int, int]] = Remembered(KEPT_STREAMS)

    def at(self, version: int, clusters: Sequence[str | None]) -> dict[str | None, int]:
        """For each cluster (None: one that has none of its own) its time, `EVER` if there is none.

        Args:
            version: that the table had at some time; -1 = it was not there.
            clusters: which.
        """
        apps = {app for cluster in clusters for app in _apps(cluster)}
        positions = self._positions(version, apps) if version >= 0 else {}
        return {
            cluster: _first(positions.get(app) for app in _apps(cluster)) for cluster in clusters
        }

    def _positions(self, version: int, apps: Iterable[str]) -> dict[str, int]:
        positions: dict[str, int] = {}
        opened: DeltaTable | None = None
        for app in apps:
            newest = self._table.seen_position(app)
            if newest is None:
                continue
            since = self._since.get(app)
            if since is not None and since[0] == newest and since[1] <= version:
                positions[app] = newest
                continue
            opened = self._table.delta(version) if opened is None else opened
            then = opened.transaction_version(app)
            if then is not None:
                positions[app] = then
            if then == newest:
                self._since.keep(app, (newest, version))
        return positions
