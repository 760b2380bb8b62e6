"""How large the log of a table is: what opening it has to go through."""

from dataclasses import dataclass
from datetime import datetime

from lake.store import LOG
from lake.table import Table

VERSION_DIGITS = 20
"""With which the name of a commit and of a checkpoint begins."""


@dataclass(frozen=True, slots=True)
class LogSize:
    """The log's folder.

    Attributes:
        files: commits, checkpoints and what points to them.
        bytes: of all these.
        tail: commits after the newest checkpoint, each of which is read on opening.
        checkpoint: when that was written; None where there is none.
    """

    files: int
    bytes: int
    tail: int
    checkpoint: datetime | None


def log_size(table: Table) -> LogSize:
    """The log as it lies there.

    Raises:
        StoreError: the disk or the object store fails.
    """
    found = list(table.store.below(LOG).files())
    numbered = [file for file in found if file.path[:VERSION_DIGITS].isdigit()]
    checkpoints = {
        int(file.path[:VERSION_DIGITS]): file.modified
        for file in numbered
        if ".checkpoint" in file.path
    }
    newest = max(checkpoints, default=-1)
    tail = sum(
        file.path.endswith(".json") and int(file.path[:VERSION_DIGITS]) > newest
        for file in numbered
    )
    return LogSize(len(found), sum(file.size for file in found), tail, checkpoints.get(newest))
