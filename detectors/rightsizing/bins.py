"""A logarithmic scale: each bin is 2 % wide."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

GROWTH = 1.02
"""From a bin's lower edge to its upper one: finer than any request needs to be, and a container has
some hundred bins."""

NOTHING = -32_768
"""The bin of no use at all, which a logarithmic scale has not."""

_LOG = float(np.log(GROWTH))


def bins_of(values: npt.ArrayLike) -> Int64:
    """The bin of each value; whatever is not positive is in `NOTHING`.

    >>> bins_of([1.0, 1.01, 1.03, 0.0]).tolist()
    [0, 0, 1, -32768]
    """
    told = np.asarray(values, dtype=np.float64)
    positive = told > 0.0
    places = np.floor(np.log(np.where(positive, told, 1.0)) / _LOG).astype(np.int64)
    return np.where(positive, places, NOTHING)


def edges(bins: npt.ArrayLike) -> Float64:
    """Lower edge of each bin, 0 of `NOTHING`; the upper one is that of the bin after it.

    >>> edges([0, 1, NOTHING]).tolist()
    [1.0, 1.02, 0.0]
    """
    told = np.asarray(bins, dtype=np.int64)
    return np.where(told == NOTHING, 0.0, np.exp(np.where(told == NOTHING, 0, told) * _LOG))
