"""Before a query runs: the files that it can need, and the pasts that its AT clauses name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from lake.files import TableFile
from lake.pruning.conditions import Condition, either, every, names_metrics, within
from lake.pruning.reads import BUCKETS, Moment, Read, reading
from lake.rollups.macro import tables_of
from lake.rollups.stale import STALE, WRITTEN, Stale
from lake.schema import SAMPLES, SAMPLES_1H, SAMPLES_5M
from lake.snapshot import Snapshot
from lake.timerange import TimeRange
from lake.views import OF_NAMED, past_name

ASK_ABOVE = 32
"""Files of samples. To open fewer takes less time than to ask the table `series` about them."""

OF_SERIES = frozenset(spec.name for spec in (SAMPLES, SAMPLES_5M, SAMPLES_1H))
"""Tables whose rows are of series."""


@dataclass(frozen=True)
class Prepared:
    """A query that is ready to run.

    Attributes:
        sql: with a name of its own for each view that is read in another past.
        params: of its parameters, those that are left.
        paths: files by table, as `lake.connection.connect` takes them.
        stale: what the table macro `buckets` needs; None where the query does not use it.
        views: those that it reads, see `lake.views.queries_of`; None = perhaps all.
    """

    sql: str
    params: dict[str, object]
    paths: dict[str, list[str]]
    stale: Stale | None = None
    views: frozenset[str] | None = None


def prepare(
    snapshot: Snapshot,
    sql: str,
    params: Mapping[str, object] | None = None,
    *,
    between: TimeRange | None = None,
    clusters: Collection[str] | None = None,
) -> Prepared:
    """Choose the files of a snapshot that a query can need.

    Args:
        snapshot: what is read.
        sql: one statement; one that is not understood may read all.
        params: values of its `$name` parameters.
        between: only rows of this range matter; None = as the query itself says.
        clusters: only rows of these matter; None = all.

    Raises:
        AsOfError: an AT clause names a past that is not there.
    """
    understood = reading(sql, params)
    if understood is None:
        views = (*snapshot.tables, BUCKETS) if BUCKETS in sql.lower() else tuple(snapshot.tables)
        found = tuple(Read(view, {}) for view in views)
    else:
        found = understood.reads
    choice = _Choice(between, clusters)
    numbers: dict[Moment, int] = {}
    paths: dict[str, list[str]] = {}
    for past, group in _by_past(found).items():
        seen = snapshot
        if past is not None:
            numbers[past] = len(numbers)
            seen = snapshot.earlier(past, {read.view: read.tables for read in group})
        for table, of_table in _by_table(group).items():
            name = table if past is None else past_name(table, numbers[past])
            paths[name] = [file.path for file in choice.files(seen, table, of_table)]
    stale = None
    in_buckets = [read for read in found if read.view == BUCKETS]
    if in_buckets:
        files = choice.files(snapshot, SAMPLES.name, in_buckets)
        stale = snapshot.stale(either(read.condition for read in in_buckets))
        stale = replace(stale, steps=_steps(in_buckets))
        paths.update(stale.paths(files))
        for table in {SAMPLES_5M.name, SAMPLES_1H.name, WRITTEN, STALE} - tables_of(stale):
            if not any(table in read.tables for read in found if read.view != BUCKETS):
                del paths[table]
    if numbers and understood is not None:
        sql = understood.renamed(lambda view, past: past_name(view, numbers[past]))
        used = understood.parameters()
        params = {name: value for name, value in (params or {}).items() if name in used}
    now = [read for read in found if read.at is None]
    named = frozenset(read.view for read in now) - {BUCKETS}
    of_metrics = [read.condition for read in now if read.view == "metrics"]
    if of_metrics and all(map(names_metrics, of_metrics)):
        named |= {OF_NAMED}
    alone = understood is not None and understood.alone
    return Prepared(sql, dict(params or {}), paths, stale, named if alone else None)


def _steps(in_buckets: Sequence[Read]) -> tuple[int, ...] | None:
    steps = [read.step for read in in_buckets if read.step is not None]
    return tuple(sorted(set(steps))) if len(steps) == len(in_buckets) else None


def _by_past(found: Sequence[Read]) -> dict[Moment | None, list[Read]]:
    groups: dict[Moment | None, list[Read]] = {}
    for read in found:
        groups.setdefault(read.at, []).append(read)
    return groups


def _by_table(group: list[Read]) -> dict[str, list[Read]]:
    """What reads each table by its own name; `buckets` reads samples by another."""
    tables: dict[str, list[Read]] = {}
    for read in group:
        for table in read.tables:
            if (read.view, table) != (BUCKETS, SAMPLES.name):
                tables.setdefault(table, []).append(read)
    return tables


@dataclass(frozen=True)
class _Choice:
    between: TimeRange | None
    clusters: Collection[str] | None

    def files(self, seen: Snapshot, table: str, group: list[Read]) -> list[TableFile]:
        """The files of a table that one of these needs."""
        version = seen.tables[table]
        files = version.needed(self._condition([read.condition for read in group]), self.clusters)
        if table in OF_SERIES and len(files) > ASK_ABOVE and any(read.question for read in group):
            asked = [
                every([read.condition, seen.ask(read.question, self.clusters)])
                if read.question
                else read.condition
                for read in group
            ]
            files = version.needed(self._condition(asked), self.clusters)
        seen.check(table, files)
        return files

    def _condition(self, of_reads: list[Condition]) -> Condition:
        condition = either(of_reads)
        return condition if self.between is None else every([within(self.between), condition])
