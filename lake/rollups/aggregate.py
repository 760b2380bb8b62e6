"""Samples to buckets, and buckets to wider buckets: NumPy on sorted columns, no loop over series.

The definition, for one series in the order of time:

* Of several samples of one time the last written counts. A value that is NaN is left out then.
* A bucket is `[time, time + width)`; it has a row where it has a sample. `last` is the value of
  its latest sample.
* The *rise* of a sample is how much it is above the one before; a fall is a counter's reset,
  after which the new value is the rise. The first sample of a series has a rise of 0, and so has
  one after a silence: when none of the `LOOKBACK` five-minute slots before its own has a sample.
* `increase` is the sum of the rises of the bucket's samples. Each rise is in the bucket of the
  later sample, so increases of neighbouring buckets add up to that of both.

So `min`, `max`, `count`, `last` of wider buckets follow exactly from those of narrower ones; `sum`
and `increase` up to the rounding of a sum in another order.
"""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

Chosen = npt.NDArray[np.bool_] | npt.NDArray[np.intp]
"""Whether each row, or which rows in which order."""

SLOT = 300_000_000
"""Microseconds of the finest buckets that are stored, and the grain of `LOOKBACK`."""

HOUR = 3_600_000_000

LOOKBACK = 12
"""Slots: an hour bridges a lost connection and a job that runs every half hour, and keeps what a
late sample can change near it."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns of equal length, ordered by (series, time); of equal times the last written is last.

    Attributes:
        series: which series; only whether neighbours differ matters.
        time: microseconds since 1970.
        value: as stored, NaN included.
    """

    series: Integers
    time: Integers
    value: Floats


@dataclass(frozen=True, slots=True)
class Buckets:
    """Columns of equal length, ordered by (series, time), each pair once."""

    series: Integers
    time: Integers
    min: Floats
    max: Floats
    sum: Floats
    count: Integers
    last: Floats
    increase: Floats

    def where(self, chosen: Chosen) -> "Buckets":
        """The rows for which it is true."""
        return Buckets(*(getattr(self, name)[chosen] for name in COLUMNS))

    def of(self, series: Integers) -> "Buckets":
        """The same, of other series."""
        return replace(self, series=series)


COLUMNS = tuple(field.name for field in fields(Buckets))


def aggregate(samples: Samples, width: int) -> Buckets:
    """Buckets of `width` microseconds.

    >>> time = np.array([0, 60, 310, 320]) * 1_000_000
    >>> rows = Samples(np.zeros(4, int), time, np.array([5.0, 7.0, 9.0, 1.0]))
    >>> aggregate(rows, SLOT).increase.tolist()
    [2.0, 3.0]
    """
    samples = counted(samples)
    rises = _rises(samples)
    time = samples.time // width * width
    starts = _starts(samples.series, time)
    if len(starts) == 0:
        return _NOTHING
    ends = np.append(starts[1:], len(time)) - 1
    return Buckets(
        series=samples.series[starts],
        time=time[starts],
        min=np.minimum.reduceat(samples.value, starts),
        max=np.maximum.reduceat(samples.value, starts),
        sum=np.add.reduceat(samples.value, starts),
        count=np.diff(np.append(starts, len(time))),
        last=samples.value[ends],
        increase=np.add.reduceat(rises, starts),
    )


def fold(buckets: Buckets, width: int) -> Buckets:
    """The same in wider buckets; `width` is a multiple of theirs."""
    time = buckets.time // width * width
    starts = _starts(buckets.series, time)
    if len(starts) == 0:
        return _NOTHING
    ends = np.append(starts[1:], len(time)) - 1
    return Buckets(
        series=buckets.series[starts],
        time=time[starts],
        min=np.minimum.reduceat(buckets.min, starts),
        max=np.maximum.reduceat(buckets.max, starts),
        sum=np.add.reduceat(buckets.sum, starts),
        count=np.add.reduceat(buckets.count, starts),
        last=buckets.last[ends],
        increase=np.add.reduceat(buckets.increase, starts),
    )


def counted(samples: Samples) -> Samples:
    """Without those that another of the same time replaces, and then without NaN."""
    n = len(samples.time)
    chosen = np.ones(n, bool)
    if n:
        chosen[:-1] = (samples.series[1:] != samples.series[:-1]) | (
            samples.time[1:] != samples.time[:-1]
        )
    chosen &= ~np.isnan(samples.value)
    if chosen.all():
        return samples
    return Samples(samples.series[chosen], samples.time[chosen], samples.value[chosen])


def _rises(samples: Samples) -> Floats:
    rises = np.zeros(len(samples.time))
    if len(rises) < 2:
        return rises
    slot = samples.time // SLOT
    follows = (samples.series[1:] == samples.series[:-1]) & (slot[1:] - slot[:-1] <= LOOKBACK)
    new, old = samples.value[1:], samples.value[:-1]
    # Not subtracted where equal: of two infinities it would be NaN.
    rise = np.subtract(new, old, out=np.zeros(len(new)), where=new > old)
    np.copyto(rise, new, where=new < old)
    rises[1:] = np.where(follows, rise, 0.0)
    return rises


def _starts(series: Integers, time: Integers) -> npt.NDArray[np.intp]:
    """Where runs of equal (series, time) begin."""
    if len(time) == 0:
        return np.empty(0, np.intp)
    new = np.ones(len(time), bool)
    new[1:] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
    return np.flatnonzero(new)


_T = TypeVar("_T", np.int64, np.float64)


def _empty(kind: type[_T]) -> npt.NDArray[_T]:
    return np.empty(0, kind)


_NOTHING = Buckets(
    _empty(np.int64),
    _empty(np.int64),
    _empty(np.float64),
    _empty(np.float64),
    _empty(np.float64),
    _empty(np.int64),
    _empty(np.float64),
    _empty(np.float64),
)
