"""The batch that every metrics wire becomes: samples of numbered series."""

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
