"""What is acknowledged and not yet in the lake."""

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.catalogue import Catalogue
from ingest.columns import Columns
from ingest.compiled import compiled
from ingest.samples import SampleBatch, joined
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
            cut = Drained(
                self._position,
                joined(self._samples) if self._samples else None,
                tuple(self._events),
            )
            self._samples, self._events = [], []
            self._n_samples = self._event_bytes = 0
            return cut


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
    order = _order(batch, columns)
    numbers, time_us = batch.series[order], batch.time_ms[order] * MICROS_A_MILLI
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts, len(numbers))[1:] - 1
    samples = pa.table(
        [
            pa.DictionaryArray.from_arrays(
                pa.array(columns.cluster_code[numbers]), columns.clusters
            ),
            pa.DictionaryArray.from_arrays(pa.array(columns.metric_code[numbers]), columns.metrics),
            pa.array(columns.series_id[numbers]),
            pa.array(time_us).cast(SAMPLES.schema.field("time").type),
            pa.array(batch.values[order]),
        ],
        names=SAMPLES.schema.names,
    )
    return Sorted(samples, numbers[starts].astype(np.int64), time_us[starts], time_us[ends])


def _order(batch: SampleBatch, columns: Columns) -> npt.NDArray[np.int64]:
    """The places of the samples in the lake's order.

    Only the series are compared; samples are then dealt out to them in one pass, in the order in
    which they came, which nearly always is that of time.
    """
    distinct = np.unique(batch.series) if len(batch) < len(columns.series_id) else _present(batch)
    by_name = np.lexsort(
        (
            columns.series_id[distinct],
            columns.metric_rank[columns.metric_code[distinct]],
            columns.cluster_rank[columns.cluster_code[distinct]],
        )
    )
    rank = np.empty(int(distinct[-1]) + 1 if len(distinct) else 0, np.int32)
    rank[distinct[by_name]] = np.arange(len(distinct), dtype=np.int32)
    order = np.empty(len(batch), np.int64)
    if not _deal(rank, batch.series, batch.time_ms, len(distinct), order):
        order = np.lexsort((batch.time_ms, rank[batch.series]))
    return order


def _present(batch: SampleBatch) -> npt.NDArray[np.int64]:
    seen = np.zeros(int(batch.series.max()) + 1 if len(batch) else 0, np.bool_)
    seen[batch.series] = True
    return np.flatnonzero(seen)


@compiled
def _deal(rank, series, time_ms, n_ranks, order):
    """Stable counting sort by rank into `order`; whether times then ascend within each series."""
    ends = np.zeros(n_ranks + 1, np.int64)
    for index in range(len(series)):
        ends[rank[series[index]] + 1] += 1
    for place in range(n_ranks):
        ends[place + 1] += ends[place]
    newest = np.full(n_ranks, np.iinfo(np.int64).min)
    ascending = True
    for index in range(len(series)):
        place = rank[series[index]]
        order[ends[place]] = index
        ends[place] += 1
        ascending &= time_ms[index] >= newest[place]
        newest[place] = time_ms[index]
    return ascending
