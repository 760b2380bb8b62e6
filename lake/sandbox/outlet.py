"""The worker's end of an answer: bytes written to it go out as frames."""

import io
import time
from typing import IO

from lake.errors import QueryCancelledError
from lake.sandbox.frames import DATA, PIECE_BYTES, send

HELD_BYTES = 4 << 20
"""Of each answer, held back until there is more or it is complete: a query that fails before that
has said nothing yet, and its error is told in place of an answer."""


class Outlet(io.RawIOBase):
    """A file whose content goes out in pieces of bounded size."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._held = bytearray()
        self._least = HELD_BYTES
        self._written = 0
        self._waited = 0.0
        self._waiting_since: float | None = None
        self._closed_early = False
        self._ended = False

    def writable(self) -> bool:
        """It only is."""
        return True

    def tell(self) -> int:
        """Bytes written."""
        return self._written

    def write(self, piece: object) -> int:
        """Take some bytes, and perhaps send some.

        Raises:
            QueryCancelledError: nobody wants them any more.
        """
        if self._closed_early:
            raise QueryCancelledError
        if self._ended:
            return len(memoryview(piece).cast("B"))  # type: ignore[arg-type]
        content = memoryview(piece).cast("B")  # type: ignore[arg-type]
        self._held += content
        self._written += len(content)
        if len(self._held) >= self._least:
            self.send_all()
        return len(content)

    def send_all(self) -> None:
        """Send what is held."""
        self._least = PIECE_BYTES
        held, self._held = self._held, bytearray()
        for start in range(0, len(held), PIECE_BYTES):
            self._waiting_since = time.monotonic()
            send(self._pipe, DATA, memoryview(held)[start : start + PIECE_BYTES])
            since, self._waiting_since = self._waiting_since, None
            self._waited += time.monotonic() - since
            if self._closed_early:
                raise QueryCancelledError

    def end(self) -> None:
        """Lose what comes from now on: writers that failed still write an end as they are freed."""
        self._ended, self._closed_early = True, False
        self._held.clear()

    def close_early(self) -> None:
        """Refuse all that comes; from any thread."""
        self._closed_early = True

    def waited(self) -> float:
        """Seconds spent until the pipe took what was sent."""
        since = self._waiting_since
        return self._waited + (0.0 if since is None else time.monotonic() - since)
