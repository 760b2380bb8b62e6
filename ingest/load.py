"""What is being worked on and not yet in the buffer: it counts against the same ceiling."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SAMPLE_BYTES = 20
"""Memory of a waiting sample: its series' number, time and value. All else is weighed by it."""


class Load:
    """Requests in flight, weighed in samples. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples = 0
        self._bytes = 0

    def samples(self) -> int:
        """How much is in flight."""
        return self._samples + self._bytes // SAMPLE_BYTES

    def add(self, samples: int) -> None:
        """Count a request in; a negative number counts it out."""
        with self._lock:
            self._samples += samples

    def add_bytes(self, size: int) -> None:
        """Count bytes in; a negative number counts them out."""
        with self._lock:
            self._bytes += size

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count `size` bytes in for the time of a block."""
        samples = size // SAMPLE_BYTES
        self.add(samples)
        try:
            yield
        finally:
            self.add(-samples)
