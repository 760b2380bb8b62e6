"""What a reader of files gives: samples that make one commit, and how far the file is then read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest.samples import SampleBatch
from lake.timerange import EPOCH

CHUNK = 1_000_000
"""Samples of a commit, about: 20 MB of arrays, and a Parquet file of a good size a day."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a file.

    Attributes:
        batch: its samples.
        done: rows or lines of the file up to its end.
        share: about how much of the file that is, 0 to 1.
        exemplars: exemplars that were dropped.
    """

    batch: SampleBatch
    done: int
    share: float
    exemplars: int = 0


class Reader(Protocol):
    """Reads one file, as often as one likes.

    Attributes:
        lacking: which of `cluster` and `metric` some row read so far did not name itself, so that
            what is given for such rows decides which series they are of.
    """

    lacking: set[str]

    def chunks(self, skip: int) -> Iterator[Chunk]:
        """What comes after the first `skip` rows or lines, in order; at least one chunk.

        Raises:
            FileFormatError: the file is wrong; the message has the place.
            InvalidLabelsError, ClusterMissingError: a row breaks the data model.
        """
        ...


def wrong_time(time_ms: npt.NDArray[np.int64], latest: datetime) -> tuple[int, str] | None:
    """The place of the first time that cannot be right, and what is wrong with it.

    >>> wrong_time(np.array([0, 86_400_001]), datetime(1970, 1, 2, tzinfo=UTC))[0]
    1
    """
    latest_ms = (latest - EPOCH) // timedelta(milliseconds=1)
    wrong = (time_ms < 0) | (time_ms > latest_ms)
    if not wrong.any():
        return None
    place = int(np.argmax(wrong))
    ms = int(time_ms[place])
    try:
        shown = (EPOCH + timedelta(milliseconds=ms)).isoformat()
    except OverflowError:
        shown = f"{ms} ms after 1970"
    if ms < 0:
        return place, f"is of {shown}, before 1970"
    return place, f"is of {shown}, the latest accepted is {latest.astimezone(UTC).isoformat()}"
