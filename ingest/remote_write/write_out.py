"""Writing remote write 1.0 in compiled code: series as they are stored.

Two passes: the first tells how many bytes the second writes.
"""

import numpy as np
import numpy.typing as npt

from ingest.compiled import compiled
from ingest.protobuf_out import copy, field_size, put_field, put_varint, varint_size
from ingest.remote_write.scan import Bytes, Ints

Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

# Fields of prometheus.WriteRequest and below, with their wire types.
_SERIES_TAG, _METADATA_TAG = 0x0A, 0x1A
_LABEL_TAG, _SAMPLE_TAG, _HISTOGRAM_TAG = 0x0A, 0x12, 0x22
_VALUE_TAG, _TIME_TAG = 0x09, 0x10


@compiled
def _sample_size(time, bits):
    """Bytes of a sample's content. Zeros are left out, as protobuf does; but not -0.0."""
    zero = np.uint64(0)
    return (9 if bits != zero else 0) + (1 + varint_size(time) if time != zero else 0)


@compiled
def _put_sample(out, at, time, bits):
    out[at] = _SAMPLE_TAG
    at = put_varint(out, at + 1, _sample_size(time, bits))
    if bits != np.uint64(0):
        out[at] = _VALUE_TAG
        for place in range(8):
            out[at + 1 + place] = np.uint8((bits >> np.uint64(8 * place)) & np.uint64(0xFF))
        at += 9
    if time != np.uint64(0):
        out[at] = _TIME_TAG
        at = put_varint(out, at + 1, time)
    return at


@compiled
def sizes_of_kept(
    label_starts: Ints,
    label_ends: Ints,
    counts: Ints,
    time: Words,
    bits: Words,
    start: Words,
    histograms: Ints,
    samples: Mask,
    began: Mask,
    kept: Mask,
    sizes: Ints,
) -> int:
    """How many bytes each series takes, 0 where nothing of it is kept; and all of them together.

    `time`, `bits` and `start` are uint64[n_samples], `samples` and `began` bool[n_samples]: what
    is kept, and before what a 0 stands; `kept` is bool[n_histograms].
    """
    total = sample = row = 0
    for series in range(len(counts)):
        size = 0
        for index in range(sample, sample + counts[series]):
            if samples[index]:
                if began[index]:
                    size += field_size(_sample_size(start[index], np.uint64(0)))
                size += field_size(_sample_size(time[index], bits[index]))
        sample += counts[series]
        while row < len(histograms) and histograms[row, 0] == series:
            if kept[row]:
                size += field_size(histograms[row, 2] - histograms[row, 1])
            row += 1
        if size > 0:
            size += label_ends[series] - label_starts[series]
            total += field_size(size)
        sizes[series] = size
    return total


@compiled
def write_kept(
    data: Bytes,
    label_starts: Ints,
    label_ends: Ints,
    counts: Ints,
    time: Words,
    bits: Words,
    start: Words,
    body: Bytes,
    histograms: Ints,
    samples: Mask,
    began: Mask,
    kept: Mask,
    sizes: Ints,
    out: Bytes,
) -> int:
    """Write the series that `sizes_of_kept` gave sizes of; the offset after them."""
    at = sample = row = 0
    for series in range(len(counts)):
        if sizes[series] > 0:
            out[at] = _SERIES_TAG
            at = put_varint(out, at + 1, sizes[series])
            at = copy(out, at, data, label_starts[series], label_ends[series])
        for index in range(sample, sample + counts[series]):
            if samples[index]:
                if began[index]:
                    at = _put_sample(out, at, start[index], np.uint64(0))
                at = _put_sample(out, at, time[index], bits[index])
        sample += counts[series]
        while row < len(histograms) and histograms[row, 0] == series:
            if kept[row]:
                at = put_field(
                    out, at, _HISTOGRAM_TAG, body, histograms[row, 1], histograms[row, 2]
                )
            row += 1
    return at


@compiled
def size_of_metadata(metadata: Ints) -> int:
    """How many bytes descriptions take."""
    total = 0
    for row in range(len(metadata)):
        total += field_size(metadata[row, 1] - metadata[row, 0])
    return total


@compiled
def write_metadata(body: Bytes, metadata: Ints, out: Bytes, at: int) -> int:
    """Write descriptions as they came, from an offset on; the offset after them."""
    for row in range(len(metadata)):
        at = put_field(out, at, _METADATA_TAG, body, metadata[row, 0], metadata[row, 1])
    return at
