"""How abnormal the last columns were together, over several spans at once.

One column of noise is as loud as one column of a fault; what tells them apart is that a fault
goes on. A long mean sees faint faults and is late, a short one is early and sees loud ones only:
the mean of both ranks them better than either, and a single column that is out by far is not
taken for a fault that lasts. Of a fault's first column about a third counts at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled
from detectors.errors import InvalidParameterError

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


def over_spans(loudness: Float32, spans: tuple[int, ...]) -> Float32:
    """Return the mean over the spans of each column's trailing mean.

    Args:
        loudness: float32 `[n_rows, n_times]`, not negative; NaN = cannot tell, and stays NaN.
        spans: columns looked back on, the column itself among them.

    >>> over_spans(np.array([[0.0, 4.0, 0.0]], dtype="f4"), (1, 2))
    array([[0., 3., 1.]], dtype=float32)
    """
    out = np.empty_like(loudness)
    _over_spans(np.ascontiguousarray(loudness), np.array(spans, dtype=np.int64), out)
    return out


def check_spans(spans: tuple[int, ...]) -> None:
    """Refuse spans that are not positive and ascending.

    Raises:
        InvalidParameterError: naming them.
    """
    # They come from settings files: whatever the annotation says, they may be anything.
    given: tuple[object, ...] = spans
    whole = all(isinstance(span, int) and span > 0 for span in given)
    if not spans or not whole or list(spans) != sorted(set(spans)):
        raise InvalidParameterError("spans", spans, "must be positive whole numbers that ascend")


@compiled
def _over_spans(loudness: Float32, spans: Int64, out: Float32) -> None:
    """Sum afresh for each column: a running sum would make a column depend on the panel's start."""
    n_rows, n_times = loudness.shape
    for row in range(n_rows):
        for t in range(n_times):
            if np.isnan(loudness[row, t]):
                out[row, t] = np.nan
                continue
            mean = 0.0
            total = 0.0
            count = 0
            back = 0
            for span in spans:
                while back < span and back <= t:
                    value = loudness[row, t - back]
                    if not np.isnan(value):
                        total += value
                        count += 1
                    back += 1
                mean += total / count
            out[row, t] = mean / spans.size
