"""Labels as they were sent become canonical: checked, sorted, with their cluster, one run of bytes.

    name 0xff value 0xff name 0xff value 0xff …        names in ascending order, with `cluster`

What senders write is in order already, so all of it is done in compiled code, 1 µs a series. A
series that is not as it should be is left to `ingest.series.identify`, which repairs it or says
what is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.compiled import compiled
from ingest.protobuf import BYTES, field
from ingest.series import SEPARATOR, Series

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_NAME, _VALUE = 1, 2
_END = np.uint8(SEPARATOR[0])
_METRIC = np.frombuffer(b"__name__", np.uint8)
_CLUSTER = np.frombuffer(b"cluster", np.uint8)


@dataclass(frozen=True, slots=True)
class Canonical:
    """Canonical labels of several series.

    Attributes:
        data: bytes of all of them.
        bounds: int64[n, 2], the slice of each; empty where `identify` is to look.
        metrics: int64[n, 2], the slice of each metric name.
        clusters: int64[n, 2], the slice of each cluster.
    """

    data: Bytes
    bounds: Ints
    metrics: Ints
    clusters: Ints


@dataclass(frozen=True, slots=True)
class Named:
    """Series to be numbered: the id, canonical labels (`ingest.naming`) and names of each."""

    ids: Ints
    labels: list[bytes]
    metrics: list[bytes]
    clusters: list[bytes]

    @classmethod
    def of(cls, series: Sequence[Series]) -> "Named":
        """The same from series one by one."""
        return cls(
            np.fromiter((one.series_id for one in series), np.int64, len(series)),
            [one.canonical for one in series],
            [one.metric.encode() for one in series],
            [one.cluster.encode() for one in series],
        )


@compiled
def _label(data, at, end):
    """Slices of the name and value of a serialised label; a start of -1 = it is none."""
    name, name_end, value, value_end = 0, 0, 0, 0
    while at < end:
        number, kind, start, at = field(data, at, end)
        if at < 0 or (number <= _VALUE and kind != BYTES):
            return -1, 0, 0, 0
        if number == _NAME:
            name, name_end = start, at
        elif number == _VALUE:
            value, value_end = start, at
    return name, name_end, value, value_end


@compiled
def _is_name(data, start, end, colons):
    """Whether a slice is [a-zA-Z_][a-zA-Z0-9_]*, with colons as letters if they are allowed."""
    for at in range(start, end):
        byte = data[at]
        letter = (97 <= byte <= 122) or (65 <= byte <= 90) or byte == 95 or (colons and byte == 58)
        if not letter and not (at > start and 48 <= byte <= 57):
            return False
    return end > start


@compiled
def _compare(a, a_start, a_end, b, b_start, b_end):
    """Negative, 0 or positive as the first slice sorts before, as, or after the second."""
    for offset in range(min(a_end - a_start, b_end - b_start)):
        difference = np.int64(a[a_start + offset]) - np.int64(b[b_start + offset])
        if difference:
            return difference
    return (a_end - a_start) - (b_end - b_start)


@compiled
def _is_ascii(data, start, end):
    bits = np.uint8(0)
    for at in range(start, end):
        bits |= data[at]
    return bits < 0x80


@compiled
def _append(out, at, data, start, end):
    for offset in range(end - start):
        out[at + offset] = data[start + offset]
    out[at + end - start] = _END
    return at + end - start + 1


@compiled
def _one(data, at, end, cluster, replica, limits, out, filled, metric, found):
    """Write one series to `out` from `filled` on; where it ends, or -1 for an irregular one."""
    last, last_end, labels = -1, -1, 0
    metric[1] = found[1] = 0
    while at < end:
        _, _, start, at = field(data, at, end)
        if at < 0:
            return -1
        name, name_end, value, value_end = _label(data, start, at)
        labels += 1
        if (
            name < 0
            or labels > limits[0]
            or name_end - name > limits[1]
            or value_end - value > limits[2]
            or value_end == value
            or not _is_name(data, name, name_end, False)
            or not _is_ascii(data, value, value_end)
            or (last >= 0 and _compare(data, last, last_end, data, name, name_end) >= 0)
            or _compare(data, name, name_end, replica, 0, len(replica)) == 0
        ):
            return -1
        order = _compare(data, name, name_end, _CLUSTER, 0, len(_CLUSTER))
        if order > 0 and found[1] == 0 and len(cluster):
            filled = _append(out, filled, _CLUSTER, 0, len(_CLUSTER))
            found[0], found[1] = filled, filled + len(cluster)
            filled = _append(out, filled, cluster, 0, len(cluster))
        filled = _append(out, filled, data, name, name_end)
        if order == 0:
            found[0], found[1] = filled, filled + value_end - value
        if _compare(data, name, name_end, _METRIC, 0, len(_METRIC)) == 0:
            if not _is_name(data, value, value_end, True):
                return -1
            metric[0], metric[1] = filled, filled + value_end - value
        filled = _append(out, filled, data, value, value_end)
        last, last_end = name, name_end
    if found[1] == 0 and len(cluster):
        filled = _append(out, filled, _CLUSTER, 0, len(_CLUSTER))
        found[0], found[1] = filled, filled + len(cluster)
        filled = _append(out, filled, cluster, 0, len(cluster))
    return filled if metric[1] and found[1] else -1


@compiled
def _all(data, starts, ends, cluster, replica, limits, out, bounds, metrics, clusters):
    filled = 0
    for index in range(len(starts)):
        after = _one(
            data, starts[index], ends[index], cluster, replica, limits, out, filled,
            metrics[index], clusters[index],
        )  # fmt: skip
        bounds[index, 0], bounds[index, 1] = filled, max(after, filled)
        filled = max(after, filled)


def canonical(
    data: Bytes,
    starts: Ints,
    ends: Ints,
    cluster: str | None,
    *,
    replica_label: str = "",
    max_labels: int = 256,
    max_name: int = 1 << 31,
    max_value: int = 1 << 31,
) -> Canonical:
    """Put labels into their canonical form, as far as they are regular.

    Args:
        data: the bytes that the labels are slices of.
        starts: int64[n], where each series' labels begin: serialised `Label` fields.
        ends: int64[n], where they end.
        cluster: cluster of series that name none.
        replica_label: a series with this label is irregular.
        max_labels: as is one with more labels,
        max_name: a label name of more bytes,
        max_value: or a value of more.
    """
    named = np.frombuffer((cluster or "").encode(), np.uint8)
    # A label loses at least two bytes of tags and lengths, and gains two separators.
    room = int((ends - starts).sum()) + len(starts) * (len(_CLUSTER) + len(named) + 4)
    made = Canonical(
        np.empty(room, np.uint8), *(np.zeros((len(starts), 2), np.int64) for _ in range(3))
    )
    _all(
        data,
        starts,
        ends,
        named,
        np.frombuffer(replica_label.encode(), np.uint8),
        np.array([max_labels, max_name, max_value]),
        made.data,
        made.bounds,
        made.metrics,
        made.clusters,
    )
    return made
