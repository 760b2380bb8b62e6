"""What one request may hold, whatever its wire."""

from dataclasses import dataclass

from ingest.errors import TooManyEntriesError


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one request may hold."""

    series: int = 1 << 40
    samples: int = 1 << 40
    metadata: int = 1 << 40
    label_bytes: int = 1 << 40

    def check(self, n_series: int, n_samples: int, n_metadata: int) -> None:
        """Whether a request with so much is accepted.

        Raises:
            TooManyEntriesError: it is not.
        """
        for count, limit, what in (
            (n_series, self.series, "series"),
            (n_samples, self.samples, "samples"),
            (n_metadata, self.metadata, "descriptions of metrics"),
        ):
            if count > limit:
                raise TooManyEntriesError(count, limit, what)
