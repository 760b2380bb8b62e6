"""What is kept of a request is written as protobuf's own encoder writes it."""

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bounds import Bounds
from ingest.remote_write import message, scan, scan_v2
from ingest.remote_write import remote_write_pb2 as schema
from ingest.remote_write.subset import encode_kept
from tests.remote_write_2 import Series, encode

BITS = [0x7FF0000000000002, 0x7FF8000000000001, 1 << 63, 0, 1]
ODD = [struct.unpack("<d", struct.pack("<Q", one))[0] for one in BITS]
# Empty texts are left out by encoders of version 1, and written by ours of version 2.
TEXT = st.binary(min_size=1, max_size=6) | st.just(b"long" * 50)
TIMES = st.just(0) | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
VALUES = st.floats() | st.sampled_from(ODD)
SERIES = st.builds(
    Series,
    labels=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    points=st.lists(st.tuples(TIMES, VALUES, TIMES), max_size=4),
    histograms=st.lists(st.binary(max_size=4) | st.just(bytes(200)), max_size=3),
    exemplars=st.integers(0, 1),
    created=TIMES,
)
METADATA = st.lists(
    st.builds(
        schema.MetricMetadata,
        metric_family_name=TEXT,
        type=st.integers(0, 8),
        help=st.binary(max_size=3) | st.just(bytes(200)),
    ),
    max_size=3,
)


def first_version(series, metadata):
    made = schema.WriteRequest(metadata=metadata)
    for one in series:
        to = made.timeseries.add(histograms=one.histograms, exemplars=[b"x"] * one.exemplars)
        labels = [schema.Label(name=name, value=value) for name, value in one.labels]
        to.labels.extend(label.SerializeToString() for label in labels)
        for at, value, _ in one.points:
            to.samples.add(timestamp=at, value=value)
    return made.SerializeToString()


def by_protobuf(request, samples, histograms, starts):
    began = {}
    if request.start_ms is not None:
        began = {place: int(request.start_ms[place]) for place in starts.tolist()}
    made, first = schema.WriteRequest(), 0
    for place, count in enumerate(request.counts.tolist()):
        start, end = request.label_starts[place], request.label_ends[place]
        one = schema.TimeSeries.FromString(request.data[start:end].tobytes())
        for index in range(first, first + count):
            if samples[index] and index in began:
                one.samples.add(value=0.0, timestamp=began[index])
            if samples[index]:
                one.samples.add(
                    value=float(request.values[index]), timestamp=int(request.time_ms[index])
                )
        first += count
        for kept, (series, at, after) in zip(histograms, request.histograms, strict=True):
            if kept and series == place:
                one.histograms.append(request.body[at:after].tobytes())
        if one.samples or one.histograms:
            made.timeseries.append(one)
    for start, end in request.metadata:
        made.metadata.add().MergeFromString(request.body[start:end].tobytes())
    return made.SerializeToString()


def read(raw, version):
    data = np.frombuffer(raw, np.uint8)
    return scan_v2.scan(data, Bounds()) if version == 2 else scan.scan(data, Bounds())


@settings(max_examples=500, deadline=None)
@given(st.lists(SERIES, max_size=6), METADATA, st.sampled_from([1, 2]), st.data())
def test_as_protobuf_writes_it(series, metadata, version, data):
    request = read(encode(*series) if version == 2 else first_version(series, metadata), version)

    def chosen(count):
        return np.array(
            data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), np.bool_
        )

    samples, histograms = chosen(len(request.time_ms)), chosen(len(request.histograms))
    starts = np.flatnonzero(chosen(len(request.time_ms)))
    made = encode_kept(request, samples, histograms, starts)
    assert made == by_protobuf(request, samples, histograms, starts)


def test_labels_stay_as_they_were_sent():
    """Written anew they could get another key."""
    overlong = b"\x0a\x86\x00\x0a\x01a\x12\x01b"
    one = overlong + b"\x12\x02\x10\x05"
    raw = b"".join(b"\x0a" + bytes([len(one)]) + one for _ in range(2))
    request = read(raw, 1)
    keep = np.array([False, True])
    made = encode_kept(request, keep, np.zeros(0, np.bool_), np.zeros(0, np.int64))
    assert made == raw[: len(raw) // 2]
    assert message.label_pairs(overlong) == [(b"a", b"b")]
