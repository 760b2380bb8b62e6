"""Deleting one cluster's data, from every table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lake.clusters import may_hold
from lake.errors import ConflictError
from lake.files import TableFile
from lake.maintenance.policy import Policy
from lake.maintenance.reading import files_with
from lake.maintenance.retention import Drop, carry_out
from lake.maintenance.tables import Tables
from lake.maintenance.telling import Told
from lake.table import Table
from lake.views import quote

ATTEMPTS = 5
"""Compaction may rewrite a file meanwhile, so look again; a cluster that still sends never ends."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted of a cluster.

    Attributes:
        rows: by table.
        files: that were taken out or written again, by table.
        gone_at: when the next `vacuum` after it has removed the last byte of it from the lake's
            place; before, a reader that pinned an older version, or `AS OF`, can still see it.
    """

    cluster: str
    rows: dict[str, int]
    files: dict[str, int]
    gone_at: datetime


def delete_cluster(
    lake: Tables,
    cluster: str,
    policy: Policy,
    now: datetime,
    told: Callable[[str, int, int], None] = lambda *_: None,
) -> Deleted:
    """Delete all rows of a cluster from every table, one commit a file at most.

    Senders of the cluster should be stopped first: rows that come later stay. The receiver's log
    and another program's copies are not touched. Repeat it after a failure: what is done stays so.

    Args:
        lake: the lake.
        cluster: its name.
        policy: the grace time, and how large a file gets.
        now: the time.
        told: called with a table, the files of it that are done, and how many there are to do.

    Raises:
        ConflictError: another process rewrote the same files at every attempt.
        FileDamagedError: a file that may hold the cluster cannot be read.
        StoreError: the disk or the object store fails.
    """
    rows, files = {}, {}
    for name, table in lake.tables.items():
        rows[name], files[name] = _delete(table, cluster, policy, partial(told, name))
    return Deleted(cluster, rows, files, now + policy.grace)


def _delete(table: Table, cluster: str, policy: Policy, told: Told) -> tuple[int, int]:
    rows = files = 0
    for attempt in range(ATTEMPTS):
        version, held = _holding(table, cluster)
        if not held:
            break
        try:
            drops = [_drop(file, cluster) for file in held]
            done = carry_out(table, version, drops, policy.compaction, told)
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        rows += done.rows
        files += done.files + done.rewritten
    return rows, files


def _holding(table: Table, cluster: str) -> tuple[int, list[TableFile]]:
    version, files = table.files()
    maybe = [file for file in files if may_hold(file, [cluster])]
    return version, files_with(table, maybe, f"cluster = {quote(cluster)}")


def _drop(file: TableFile, cluster: str) -> Drop:
    alone = file.clusters == (cluster, cluster)
    return Drop(file, None) if alone else Drop(file, (cluster,))
