"""Remote write's envelope and small parts: snappy, labels, descriptions; and how to write it.

Reading whole requests is `scan.py`'s; what is here is for parts that steady state never looks at,
and for senders (the demo, other wires that become remote write, tests).
"""

from collections.abc import Sequence
from typing import Any

import cramjam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.message import DecodeError
from ptars import HandlerPool

from ingest.errors import BodyTooLargeError, MalformedBodyError
from ingest.families import Metadata
from ingest.remote_write import remote_write_pb2 as schema

# Made when the module is imported: no checker sees them in it.
TimeSeries: Any = schema.TimeSeries  # type: ignore[attr-defined]
Label: Any = schema.Label  # type: ignore[attr-defined]
MetricMetadata: Any = schema.MetricMetadata  # type: ignore[attr-defined]

_MESSAGES = schema.DESCRIPTOR.message_types_by_name
_POOL = HandlerPool([schema.DESCRIPTOR])
_REQUEST = _POOL.get_for_message(_MESSAGES["WriteRequest"])
_LABEL = _POOL.get_for_message(_MESSAGES["Label"])
_ARROW = _REQUEST.list_to_record_batch([b""]).schema

MAX_VARINT_BYTES = 5
"""A snappy block states its unpacked size in at most five bytes (32 bits)."""

Bytes = npt.NDArray[np.uint8]


def unpack(body: bytes, limit: int) -> Bytes:
    """Decompress a snappy block whose unpacked size is at most `limit` bytes.

    Raises:
        MalformedBodyError: it is no snappy block.
        BodyTooLargeError: it would unpack to more; nothing was allocated.
    """
    size = stated_size(body)
    if size > limit:
        raise BodyTooLargeError(size, limit, "unpacked body")
    try:
        return np.frombuffer(memoryview(cramjam.snappy.decompress_raw(body)), np.uint8)
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


def label_pairs(labels: bytes) -> list[tuple[bytes, bytes]]:
    """Labels as (name, value), in the order sent, from the fields of a series that hold them.

    Raises:
        MalformedBodyError: one of them is none.
    """
    try:
        found = [Label.FromString(one) for one in TimeSeries.FromString(labels).labels]
    except DecodeError as error:
        raise MalformedBodyError(f"a label is no label: {error}") from error
    return [(label.name, label.value) for label in found]


def metadata(entries: Sequence[bytes]) -> tuple[Metadata, ...]:
    """Descriptions of metric families from their messages.

    Raises:
        MalformedBodyError: one of them is none.
    """
    try:
        found = [MetricMetadata.FromString(one) for one in entries]
    except DecodeError as error:
        raise MalformedBodyError(f"a description is none: {error}") from error
    return tuple(
        Metadata(
            one.metric_family_name.decode(errors="replace"),
            one.type,
            one.help.decode(errors="replace"),
            one.unit.decode(errors="replace"),
        )
        for one in found
    )


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
    """Encode a `WriteRequest`, uncompressed: the inverse of `scan.scan`.

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
