"""Carrying out a commit: tried again on conflicts, and no file left behind where it fails."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.clock import Clock
from lake.commit import Commit
from lake.delta_log import DeltaLog
from lake.errors import ConflictError, LakeError
from lake.files import TableFile
from lake.parquet import DataFile
from lake.store import Folder, Store
from lake.table_spec import TableSpec

COMMIT_ATTEMPTS = 10
"""Each conflict means that another writer got ahead, so ten in a row need ten of them."""

CONFLICT_SECONDS = 0.01
"""Longer by this after each conflict: about as long as a commit takes."""


class Committer:
    """Commits to one table. For one thread at a time, `discard` aside."""

    def __init__(self, store: Store, spec: TableSpec, clock: Clock, log: DeltaLog) -> None:
        self._store = store
        self._spec = spec
        self._clock = clock
        self._log = log

    def commit(self, commit: Commit) -> None:
        """Commit, or delete the files: the key was committed by another, or no attempt won.

        Raises:
            ConflictError: a file to be removed is in the table no longer, or other writers got in
                first every time.
        """
        tried = False
        try:
            for attempt in range(COMMIT_ATTEMPTS):
                delta = self._log.newest()
                if commit.key is not None and commit.key.is_in(delta):
                    self._delete(commit.added)
                    return
                if not {file.path for file in commit.removed} <= self._paths(commit):
                    break
                tried = True
                if self._wins(commit, delta, attempt):
                    return
        except BaseException:
            self._give_up(commit.added, tried)
            raise
        self._delete(commit.added)
        raise ConflictError(self._spec.name, COMMIT_ATTEMPTS)

    def commit_planned(self, plan: Callable[[Sequence[TableFile]], Commit]) -> None:
        """Commit what is planned for the files of the version just before, or plan again.

        A commit that would change nothing is left out.

        Args:
            plan: from the newest version's files to a commit that is `alone`. While that is right
                for other files too, the same one is to be given.

        Raises:
            ConflictError: other writers got in first every time.
        """
        commit: Commit | None = None
        tried = False
        try:
            for attempt in range(COMMIT_ATTEMPTS):
                # The same object as `files` looks at, so that no version comes in between.
                delta = self._log.newest()
                planned = plan(self._log.files()[1])
                if commit is not None and planned is not commit:
                    self._delete(commit.added)
                    tried = False
                commit = planned
                if not commit.added and not commit.removed:
                    return
                tried = True
                if self._wins(commit, delta, attempt):
                    return
        except BaseException:
            if commit is not None:
                self._give_up(commit.added, tried)
            raise
        if commit is not None:
            self._delete(commit.added)
        raise ConflictError(self._spec.name, COMMIT_ATTEMPTS)

    def _wins(self, commit: Commit, delta: DeltaTable, attempt: int) -> bool:
        """Try to commit after a version; where another was first, wait a little."""
        modified_ms = int(self._clock().timestamp() * 1000)
        try:
            commit.attempt(delta, self._spec, self._store.url, modified_ms)
        except CommitFailedError:
            time.sleep(CONFLICT_SECONDS * attempt)
            return False
        return True

    def _paths(self, commit: Commit) -> set[str]:
        # Making the list takes time that an append has no use for.
        return self._log.paths() if commit.removed else set()

    def _give_up(self, files: Sequence[DataFile], tried: bool) -> None:
        """Delete files whose commit broke off, where it is certain that it will never be."""
        if not tried:
            self.discard(files)
        elif isinstance(self._store, Folder):
            # A bucket may still carry out what it has not answered; a folder's log has all.
            with suppress(LakeError, OSError, DeltaError):
                self._delete(files)

    def _delete(self, files: Sequence[DataFile]) -> None:
        """Delete files of no version; those of a commit that failed only in appearance stay."""
        committed = self._log.paths()
        self.discard([file for file in files if f"{self._store.url}/{file.path}" not in committed])

    def discard(self, files: Sequence[DataFile]) -> None:
        """Delete files of which no commit was tried, or none succeeded; vacuum takes the rest."""
        for file in files:
            with suppress(OSError):
                self._store.delete(file.path)
