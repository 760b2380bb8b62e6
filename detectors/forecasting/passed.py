"""Since when a series is past its threshold, where that has been seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def passed_between(
    values: Float64, threshold: Float64, *, step_hours: float
) -> tuple[Float64, Float64]:
    """When series passed what they are past now: not before, and not after, as hours from now.

    A column's mean is at the threshold where the value has been so for half of it, so a column
    below it may have passed in its second half: the earliest is half a column before its end.

    Args:
        values: `[n, width]`, NaN = no data; the last column ends now.
        threshold: `[n]`, that the newest value of each is at or above.
        step_hours: hours a column.

    Returns:
        Two times `[n]`, none positive, NaN where no value is below: it is past for as long as is
        looked back.

    >>> disk = np.array([[70.0, 79.0, 81.0, np.nan, 82.0], [90.0, 90.0, 90.0, 90.0, 90.0]])
    >>> [hours.tolist() for hours in passed_between(disk, np.array([80.0, 80.0]), step_hours=1.0)]
    [[-3.5, nan], [-2.0, nan]]
    """
    width = values.shape[1]
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        below = known & (values < threshold[:, None])
    last = width - 1 - below[:, ::-1].argmax(axis=1)
    first = (known & (np.arange(width) > last[:, None])).argmax(axis=1)
    seen = below.any(axis=1)
    lower = np.where(seen, last - (width - 1) - 0.5, np.nan) * step_hours
    upper = np.where(seen, first - (width - 1.0), np.nan) * step_hours
    return lower, upper
