"""Known faults put into clean history: labels without a labeller.

Each kind of fault is one way in which a metric of a fleet goes wrong. Sizes are in units of the
series' own spread and drawn over the range where detectors differ: what everyone finds, or no one
can, tells them apart no better than a coin. A fault is one that the series could have had: counts
stay whole, what never was negative (rates, bytes) stays so, and what never left [0, 1] does not.
And it is one that does harm: fewer errors are no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidParameterError
from detectors.selection.shape import Shape

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FaultKind = Literal["spike", "level_shift", "ramp", "flatline", "variance", "period", "decoupling"]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

# Of a stretch that holds one fault, this part at either end stays clean, and a fault takes at most
# a third: what is normal there must outweigh it.
CLEAN_END = 8
LONGEST_SHARE = 3
# Room below this part of a fault's size turns it round: most of it would be cut off.
LEAST_ROOM = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Injected:
    """Values with faults, both `[n_series, n_times]`.

    Attributes:
        values: float32, as they were wherever `labels` is false.
        labels: of each fault, from its first changed column to its last. A row without a label is
            one in which this kind of fault cannot be, could not be seen or would do no harm.
    """

    values: Float32
    labels: Bool


@dataclass(frozen=True, slots=True, eq=False)
class _Event:
    """One fault a row, before it is made; arrays `[n_series]` or `[n_series, n_columns]`.

    `columns` are those of the event, of which `inside` are within its duration.
    """

    history: Float64
    columns: Int64
    inside: Bool
    duration: Int64
    size: Float64
    shape: Shape
    rng: np.random.Generator

    @property
    def old(self) -> Float64:
        """The values as they are."""
        return self.at(self.columns)

    def at(self, columns: Int64) -> Float64:
        """The values at other columns of the rows; NaN before the first."""
        taken = np.take_along_axis(self.history, np.maximum(columns, 0), axis=1)
        return np.where(columns >= 0, taken, np.nan)

    def move(self) -> Float64:
        """How far the fault takes the series, up or down, wherever there is room, `[n, 1]`."""
        far = self.size * self.shape.spread
        here = np.nan_to_num(self.old[:, 0])
        above, below = self.shape.high - here, here - self.shape.low
        up = self.rng.random(far.size) < 0.5
        up = np.where((above < LEAST_ROOM * far) & (below > above), False, up)
        up = np.where((below < LEAST_ROOM * far) & (above > below), True, up)
        side = self.shape.side
        up = np.where(side == 0, up, side > 0)
        return np.where(up, far, -far)[:, None]


def _shifted(event: _Event) -> Float64:
    return event.old + event.move()


def _ramp(event: _Event) -> Float64:
    part = (np.arange(event.columns.shape[1]) + 1.0) / event.duration[:, None]
    return event.old + event.move() * part


def _flatline(event: _Event) -> Float64:
    """An exporter that repeats what it saw last."""
    start = event.columns[:, :1]
    place = np.arange(event.history.shape[1])
    known = np.isfinite(event.history) & (place < start)
    last = np.where(known, place, -1).max(axis=1)[:, None]
    return np.broadcast_to(event.at(last), event.columns.shape)


def _variance(event: _Event) -> Float64:
    loud = (event.size * event.shape.noise)[:, None]
    return event.old + loud * event.rng.normal(size=event.columns.shape)


def _period(event: _Event) -> Float64:
    """What belongs half a period earlier."""
    period = event.shape.period[:, None]
    moved = event.at(event.columns - period // 2)
    return np.where(period > 0, moved, np.nan)


def _decoupling(event: _Event) -> Float64:
    """What it really did at some other time, while its siblings do what they do now."""
    start, least = event.columns[:, 0], 2 * event.duration
    lag = least + event.rng.random(start.size) * np.maximum(start - least, 0)
    return event.at(event.columns - np.rint(lag).astype(np.int64)[:, None])


@dataclass(frozen=True, slots=True)
class _Kind:
    """Columns that it lasts and sizes, each from … to; both are drawn on a log scale."""

    make: Callable[[_Event], Float64]
    lasts: tuple[int, int]
    sizes: tuple[float, float] = (1.0, 1.0)


_KINDS: Mapping[FaultKind, _Kind] = {
    "spike": _Kind(_shifted, (1, 5), (3.0, 12.0)),
    "level_shift": _Kind(_shifted, (8, 90), (1.5, 6.0)),
    "ramp": _Kind(_ramp, (15, 120), (2.0, 8.0)),
    "flatline": _Kind(_flatline, (30, 120)),
    "variance": _Kind(_variance, (8, 90), (2.0, 6.0)),
    "period": _Kind(_period, (30, 120)),
    "decoupling": _Kind(_decoupling, (30, 120)),
}


def inject(
    kind: FaultKind,
    values: Float32,
    first: int,
    shape: Shape,
    seed: int,
    *,
    events: int = 1,
    coupled: Bool | None = None,
) -> Injected:
    """Put faults of one kind into every row, each at its own time, size and direction.

    Args:
        kind: of `KINDS`.
        values: `[n_series, n_times]`, NaN = no data, which no fault fills.
        first: the columns from here on get the faults; those before are history.
        shape: of the same rows, see `shape_of`.
        seed: the same one gives the same faults.
        events: faults a row, each in its own part of the columns.
        coupled: rows that a `decoupling` can be seen of; None = all.

    Raises:
        InvalidParameterError: if there is no such kind, or no room for so many events.

    >>> values = np.random.default_rng(0).normal(50.0, 1.0, size=(1, 400)).astype("f4")
    >>> from detectors.selection.shape import shape_of
    >>> found = inject("level_shift", values, 200, shape_of(values), seed=0)
    >>> bool((found.values != values)[found.labels].all()), int(found.labels[0, :200].sum())
    (True, 0)
    """
    if kind not in KINDS:
        raise InvalidParameterError("kind", kind, f"must be one of {', '.join(KINDS)}")
    stretch = (values.shape[1] - first) // max(events, 1)
    if first < 0 or events < 1 or stretch < CLEAN_END:
        rule = f"needs at least {CLEAN_END} columns each, of {values.shape[1] - first}"
        raise InvalidParameterError("events", events, rule)
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    history = values.astype(np.float64)
    out, labels = values.copy(), np.zeros(values.shape, dtype=np.bool_)
    for number in range(events):
        event = _place(_KINDS[kind], history, first + number * stretch, stretch, shape, rng)
        able = None if kind != "decoupling" else coupled
        _apply(_KINDS[kind].make(event), event, able, out, labels)
    return Injected(out, labels)


def _place(
    kind: _Kind,
    history: Float64,
    begin: int,
    stretch: int,
    shape: Shape,
    rng: np.random.Generator,
) -> _Event:
    n = history.shape[0]
    lasts = np.minimum(kind.lasts, max(stretch // LONGEST_SHARE, 1))
    duration = np.rint(_between(lasts[0], lasts[1], n, rng)).astype(np.int64)
    margin = stretch // CLEAN_END
    spare = np.maximum(stretch - 2 * margin - duration, 0)
    start = begin + margin + np.floor(rng.random(n) * (spare + 1)).astype(np.int64)
    offsets = np.arange(int(duration.max(initial=1)))
    columns = np.minimum(start[:, None] + offsets, history.shape[1] - 1)
    size = _between(*kind.sizes, n, rng)
    return _Event(history, columns, offsets < duration[:, None], duration, size, shape, rng)


def _between(low: float, high: float, n: int, rng: np.random.Generator) -> Float64:
    drawn: Float64 = low * (high / low) ** rng.random(n)
    return drawn


def _apply(made: Float64, event: _Event, able: Bool | None, out: Float32, labels: Bool) -> None:
    """Write a fault into `out` and `labels`, in the rows where it can be seen."""
    old = event.old
    most = float(np.finfo(np.float32).max)
    new = np.clip(event.shape.admit(made), -most, most)
    has = event.inside & np.isfinite(old) & np.isfinite(new)
    far = event.shape.harm(np.where(has, new, 0.0) - np.where(has, old, 0.0))
    seen = far.max(axis=1, initial=0.0) >= np.maximum(event.shape.noise, event.shape.least)
    if able is not None:
        seen &= able
    narrow = np.where(has, new, 0.0).astype(np.float32)
    changed = has & seen[:, None] & (narrow != np.where(has, old, 0.0).astype(np.float32))
    rows, places = np.nonzero(changed)
    out[rows, event.columns[rows, places]] = narrow[rows, places]
    # From the first changed column to the last.
    onward = np.maximum.accumulate(changed, axis=1)
    back = np.maximum.accumulate(changed[:, ::-1], axis=1)[:, ::-1]
    rows, places = np.nonzero(onward & back)
    labels[rows, event.columns[rows, places]] = True
