"""From a request body to samples of known series."""

from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest.errors import InvalidLabelsError, TimestampError
from ingest.remote_write import message
from ingest.remote_write.message import Message, Metadata
from ingest.samples import SampleBatch
from ingest.series import Series, identify

STALE_NAN_BITS = 0x7FF0000000000002
"""Prometheus' stale marker: this very NaN says that a series has ended. It is not a value."""

KINDS = {
    1: "counter",
    2: "gauge",
    3: "histogram",
    4: "gaugehistogram",
    5: "summary",
    6: "info",
    7: "stateset",
}
"""Prometheus' `MetricMetadata.MetricType`, without 0 (unknown)."""

MILLISECOND = timedelta(milliseconds=1)
EPOCH_MS = 0


class SeriesCatalogue(Protocol):
    """Numbers series by what their sender calls them; see `ingest.catalogue`."""

    def find(self, keys: list[bytes], default_cluster: str | None) -> list[int | None]:
        """The number of each key, None where it was never seen."""
        ...

    def add(self, key: bytes, default_cluster: str | None, series: Series) -> int:
        """Number the series and remember that this key names it."""
        ...

    def describe(self, metadata: tuple[Metadata, ...]) -> None:
        """Take notice of what metric families are."""
        ...

    def name(self, number: int) -> str:
        """The series as a person would write it."""
        ...


def decode(
    payload: bytes,
    catalogue: SeriesCatalogue,
    *,
    default_cluster: str | None,
    latest: datetime,
) -> SampleBatch:
    """Decode an uncompressed request; refuse it whole if any part of it is wrong.

    Args:
        payload: the unpacked body.
        catalogue: where series get their numbers; new ones are added only if all are valid.
        default_cluster: cluster of series without a `cluster` label.
        latest: samples after this are refused.

    Returns:
        The samples, stale markers left out and counted.

    Raises:
        MalformedBodyError, UnsupportedSampleError: see `message.parse`.
        InvalidLabelsError, ClusterMissingError: a series that breaks the data model.
        TimestampError: a sample from the future, or before 1970.
    """
    request = message.parse(payload)
    _check_times(request, latest)
    numbers = _resolve(request, catalogue, default_cluster)
    catalogue.describe(request.metadata)
    values = request.values
    series = np.repeat(numbers, request.counts)
    stale = values.view(np.uint64) == STALE_NAN_BITS
    n_stale = int(np.count_nonzero(stale))
    if n_stale:
        keep = ~stale
        return SampleBatch(
            series[keep], request.time_ms[keep], values[keep], n_stale, request.exemplars
        )
    return SampleBatch(series, request.time_ms, values, 0, request.exemplars)


def _resolve(
    request: Message, catalogue: SeriesCatalogue, default_cluster: str | None
) -> npt.NDArray[np.int32]:
    found = catalogue.find(request.keys, default_cluster)
    fresh = {i: _identify(request, i, default_cluster) for i, n in enumerate(found) if n is None}
    for index, series in fresh.items():
        found[index] = catalogue.add(request.keys[index], default_cluster, series)
    return np.array(found, dtype=np.int32)


def _identify(request: Message, index: int, default_cluster: str | None) -> Series:
    pairs = []
    for name, value in request.label_pairs(index):
        try:
            pairs.append((name.decode(), value.decode()))
        except UnicodeDecodeError as error:
            raise InvalidLabelsError(
                f"number {index}", f"label {name!r} or its value {value!r} is not UTF-8"
            ) from error
    return identify(pairs, default_cluster)


def _check_times(request: Message, latest: datetime) -> None:
    if len(request.time_ms) == 0:
        return
    latest_ms = int(latest.timestamp() * 1000)
    for wrong, rule in (
        (request.time_ms > latest_ms, f"is later than {latest.isoformat()}, the latest accepted"),
        (request.time_ms < EPOCH_MS, "is before 1970"),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            index = int(np.searchsorted(np.cumsum(request.counts), first, side="right"))
            pairs = request.label_pairs(index)
            shown = "{" + ", ".join(f"{n!r}: {v!r}" for n, v in pairs).replace("b'", "'") + "}"
            raise TimestampError(shown, int(request.time_ms[first]), rule)
