"""The wire format as arrays: snappy + protobuf to columns and back, in native code.

A request becomes one binary key per series (the bytes of its labels as they came), and flat
arrays of its samples. Nothing is parsed per series here; `decode.py` looks the keys up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cramjam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ptars import HandlerPool

from ingest.errors import (
    BodyTooLargeError,
    MalformedBodyError,
    TooManyEntriesError,
    UnsupportedSampleError,
)
from ingest.remote_write import remote_write_pb2 as schema

_MESSAGES = schema.DESCRIPTOR.message_types_by_name
_POOL = HandlerPool([schema.DESCRIPTOR])
_REQUEST = _POOL.get_for_message(_MESSAGES["WriteRequest"])
_LABEL = _POOL.get_for_message(_MESSAGES["Label"])
_ARROW = _REQUEST.list_to_record_batch([b""]).schema

MAX_VARINT_BYTES = 5
"""A snappy block states its unpacked size in at most five bytes (32 bits)."""

NO_LIMIT = 1 << 32
"""More than the bytes of any body."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a sender says of a metric family. `kind` is Prometheus' number for it."""

    family: str
    kind: int
    help: str
    unit: str


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded request.

    Attributes:
        keys: one per series, the concatenated bytes of its labels.
        labels: the labels of all series, one serialised label each; series `i` has
            `labels[label_offsets[i]:label_offsets[i + 1]]`.
        label_offsets: int32[n_series + 1].
        counts: int64[n_series], samples of each series.
        time_ms: int64[n_samples], in the order of the series.
        values: float64[n_samples].
        metadata: descriptions of metric families.
        exemplars: number of exemplars, which are dropped.
    """

    keys: list[bytes]
    labels: pa.BinaryArray
    label_offsets: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]
    time_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    metadata: tuple[Metadata, ...]
    exemplars: int

    def label_pairs(self, index: int) -> list[tuple[bytes, bytes]]:
        """The labels of one series as (name, value) bytes, in the order sent."""
        start, end = int(self.label_offsets[index]), int(self.label_offsets[index + 1])
        try:
            pairs = _LABEL.list_to_record_batch(self.labels[start:end].to_pylist())
        except ValueError as error:
            raise MalformedBodyError(f"a label of series {index} is no label: {error}") from error
        return list(zip(pairs.column(0).to_pylist(), pairs.column(1).to_pylist(), strict=True))


def unpack(body: bytes, limit: int) -> bytes:
    """Decompress a snappy block whose unpacked size is at most `limit` bytes.

    Raises:
        MalformedBodyError: it is no snappy block.
        BodyTooLargeError: it would unpack to more; nothing was allocated.
    """
    size = stated_size(body)
    if size > limit:
        raise BodyTooLargeError(size, limit, "unpacked body")
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise MalformedBodyError(f"body is no snappy block: {error}") from error


def pack(payload: bytes) -> bytes:
    """Compress as a snappy block."""
    return bytes(cramjam.snappy.compress_raw(payload))


def stated_size(body: bytes) -> int:
    """What a snappy block says that it unpacks to.

    Raises:
        MalformedBodyError: it says nothing.
    """
    size = 0
    for index, byte in enumerate(body[:MAX_VARINT_BYTES]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return size
    raise MalformedBodyError("body is no snappy block: it does not begin with a length")


def parse(payload: bytes, max_series: int = NO_LIMIT, max_metadata: int = NO_LIMIT) -> Message:
    """Decode an uncompressed `WriteRequest`.

    Raises:
        TooManyEntriesError: it holds more than `max_series` series or `max_metadata` descriptions.
        MalformedBodyError: it is no such message.
        UnsupportedSampleError: it holds native histograms, which would be lost.
    """
    try:
        batch = _REQUEST.list_to_record_batch([payload])
    except ValueError as error:
        raise MalformedBodyError(f"body is no prometheus.WriteRequest: {error}") from error
    series, metadata = batch.column(0).values, batch.column(1).values
    # Two bytes make an entry: to be counted before anything is done for each.
    for count, limit, what in (
        (len(series), max_series, "series"),
        (len(metadata), max_metadata, "descriptions of metrics"),
    ):
        if count > limit:
            raise TooManyEntriesError(count, limit, what)
    labels, samples, exemplars, histograms = series.flatten()
    if len(histograms.values):
        raise UnsupportedSampleError(
            f"request holds {len(histograms.values)} native histograms, which are not stored: "
            "set `send_native_histograms: false` in the sender's remote_write"
        )
    label_offsets = np.asarray(labels.offsets)
    points = samples.values
    return Message(
        keys=_keys(labels.values, label_offsets),
        labels=labels.values,
        label_offsets=label_offsets,
        counts=np.diff(np.asarray(samples.offsets)).astype(np.int64),
        time_ms=np.asarray(points.field(1)),
        values=np.asarray(points.field(0)),
        metadata=_metadata(metadata),
        exemplars=len(exemplars.values),
    )


def _keys(labels: pa.BinaryArray, offsets: npt.NDArray[np.int32]) -> list[bytes]:
    """One key per series without copying: the labels' bytes are contiguous already."""
    if len(offsets) <= 1:
        return []
    ends = np.frombuffer(labels.buffers()[1], dtype=np.int32)[labels.offset :]
    bounds = ends[offsets] if len(labels) else np.zeros(len(offsets), np.int32)
    data = labels.buffers()[2]
    keys = pa.BinaryArray.from_buffers(
        pa.binary(), len(offsets) - 1, [None, pa.py_buffer(np.ascontiguousarray(bounds)), data]
    )
    return keys.to_pylist()  # type: ignore[no-any-return]


def _metadata(entries: pa.StructArray) -> tuple[Metadata, ...]:
    kinds, *texts = (column.to_pylist() for column in entries.flatten())
    families, helps, units = ([t.decode(errors="replace") for t in column] for column in texts)
    return tuple(map(Metadata, families, kinds, helps, units))


def encode_labels(labels: Sequence[tuple[str, str]]) -> list[bytes]:
    """Labels as the serialised messages that a series carries, sorted by name as senders must."""
    names, values = zip(*sorted(labels), strict=True) if labels else ((), ())
    batch = pa.RecordBatch.from_arrays(
        [pa.array([text.encode() for text in column], pa.binary()) for column in (names, values)],
        schema=_LABEL.list_to_record_batch([]).schema,
    )
    return _LABEL.record_batch_to_array(batch).to_pylist()  # type: ignore[no-any-return]


def build(
    labels: Sequence[Sequence[bytes]],
    counts: npt.NDArray[np.int64],
    time_ms: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
) -> bytes:
    """Encode a `WriteRequest`, uncompressed: the inverse of `parse`.

    Args:
        labels: per series, its labels from `encode_labels`.
        counts: int64[n_series], samples of each series.
        time_ms: int64[n_samples], by series.
        values: float64[n_samples].
    """
    n_series = len(labels)
    label_offsets = np.concatenate(([0], np.cumsum([len(of_series) for of_series in labels])))
    sample_offsets = np.concatenate(([0], np.cumsum(counts)))
    series_type = _ARROW.field("timeseries").type.value_type
    flat = pa.array([label for of_series in labels for label in of_series], pa.binary())
    empty = np.zeros(n_series + 1, np.int32)
    series = pa.StructArray.from_arrays(
        [
            _list(label_offsets, flat, series_type.field("labels").type),
            _list(
                sample_offsets,
                pa.StructArray.from_arrays(
                    [pa.array(values, pa.float64()), pa.array(time_ms, pa.int64())],
                    fields=list(series_type.field("samples").type.value_type),
                ),
                series_type.field("samples").type,
            ),
            _list(empty, pa.array([], pa.binary()), series_type.field("exemplars").type),
            _list(empty, pa.array([], pa.binary()), series_type.field("histograms").type),
        ],
        fields=list(series_type),
    )
    metadata_type = _ARROW.field("metadata").type
    batch = pa.RecordBatch.from_arrays(
        [
            _list(np.array([0, n_series]), series, _ARROW.field("timeseries").type),
            pa.array([[]], metadata_type),
        ],
        schema=_ARROW,
    )
    return _REQUEST.record_batch_to_array(batch)[0].as_py()  # type: ignore[no-any-return]


def _list(offsets: npt.NDArray[np.integer], values: pa.Array, kind: pa.DataType) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)
