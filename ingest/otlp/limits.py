"""What one request may hold, and may become."""

from dataclasses import dataclass

from ingest.errors import BodyTooLargeError, TimestampError, UnsupportedSampleError

UNLIMITED = 1 << 62

WIDEST = 4
"""Bytes of a character in UTF-8, at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request.

    Labels of a resource stand on each of its series, and its attributes on each of its events: a
    small body can become a large one. So its translation is measured while it grows.

    Attributes:
        entries: its resources, scopes, metrics, data points and log records.
        bytes: its translation, not compressed.
        details: what its entries hold: attributes and values within them, quantiles, exemplars.
        labels: of a series; so attributes of a scope or data point too.
        name_bytes: of a label's name, and of a metric's.
        value_bytes: of a label's value.
        earliest_ms: the first time of a data point that is accepted.
        latest_ms: and the last.
    """

    entries: int = UNLIMITED
    bytes: int = UNLIMITED
    details: int = UNLIMITED
    labels: int = UNLIMITED
    name_bytes: int = UNLIMITED
    value_bytes: int = UNLIMITED
    earliest_ms: int = 0
    latest_ms: int = UNLIMITED

    def check_bytes(self, size: int) -> None:
        """Whether a translation may be of this size.

        Raises:
            BodyTooLargeError: it may not.
        """
        if size > self.bytes:
            raise BodyTooLargeError(size, self.bytes, "translated body")

    def check_time(self, time_ms: int) -> None:
        """Whether a data point may be of this time, before anything is made of it.

        Raises:
            TimestampError: the receiver would refuse it.
        """
        for wrong, reason, rule in (
            (time_ms > self.latest_ms, "future", f"later than {self.latest_ms} ms, the latest"),
            (time_ms < self.earliest_ms, "past", f"earlier than {self.earliest_ms} ms, the first"),
        ):
            if wrong:
                rule = f"is {rule} accepted: is the sender's clock right?"
                raise TimestampError("of this point", time_ms, rule, reason)

    def check_attributes(self, count: int) -> None:
        """Whether a scope or data point may have so many.

        >>> Limits(labels=2).check_attributes(3)
        Traceback (most recent call last):
        ingest.errors.UnsupportedSampleError: it has 3 attributes or labels, at most 2 are ...

        Raises:
            UnsupportedSampleError: it may not.
        """
        if count > self.labels:
            raise UnsupportedSampleError(
                f"it has {count} attributes or labels, at most {self.labels} are accepted "
                "(`ingest.max_labels`)"
            )

    def check_name(self, name: str) -> None:
        """Whether a name may be so long.

        Raises:
            UnsupportedSampleError: it may not.
        """
        _check(name, "name", self.name_bytes, "max_label_name_bytes")

    def check_value(self, name: str, text: str) -> None:
        """Whether the value of a label may be so long.

        Raises:
            UnsupportedSampleError: it may not.
        """
        if is_longer(text, self.value_bytes):
            _check(text, f"value of {name[:80]!r}", self.value_bytes, "max_label_value_bytes")


NO_LIMITS = Limits()


def is_longer(text: str, limit: int) -> bool:
    """Whether a text has more bytes than this; it is encoded only where that is in doubt."""
    if len(text) * WIDEST <= limit:
        return False
    return len(text) > limit or len(text.encode(errors="replace")) > limit


def _check(text: str, what: str, limit: int, setting: str) -> None:
    if is_longer(text, limit):
        raise UnsupportedSampleError(
            f"{what} {text[:40]!r}… has over {limit} bytes (`ingest.{setting}`)"
        )
