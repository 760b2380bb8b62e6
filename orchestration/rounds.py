"""A thread that looks every second whether something is due, and yields to all others."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime

from orchestration.failures import Failure, note

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it looks whether a round is due."""

ENDED = Failure("its thread has ended: start the process again")

NICENESS = 10
"""Of the thread: half-way down, so that it gets what the others leave, and not nothing."""


class Rounds:
    """Runs what is due from `start` to `stop`.

    Args:
        name: of the thread.
        run_if_due: called every second; it catches what may go wrong, since the thread ends with
            what it raises.
    """

    def __init__(self, name: str, run_if_due: Callable[[], None]) -> None:
        self._run_if_due = run_if_due
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name)

    @property
    def stopping(self) -> bool:
        """Whether it is to end: a long round breaks off."""
        return self._stopping.is_set()

    @property
    def ended(self) -> bool:
        """Whether its thread has ended by itself."""
        begun = self._thread.ident is not None
        return begun and not self.stopping and not self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the round that is under way, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        if sys.platform == "linux":
            # There, this is of the thread alone.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._stopping.wait(LOOK_SECONDS):
            self._run_if_due()


def tried(what: str, act: Callable[[], None], errors: dict[str, Failure], now: datetime) -> bool:
    """Whether it went well; what does not is noted by its name until it does.

    Args:
        what: is done.
        act: does it.
        errors: by what was tried, the failure of the newest time; empty when all is well.
        now: the time.
    """
    try:
        act()
    except BaseException as error:
        # The loop outlives any, also a panic of native code (no `Exception`).
        note(errors, what, Failure.of(error, now))
        logger.exception("%s failed", what)
        return False
    errors.pop(what, None)
    return True
