"""The batch that every metrics wire becomes: samples of numbered series."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples of series that a catalogue has numbered; arrays of one length.

    Attributes:
        series: int32, the catalogue's numbers.
        time_ms: int64, milliseconds since 1970 UTC.
        values: float64; any NaN here is a value.
        stale: stale markers that were left out.
        exemplars: exemplars that were dropped.
    """

    series: npt.NDArray[np.int32]
    time_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    stale: int = 0
    exemplars: int = 0

    def __len__(self) -> int:
        return len(self.values)


def joined(batches: Sequence[SampleBatch]) -> SampleBatch:
    """All of them as one, in order; without a copy where there is only one."""
    if len(batches) == 1:
        return batches[0]
    return SampleBatch(
        np.concatenate([np.empty(0, np.int32), *(batch.series for batch in batches)]),
        np.concatenate([np.empty(0, np.int64), *(batch.time_ms for batch in batches)]),
        np.concatenate([np.empty(0, np.float64), *(batch.values for batch in batches)]),
        sum(batch.stale for batch in batches),
        sum(batch.exemplars for batch in batches),
    )
