"""What one request may hold, and may become."""

from collections.abc import Iterable
from dataclasses import dataclass

from ingest.errors import BodyTooLargeError, TooManyEntriesError

UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request.

    Labels of a resource stand on each of its series, and its attributes on each of its events: a
    small body can become a large one. So its translation is measured while it grows.

    Attributes:
        entries: its parts, of which each costs time even where it is empty.
        bytes: its translation, not compressed.
    """

    entries: int = UNLIMITED
    bytes: int = UNLIMITED

    def check_entries(self, counts: Iterable[int], what: str) -> None:
        """Add up counts, no further than to the limit.

        >>> Limits(entries=5).check_entries([2, 4, 1], "data points")
        Traceback (most recent call last):
        ingest.errors.TooManyEntriesError: request has 6 data points, at most 5 are accepted: ...

        Raises:
            TooManyEntriesError: there are more.
        """
        total = 0
        for count in counts:
            total += count
            if total > self.entries:
                raise TooManyEntriesError(total, self.entries, what)

    def check_bytes(self, size: int) -> None:
        """Whether a translation may be of this size.

        Raises:
            BodyTooLargeError: it may not.
        """
        if size > self.bytes:
            raise BodyTooLargeError(size, self.bytes, "translated body")


NO_LIMITS = Limits()
