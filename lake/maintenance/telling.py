"""How far maintenance is, told as it goes, and what it met, as typed errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from lake.errors import ConflictError, TableDamagedError
from lake.store import failures_of, is_of_store, plain_text
from lake.table import Table

Told = Callable[[int, int], None]
"""Called with how much is done, and of how much, as far as is known; may raise, to break off."""


def quiet(_done: int, _whole: int) -> None:
    """Nobody wants to know."""


class Progress:
    """Counts rows, of a whole that becomes known bit by bit.

    >>> progress = Progress(print)
    >>> progress.plan(10)
    0 10
    >>> progress.add(4)
    4 10
    >>> progress.plan(20)
    4 24
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._done = 0
        self._whole = 0

    def plan(self, rows: int) -> None:
        """So many are left to do."""
        self._whole = self._done + rows
        self.add(0)

    def add(self, rows: int) -> None:
        """So many more are done."""
        self._done += rows
        self._told(self._done, self._whole)


@contextmanager
def failures(table: Table, action: str) -> Iterator[None]:
    """Within the block, what Delta Lake or the place refuse is an error of ours.

    Raises:
        ConflictError: another writer's commit came in between.
        TableDamagedError: the log cannot be read.
        StoreError: the disk or the object store fails.
    """
    with failures_of(table.store, f"{action} table {table.spec.name!r}"):
        try:
            yield
        except TableNotFoundError:
            raise
        except CommitFailedError as error:
            raise ConflictError(table.spec.name, 1) from error
        except DeltaError as error:
            if is_of_store(error):
                raise
            name, place = table.spec.name, table.store.url
            raise TableDamagedError(name, place, plain_text(error)) from error
