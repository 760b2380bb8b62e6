"""With `-n` tests run in several processes; one that is marked `alone` has the machine to itself.

It measures time: what runs beside it would be measured, too. Each test that runs holds a lock that
all can hold, an `alone` one holds it for itself. Who waits for it keeps the gate shut meanwhile, so
that nobody can go first for ever.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Locks lie on files; any two do that all processes know.
GATE, RUNNING = Path(__file__), Path(__file__).with_name("conftest.py")


@contextmanager
def turn(alone: bool, gate: Path = GATE, running: Path = RUNNING) -> Iterator[None]:
    """Wait until it may run; nothing else does while an `alone` one runs."""
    with gate.open() as entering, running.open() as inside:
        fcntl.flock(entering, fcntl.LOCK_EX)
        try:
            fcntl.flock(inside, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(entering, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # Closing would not do: a process that the test forked may have the file open, too.
            fcntl.flock(inside, fcntl.LOCK_UN)
