"""One roll-up run: what changed in `samples` since the last is computed again, stretch by stretch.

For each stretch the five-minute buckets are computed from samples, then the hours that hold them
from five-minute buckets; both replace the old ones in one commit a table. The last commit of a run
says up to which version of `samples` the rollups go. A run that is cut off anywhere leaves right
rows, and the next one does again what is not noted as done.

Only for the one maintenance writer: two runs at once get in each other's way (ConflictError).
Appends to `samples` go on meanwhile, and are the next run's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake.commit import CommitKey
from lake.files import TableFile
from lake.rollups.compute import Hours, Slots, Tables, recompute
from lake.rollups.news import changed_times, file_span, file_times, log_of, stale_slots
from lake.rollups.plan import Stretch, stretches
from lake.rollups.progress import ROLLUP, Progress, progress, rolled_up
from lake.rollups.spans import ALL_TIME, Spans, intersection
from lake.schema import SAMPLES, SAMPLES_1H, SAMPLES_5M
from lake.timerange import from_micros


@dataclass(frozen=True, slots=True)
class RollupReport:
    """What a run did.

    Attributes:
        since: the version of `samples` that the rollups had before; None = nothing of it.
        version: what they have now; as `since` where the run was told to stop.
        stretches: how many pieces of days were computed again.
        slots: five-minute buckets that were written, with those beside them in the same files.
        hours: likewise of an hour.
        behind: from the newest sample to `now`; None where there is none.
    """

    since: int | None
    version: int | None
    stretches: int
    slots: int
    hours: int
    behind: timedelta | None


def never() -> bool:
    """Nobody asks to stop."""
    return False


def roll_up(lake: Tables, now: datetime, *, stopping: Callable[[], bool] = never) -> RollupReport:
    """Bring `samples_5m` and `samples_1h` up to the newest version of `samples`.

    Args:
        lake: with these tables.
        now: for the report.
        stopping: asked between stretches; the next run goes on after the last day that is done.

    Raises:
        ConflictError: somebody else rewrites the rollups' files; run it again.
        FileDamagedError: a file cannot be read; what was done before it stays.
        StoreError: the disk or the object store fails.
    """
    version, files = lake.tables[SAMPLES.name].files()
    since = noted = rolled_up_to(lake)
    begun = progress(lake.tables[SAMPLES_1H.name].delta())
    done = slots = hours = 0
    if begun is not None and (noted is None or noted < begun.target) and begun.target < version:
        targets = [begun.target, version]
    else:
        targets = [version]
    for target in targets:
        resumed = begun.day if begun is not None and begun.target == target else -1
        for stretch, key in _todo(lake, noted, target, files, resumed):
            if stopping():
                return RollupReport(since, noted, done, slots, hours, _behind(files, now))
            ends = key if key is not None and key.app == ROLLUP else None
            table = lake.tables[SAMPLES_5M.name]
            slots += recompute(lake, table, Slots(table, files, stretch), stretch, ends)
            stored = table.files()[1]
            table = lake.tables[SAMPLES_1H.name]
            hours += recompute(lake, table, Hours(table, stored, stretch), stretch, key)
            done += 1
        for spec in (SAMPLES_5M, SAMPLES_1H):
            lake.tables[spec.name].rewrite([], [], CommitKey(ROLLUP, target))
        noted = target
    return RollupReport(since, version, done, slots, hours, _behind(files, now))


def _behind(files: Sequence[TableFile], now: datetime) -> timedelta | None:
    newest = max((file_span(file)[1] for file in files), default=None)
    return None if newest is None else now - from_micros(newest)


def rolled_up_to(lake: Tables) -> int | None:
    """The version of `samples` whose rows are all in both rollup tables; None = none is."""
    versions = [rolled_up(lake.tables[spec.name].delta()) for spec in (SAMPLES_5M, SAMPLES_1H)]
    known = [version for version in versions if version is not None]
    return min(known) if len(known) == len(versions) else None


def _todo(
    lake: Tables, since: int | None, target: int, files: Sequence[TableFile], resumed: int
) -> Iterator[tuple[Stretch, CommitKey | None]]:
    """The stretches to compute again, in order of time, and what the commit of each says.

    Args:
        lake: the tables.
        since: the version of `samples` that was rolled up last.
        target: that to be rolled up now.
        files: of `samples`.
        resumed: the last day of this work that is done, by number.
    """
    changed = None
    if since is not None and since <= target:
        changed = changed_times(log_of(lake.tables[SAMPLES.name].store), since, target)
    if changed is None:
        changed = file_times(files)
    stale = intersection(stale_slots(changed), _until_now(lake, files))
    todo = [stretch for stretch in stretches(stale) if stretch.day_number > resumed]
    for number, stretch in enumerate(todo, start=1):
        key = None
        if number == len(todo):
            key = CommitKey(ROLLUP, target)
        elif todo[number].day_number > stretch.day_number:
            key = Progress(target, stretch.day_number).key
        yield stretch, key


def _until_now(lake: Tables, files: Sequence[TableFile]) -> Spans:
    """All time up to the newest row, of samples or buckets."""
    stored = lake.tables[SAMPLES_5M.name].files()[1]
    newest = max((file_span(file)[1] for file in (*files, *stored)), default=0)
    return ((ALL_TIME[0][0], newest),) if files or stored else ()
