"""A history of three clusters with faults of known truth, as chunks that a sender can push."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.errors import UnusableRangeError
from ingest.simulation.event_forge import Recorded
from ingest.simulation.fault import Fault
from ingest.simulation.scene import play, set_scene, tell
from ingest.simulation.timeline import FloatArray, Timeline


@dataclass(frozen=True, eq=False)
class Chunk:
    """The samples of all series in `[start, end)`, one block a series, ascending in time.

    Attributes:
        start: First instant covered.
        end: First instant not covered.
        series: Series number of each block, int32 `[blocks]`; a series without samples is absent.
        offsets: Block `i` is `offsets[i]:offsets[i + 1]` of the samples, int64 `[blocks + 1]`.
        time_ms: Unix time of each sample, milliseconds, int64 `[samples]`.
        value: Value of each sample, float64 `[samples]`.
    """

    start: datetime
    end: datetime
    series: NDArray[np.int32]
    offsets: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    value: FloatArray


@dataclass(frozen=True, eq=False)
class Simulation:
    """A finished history; made by `simulate`.

    Attributes:
        series: Label set of each series, `__name__` and `cluster` included.
        kinds: Kind of each metric family, `counter` or `gauge`.
        start: First instant.
        end: First instant after the history.
        step: Scrape interval.
        faults: The truth, in order of begin.
        events: (time, cluster, JSON body), in order of time.
        values: Value at each scrape, NaN where there is no sample, `[series, n]`.
        scrape_offsets: Milliseconds from a grid instant to the scrape, less than a step,
            `[series]`.
    """

    series: tuple[dict[str, str], ...]
    kinds: dict[str, str]
    start: datetime
    end: datetime
    step: timedelta
    faults: tuple[Fault, ...]
    events: tuple[Recorded, ...]
    values: FloatArray = field(repr=False)
    scrape_offsets: NDArray[np.int64] = field(repr=False)

    @property
    def samples(self) -> int:
        """Number of samples in all chunks together."""
        return int(np.count_nonzero(~np.isnan(self.values)))

    def chunks(self, span: timedelta = timedelta(minutes=10)) -> Iterator[Chunk]:
        """The history in slices of `span`, in order of time, the last one perhaps shorter.

        Raises:
            UnusableRangeError: `span` is not positive.
        """
        if span <= timedelta(0):
            raise UnusableRangeError("span", span, "more than 0:00:00")
        start = self.start
        while start < self.end:
            end = min(start + span, self.end)
            yield self._chunk(start, end)
            start = end

    def _chunk(self, start: datetime, end: datetime) -> Chunk:
        step = round(self.step.total_seconds() * 1000)
        origin = round(self.start.timestamp() * 1000)
        low = round(start.timestamp() * 1000) - origin
        high = round(end.timestamp() * 1000) - origin
        # A scrape at k * step + offset is in [low, high); one column more than that is looked at
        # on the left, because offsets differ.
        first = max(low // step - 1, 0)
        columns = np.arange(first, min(-(-high // step), self.values.shape[1]))
        time = columns[None, :] * step + self.scrape_offsets[:, None]
        values = self.values[:, columns]
        present = (time >= low) & (time < high) & ~np.isnan(values)
        counts = np.count_nonzero(present, axis=1)
        filled = np.flatnonzero(counts)
        return Chunk(
            start=start,
            end=end,
            series=filled.astype(np.int32),
            offsets=np.concatenate([[0], np.cumsum(counts[filled])]).astype(np.int64),
            time_ms=time[present].astype(np.int64) + origin,
            value=values[present],
        )


def simulate(
    *,
    end: datetime,
    duration: timedelta = timedelta(days=2),
    step: timedelta = timedelta(seconds=30),
    seed: int = 7,
) -> Simulation:
    """Simulate the fleet up to `end`: the same arguments give the same bytes.

    The first 60 % of the history are clean and fit for training; all faults lie in the rest.
    A history shorter than a day may show its nightly job only after the clean part.

    Args:
        end: First instant after the history, with a time zone.
        duration: Length, at least 12 hours.
        step: Scrape interval, 1 second to 5 minutes.
        seed: Chooses names, noise and the exact minutes of the faults.

    Raises:
        UnusableRangeError: An argument is outside its bounds.
    """
    timeline = Timeline.until(end, duration, step)
    scene = set_scene(timeline, seed)
    sheet = play(scene)
    return Simulation(
        series=tuple(sheet.labels),
        kinds=sheet.kinds,
        start=timeline.start,
        end=timeline.end,
        step=step,
        faults=tuple(scenario.fault for scenario in scene.script),
        events=tell(scene),
        values=sheet.matrix(),
        scrape_offsets=sheet.scrape_offsets(),
    )
