"""What outlives a receiver's process beside its log, and when the log may go.

The log knows which requests were taken and which replicas were elected. Before a part of it is
dropped, both must be in files. A start does not ask the log about requests that it knows from their
file. So every request in that file must have its election in the other one: requests are looked at
before elections and written after them, and whatever a kill leaves, elections are as new or newer.
Those that are newer than the log count too (`ReplicaTracker.stored`).

A full disk must not keep what would make room on it. Then the oldest segments go before the files
are written, one at a time until those fit. Nothing is lost by that while this process lives, for it
knows what the files lack. If it is killed before they are written, a request in those segments
whose sender never got its answer, and sends it again, is stored twice, and an election in them is
forgotten: the replica before it has one more timeout.
"""

import errno
import logging
from pathlib import Path

from ingest.recent import RecentRequests
from ingest.replicas import ReplicaTracker
from ingest.wal import WriteAheadLog
from lake.disk import replace_file

logger = logging.getLogger(__name__)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class ReceiverState:
    """The files beside a log.

    Args:
        folder: where they are.
        log: whose segments they stand in for.
        recent: requests seen lately.
        replicas: who is elected.
    """

    def __init__(
        self, folder: Path, log: WriteAheadLog, recent: RecentRequests, replicas: ReplicaTracker
    ) -> None:
        self._recent_path = folder / "recent"
        self._replicas_path = folder / "replicas.json"
        self._log = log
        self._recent = recent
        self._replicas = replicas
        self._elections = 0
        self._released = -1

    def load(self, now_us: int) -> None:
        """Take up what an earlier process left."""
        self._recent.load(self._recent_path)
        if self._replicas_path.exists() and not self._replicas.load(
            self._replicas_path.read_bytes(), now_us
        ):
            logger.warning("elected replicas not read", extra={"path": str(self._replicas_path)})

    def release(self, position: int) -> None:
        """Drop what the log holds up to `position`, which is in the lake, durably.

        Raises:
            OSError: the files cannot be written; what of the log they stand in for stays.
        """
        if position == self._released:
            return
        while True:
            try:
                self._save()
            except OSError as error:
                if error.errno not in FULL or not self._log.truncate(position, most=1):
                    raise
                logger.warning("disk full: a segment is dropped before its requests are kept")
            else:
                break
        self._log.truncate(position)
        self._released = position

    def _save(self) -> None:
        requests = self._recent.packed()
        elections = self._replicas.elections
        if elections != self._elections:
            replace_file(self._replicas_path, self._replicas.save().encode())
            self._elections = elections
        replace_file(self._recent_path, requests)
