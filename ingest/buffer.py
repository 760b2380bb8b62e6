"""What is acknowledged and not yet in the lake."""

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.catalogue import Catalogue
from ingest.samples import SampleBatch
from lake.schema import SAMPLES

MICROS_A_MILLI = 1000


@dataclass(frozen=True, slots=True)
class Drained:
    """A cut of the buffer: everything logged up to `position` and not flushed before."""

    position: int
    samples: SampleBatch | None
    events: tuple[pa.Table, ...]


class Buffer:
    """Batches in the order of their log positions. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: list[SampleBatch] = []
        self._events: list[pa.Table] = []
        self._position = 0
        self._n_samples = 0
        self._event_bytes = 0

    def add_samples(self, position: int, batch: SampleBatch) -> None:
        """Add a batch that was logged at `position`."""
        with self._lock:
            self._samples.append(batch)
            self._n_samples += len(batch)
            self._position = position

    def add_events(self, position: int, rows: pa.Table) -> None:
        """Add rows of `events` that were logged at `position`."""
        with self._lock:
            self._events.append(rows)
            self._event_bytes += rows.nbytes
            self._position = position

    def n_samples(self) -> int:
        """How many samples wait."""
        return self._n_samples

    def event_bytes(self) -> int:
        """How much memory the waiting events take."""
        return self._event_bytes

    def drain(self) -> Drained | None:
        """Take everything; None if there is nothing."""
        with self._lock:
            if not self._samples and not self._events:
                return None
            cut = Drained(self._position, _concat(self._samples), tuple(self._events))
            self._samples, self._events = [], []
            self._n_samples = self._event_bytes = 0
            return cut


def _concat(batches: list[SampleBatch]) -> SampleBatch | None:
    if not batches:
        return None
    return SampleBatch(
        np.concatenate([batch.series for batch in batches]),
        np.concatenate([batch.time_ms for batch in batches]),
        np.concatenate([batch.values for batch in batches]),
    )


@dataclass(frozen=True, slots=True)
class Sorted:
    """Samples in the lake's order, and the series rows they need."""

    samples: pa.Table
    numbers: npt.NDArray[np.int64]
    first_us: npt.NDArray[np.int64]
    last_us: npt.NDArray[np.int64]


def sort(batch: SampleBatch, catalogue: Catalogue) -> Sorted:
    """Order samples by (cluster, metric, series_id, time) and say when each series was seen."""
    columns = catalogue.columns()
    numbers = batch.series.astype(np.int64)
    order = np.lexsort((batch.time_ms, columns.rank[numbers]))
    numbers, time_us = numbers[order], batch.time_ms[order] * MICROS_A_MILLI
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts, len(numbers))[1:] - 1
    samples = pa.table(
        [
            pa.DictionaryArray.from_arrays(
                pa.array(columns.cluster_code[numbers].astype(np.int32)), columns.clusters
            ),
            pa.DictionaryArray.from_arrays(
                pa.array(columns.metric_code[numbers].astype(np.int32)), columns.metrics
            ),
            pa.array(columns.series_id[numbers]),
            pa.array(time_us).cast(SAMPLES.schema.field("time").type),
            pa.array(batch.values[order]),
        ],
        names=SAMPLES.schema.names,
    )
    return Sorted(samples, numbers[starts], time_us[starts], time_us[ends])
