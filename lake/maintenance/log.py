"""The log of a table: summed up in checkpoints, and cleaned up, so that it stays cheap to open.

Every commit is a small file in `_delta_log`. Opening reads the newest checkpoint and the commits
after it; but a place lists all its names to find them, so old ones have to go. What goes are the
commits that the last checkpoint older than `grace` has summed up; streams' positions
(`CommitKey`) and the table's files are in every checkpoint.
"""

from dataclasses import dataclass

from lake.maintenance.policy import Policy
from lake.maintenance.properties import settle
from lake.maintenance.telling import failures
from lake.store import LOG
from lake.table import Table

TAIL_COMMITS = 10
"""A checkpoint is written when more commits came after the last one; fewer are read as fast."""


@dataclass(frozen=True, slots=True)
class LogState:
    """What opening a table has to go through."""

    entries: int
    """Files in the log's folder."""
    tail: int
    """Commits after the newest checkpoint."""


def tidy(table: Table, policy: Policy) -> LogState:
    """Set the table's properties, write a checkpoint, delete what is older than the grace.

    Only for the one maintenance writer, now and then. Writers write checkpoints too, each hundred
    commits; two that write the same one write the same rows.

    Raises:
        ConflictError: a writer came in between; the next round does it.
        StoreError: the disk or the object store fails.
        TableDamagedError: the log cannot be read.
    """
    with failures(table, "tidy the log of"):
        settle(table, policy)
        if state(table).tail > TAIL_COMMITS:
            table.delta().create_checkpoint()
        table.delta().cleanup_metadata()
        return state(table)


def state(table: Table) -> LogState:
    """The log as it lies there.

    Raises:
        StoreError: the disk or the object store fails.
    """
    with failures(table, "list the log of"):
        names = [file.path for file in table.store.below(LOG).files()]
    versions = {name: int(name[:20]) for name in names if name[:20].isdigit()}
    newest = max((at for name, at in versions.items() if ".checkpoint" in name), default=-1)
    tail = sum(name.endswith(".json") and at > newest for name, at in versions.items())
    return LogState(len(names), tail)
