"""From a request body to samples of known series."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest.errors import InvalidLabelsError, TimestampError
from ingest.remote_write import message
from ingest.remote_write.message import Message, Metadata
from ingest.samples import SampleBatch
from ingest.series import Series, identify
from lake.timerange import EPOCH

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

MAX_LABELS = 256
"""Of one series; Mimir allows 30, VictoriaMetrics 40."""

MAX_CLUSTERS = 16
"""For which descriptions are kept apart. A sender is of one; more come from a proxy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may hold: samples from `earliest` to `latest`, both included."""

    earliest: datetime
    latest: datetime
    max_series: int = message.NO_LIMIT
    max_metadata: int = message.NO_LIMIT


EVERYTHING = Limits(EPOCH, datetime.max.replace(tzinfo=UTC))
"""For replay: what was acknowledged goes in, whatever the settings have become since."""


class SeriesCatalogue(Protocol):
    """Numbers series by what their sender calls them; see `ingest.catalogue`."""

    def find(self, keys: list[bytes], default_cluster: str | None) -> list[int | None]:
        """The number of each key, None where it was never seen."""
        ...

    def add(self, key: bytes, default_cluster: str | None, series: Series) -> int:
        """Number the series and remember that this key names it."""
        ...

    def describe(self, metadata: Sequence[Metadata], clusters: Sequence[str | None]) -> None:
        """Take notice of what metric families are in these clusters; None = who knows where."""
        ...

    def count_by_cluster(self, numbers: npt.NDArray[np.int32]) -> list[tuple[str, int]]:
        """How many of these series numbers, repeats included, are of each cluster."""
        ...

    def name(self, number: int) -> str:
        """The series as a person would write it."""
        ...


def decode(
    payload: bytes,
    catalogue: SeriesCatalogue,
    *,
    default_cluster: str | None,
    limits: Limits = EVERYTHING,
    stated: bool = False,
) -> SampleBatch:
    """Decode an uncompressed request; refuse it whole if any part of it is wrong.

    Args:
        payload: the unpacked body.
        catalogue: where series get their numbers; new ones are added only if all are valid.
        default_cluster: cluster of series without a `cluster` label.
        limits: what a request may hold.
        stated: the request itself names the default cluster, so its descriptions are of it.

    Returns:
        The samples, stale markers left out and counted.

    Raises:
        MalformedBodyError, UnsupportedSampleError: see `message.parse`.
        InvalidLabelsError, ClusterMissingError: a series that breaks the data model.
        TimestampError: a sample from the future, or too far from the past.
        TooManyEntriesError: more series or descriptions than allowed.
        TooManySeriesError: new series where no more fit.
    """
    request = message.parse(payload, limits.max_series, limits.max_metadata)
    _check_times(request, limits)
    numbers = _resolve(request, catalogue, default_cluster)
    if request.metadata:
        whose = [default_cluster] if stated else _clusters(catalogue, numbers)
        catalogue.describe(request.metadata, whose)
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
    if None not in found:
        return np.array(found, dtype=np.int32)
    # By key: a series that stands in the request many times is looked at once.
    fresh = {request.keys[i]: i for i, number in enumerate(found) if number is None}
    new = {key: _identify(request, i, default_cluster) for key, i in fresh.items()}
    numbers = {key: catalogue.add(key, default_cluster, one) for key, one in new.items()}
    for index, number in enumerate(found):
        if number is None:
            found[index] = numbers[request.keys[index]]
    return np.array(found, dtype=np.int32)


def _clusters(catalogue: SeriesCatalogue, numbers: npt.NDArray[np.int32]) -> Sequence[str | None]:
    """Whose descriptions come with these series; a request of descriptions alone has none."""
    found = [cluster for cluster, _ in catalogue.count_by_cluster(numbers)]
    return found if 0 < len(found) <= MAX_CLUSTERS else [None]


def _identify(request: Message, index: int, default_cluster: str | None) -> Series:
    n_labels = int(request.label_offsets[index + 1] - request.label_offsets[index])
    if n_labels > MAX_LABELS:
        raise InvalidLabelsError(
            f"number {index}", f"has {n_labels} labels, at most {MAX_LABELS} are accepted"
        )
    pairs = []
    for name, value in request.label_pairs(index):
        try:
            pairs.append((name.decode(), value.decode()))
        except UnicodeDecodeError as error:
            raise InvalidLabelsError(
                f"number {index}", f"label {name!r} or its value {value!r} is not UTF-8"
            ) from error
    return identify(pairs, default_cluster)


def _check_times(request: Message, limits: Limits) -> None:
    if len(request.time_ms) == 0:
        return
    latest, earliest = limits.latest, limits.earliest
    latest_ms, earliest_ms = (int(limit.timestamp() * 1000) for limit in (latest, earliest))
    for wrong, rule in (
        (request.time_ms > latest_ms, f"is later than {latest.isoformat()}, the latest accepted"),
        (request.time_ms < 0, "is before 1970"),
        (
            request.time_ms < earliest_ms,
            f"is earlier than {earliest.isoformat()}, the earliest accepted over the wire "
            "(import older data from files)",
        ),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            index = int(np.searchsorted(np.cumsum(request.counts), first, side="right"))
            pairs = request.label_pairs(index)
            shown = "{" + ", ".join(f"{n!r}: {v!r}" for n, v in pairs).replace("b'", "'") + "}"
            raise TimestampError(shown, int(request.time_ms[first]), rule)
