"""Waiting for what happens in its own time, which on a busy machine is much later than usual.

What takes milliseconds is given a minute: only a test that fails waits so long. What must not take
long is judged against what it would take if the promise were broken; that is made so long that
`SOON` tells the two apart on any machine.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for what will happen."""

SOON = 20.0
"""Seconds for what must not wait for something that takes minutes."""

MINUTES = 600.0
"""Seconds of what is not to be waited for: longer than any test may take."""


def wait_until(
    condition: Callable[[], T], seconds: float = PATIENCE, what: object = "it", every: float = 0.02
) -> T:
    """What the condition gives, once that is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(every)
    return found


def least_seconds(work: Callable[[], object], attempts: int = 3) -> float:
    """Processor time of the quickest of several attempts: what others take of it is left out."""
    spent = []
    for _ in range(attempts):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)
