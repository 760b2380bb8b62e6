"""What rows are written to."""

from typing import Any, Protocol


class Sink(Protocol):
    """Takes bytes in order."""

    def write(self, piece: Any, /) -> int:
        """Take all of a piece, and say how many bytes that were."""
        ...
