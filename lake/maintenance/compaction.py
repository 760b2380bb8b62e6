"""Compaction of a table: merges as planned, each one commit."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lake.errors import ConflictError, FileDamagedError
from lake.maintenance.levels import Merge, plan, prefix
from lake.maintenance.output import new_run, write_merged
from lake.maintenance.policy import CompactionPolicy
from lake.maintenance.telling import Progress, Told, quiet
from lake.table import Table

CONFLICTS = 5
"""Plans in a row that another rewrite overtook, after which the next maintenance run goes on."""


@dataclass
class Compacted:
    """What was merged. `rows` counts what went in, `dropped` duplicates among them."""

    merges: int = 0
    files_in: int = 0
    files_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    rows: int = 0
    dropped: int = 0
    conflicts: int = 0
    seconds: float = 0.0
    damaged: list[FileDamagedError] = field(default_factory=list)
    """Files that cannot be read; the others were merged around them."""


def compact(
    table: Table,
    policy: CompactionPolicy,
    now: datetime,
    *,
    stopping: Callable[[], bool] = lambda: False,
    spill: Path | None = None,
    told: Told = quiet,
) -> Compacted:
    """Merge a table's files until the plan is empty. Writers and readers are not disturbed.

    Args:
        table: any of the lake's.
        policy: sizes and levels.
        now: decides which days are over.
        stopping: asked between merges and every million rows; what is merged by then stays so.
        spill: where large sorts go; None = the machine's place for temporary files.
        told: called with the rows that were written, every million or so and before each commit.

    Returns:
        What was done, and the files that could not be read.

    Raises:
        ConflictError: others rewrote the same files at every attempt; nothing is lost.
        StoreError: the disk or the object store fails, or is full. The table is as it was or
            better; the next run goes on.
    """
    done = Compacted()
    progress = Progress(told)
    conflicts = 0
    while not stopping():
        version, files = table.files()
        damaged = {error.path for error in done.damaged}
        merges = plan((file for file in files if file.path not in damaged), now, policy)
        if not merges:
            break
        progress.plan(sum(merge.rows for merge in merges))
        for merge in merges:
            if stopping():
                break
            try:
                _carry_out(table, merge, version, policy, done, spill, progress, stopping)
                conflicts = 0
            except FileDamagedError as error:
                done.damaged.append(error)
            except ConflictError:
                done.conflicts += 1
                conflicts += 1
                if conflicts == CONFLICTS:
                    raise
                break
    return done


def _carry_out(
    table: Table,
    merge: Merge,
    version: int,
    policy: CompactionPolicy,
    done: Compacted,
    spill: Path | None,
    progress: Progress,
    stopping: Callable[[], bool],
) -> None:
    started = time.perf_counter()
    stopped = False

    def stop() -> bool:
        nonlocal stopped
        stopped = stopped or stopping()
        return stopped

    written = write_merged(
        table,
        merge.files,
        prefix(version, merge.level, new_run()),
        policy,
        dense=merge.lasts,
        spill=spill,
        wrote=progress.add,
        stopping=stop,
    )
    if stopped:
        table.discard(written)
        return
    try:
        # Duplicates were not written. And if the lease was lost meanwhile, vacuum may be at work.
        progress.add(merge.rows - sum(file.rows for file in written))
    except BaseException:
        table.discard(written)
        raise
    table.rewrite(written, merge.files)
    done.merges += 1
    done.files_in += len(merge.files)
    done.files_out += len(written)
    done.bytes_in += sum(file.size for file in merge.files)
    done.bytes_out += sum(file.size for file in written)
    done.rows += merge.rows
    done.dropped += merge.rows - sum(file.rows for file in written)
    done.seconds += time.perf_counter() - started
