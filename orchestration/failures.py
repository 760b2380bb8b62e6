"""What fails and since when: whole for operators, without the error's text for anybody."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, as it is kept until what failed goes well.

    >>> at = datetime.fromisoformat("2026-03-01T12:00:00Z")
    >>> failure = Failure("StoreError", "s3://fleet/lake: no answer", at)
    >>> failure.told(whole=True)
    'StoreError: s3://fleet/lake: no answer (since 2026-03-01 12:00:00 UTC)'
    >>> failure.told(whole=False)
    'StoreError (since 2026-03-01 12:00:00 UTC); the log says more'

    Attributes:
        kind: the error's class, or a sentence of ours: what anybody may read.
        text: what the error says, which may name files, buckets and queries; empty = no more.
        since: when it first failed with nothing good since; None = not known.
    """

    kind: str
    text: str = ""
    since: datetime | None = None

    @classmethod
    def of(cls, error: BaseException, since: datetime | None = None) -> "Failure":
        """Of an error."""
        return cls(type(error).__name__, str(error), since)

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind

    def told(self, *, whole: bool) -> str:
        """In one line.

        Args:
            whole: with the error's text.
        """
        since = "" if self.since is None else f" (since {self.since:%Y-%m-%d %H:%M:%S} UTC)"
        more = "; the log says more" if self.text and not whole else ""
        return f"{self if whole else self.kind}{since}{more}"


def note(failures: dict[str, Failure], what: str, failure: Failure) -> None:
    """Keep the newest failure by what was tried, with the time of the first in a row."""
    before = failures.get(what)
    since = failure.since if before is None else before.since
    failures[what] = Failure(failure.kind, failure.text, since)
