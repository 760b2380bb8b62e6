"""One maintainer at a time: a lock file in a folder, an entry with an end in a bucket's log.

The lease saves work, it does not guard rows: of two rewrites of one file only one is committed
(`lake.commit.fence`), whoever thinks that it holds what.
"""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from deltalake import DeltaTable

from lake.clock import Clock
from lake.commit import Commit, CommitKey
from lake.errors import ConflictError, LeaseHeldError, StoreError
from lake.maintenance.tables import Tables
from lake.maintenance.telling import failures
from lake.store import Folder
from lake.table import Table
from lake.timerange import from_micros

LOCK = ".maintenance"
"""The lock file's name, beside the tables. It stays; the lock on it ends with its process."""

LEASE = "fleetlake/lease"
"""The stream whose position is the end of the lease, and who holds it."""

LASTS = timedelta(minutes=15)
"""Of a maintainer that died, a bucket is left alone for so long at most."""

HOLDER_BITS = 10
"""Of a position: tells apart holders whose leases end in the same millisecond."""

Renew = Callable[[], None]


def lease(lake: Tables, clock: Clock) -> AbstractContextManager[Renew]:
    """Within the block, this is the lake's one maintainer; what is given makes that last longer.

    Raises:
        LeaseHeldError: another one is at it, on entry; or took over, where it is renewed.
        StoreError: the disk or the object store fails.
    """
    if isinstance(lake.store, Folder):
        return _locked(lake.store.root / LOCK)
    return _leased(lake.tables["samples_1h"], clock)


@contextmanager
def _locked(path: Path) -> Iterator[Renew]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(str(path), "take the lease", str(error), Folder.hint) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
            raise LeaseHeldError(str(path.parent), f"process {holder}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield lambda: None
    finally:
        os.close(descriptor)


@contextmanager
def _leased(table: Table, clock: Clock) -> Iterator[Renew]:
    mine = _take(table, clock, None)

    def renew() -> None:
        nonlocal mine
        if _end(mine) - clock() < LASTS / 2:
            mine = _take(table, clock, mine)

    try:
        yield renew
    finally:
        # A conflict means that another one took it just now: it had ended. And it ends by itself
        # where the store does not take this.
        with suppress(ConflictError, StoreError), failures(table, "give up the lease in"):
            delta = table.delta(table.version())
            if delta.transaction_version(LEASE) == mine:
                _commit(table, delta, clock, 0)


def _take(table: Table, clock: Clock, mine: int | None) -> int:
    """Commit a new end, on top of the version that says that nobody else has it."""
    delta = table.delta(table.version())
    held = delta.transaction_version(LEASE)
    if held is not None and held != mine and _end(held) > clock():
        raise LeaseHeldError(table.store.url, f"another process until {_end(held).isoformat()}")
    end = round((clock() + LASTS).timestamp() * 1000)
    taken: int = (end << HOLDER_BITS) + secrets.randbelow(1 << HOLDER_BITS)
    try:
        with failures(table, "take the lease in"):
            _commit(table, delta, clock, taken)
    except ConflictError as error:
        raise LeaseHeldError(table.store.url, "another process since just now") from error
    return taken


def _commit(table: Table, delta: DeltaTable, clock: Clock, position: int) -> None:
    commit = Commit([], key=CommitKey(LEASE, position))
    commit.attempt(delta, table.spec, table.store.url, round(clock().timestamp() * 1000))


def _end(position: int) -> datetime:
    return from_micros((position >> HOLDER_BITS) * 1000)
