"""What one pass over a remote-write 1.0 message finds is what protobuf's own decoder finds."""

import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.bounds import Bounds
from ingest.errors import MalformedBodyError, TooManyEntriesError
from ingest.remote_write import message, scan
from ingest.remote_write import remote_write_pb2 as schema

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LABELS = st.lists(st.tuples(TEXT, TEXT), max_size=5)
BITS = st.integers(0, 2**64 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
POINTS = st.lists(st.tuples(TIMES, BITS), max_size=4)
RAW = st.lists(st.binary(max_size=6), max_size=3)
SERIES = st.lists(st.tuples(LABELS, POINTS, RAW, RAW), max_size=5)
METADATA = st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), TEXT), max_size=3)
UNKNOWN = st.sampled_from([
    b"", b"\xfa\x01\x03abc", b"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x79" + bytes(8),
    b"\x7d" + bytes(4), b"\x7a\x00",
])  # fmt: skip
"""Fields 31 and 15, of every wire type."""


def array(raw):
    return np.frombuffer(raw, np.uint8)


def found(raw, bounds=None):
    return scan.scan(array(raw), bounds or Bounds())


def request(series, metadata=()):
    made = schema.WriteRequest()
    for labels, points, exemplars, histograms in series:
        one = made.timeseries.add()
        one.labels.extend(message.encode_labels(labels))
        for at, bits in points:
            (value,) = struct.unpack("<d", struct.pack("<Q", bits))
            one.samples.add(timestamp=at, value=value)
        one.exemplars.extend(exemplars)
        one.histograms.extend(histograms)
    for kind, family in metadata:
        made.metadata.add(type=kind, metric_family_name=family.encode())
    return made


def check(got, made):
    """Everything in a scan is in the message that protobuf decoded, and the other way round."""
    assert len(got) == len(made.timeseries)
    samples = [one for series in made.timeseries for one in series.samples]
    assert got.counts.tolist() == [len(series.samples) for series in made.timeseries]
    assert got.time_ms.tolist() == [one.timestamp for one in samples]
    bits = [struct.unpack("<Q", struct.pack("<d", one.value))[0] for one in samples]
    assert got.values.view(np.uint64).tolist() == bits
    assert got.exemplars == sum(len(series.exemplars) for series in made.timeseries)
    histograms = [(i, raw) for i, one in enumerate(made.timeseries) for raw in one.histograms]
    body = got.body.tobytes()
    assert [(i, body[a:b]) for i, a, b in got.histograms.tolist()] == histograms
    entries = [schema.MetricMetadata.FromString(body[a:b]) for a, b in got.metadata.tolist()]
    assert entries == list(made.metadata)
    slices = zip(got.label_starts.tolist(), got.label_ends.tolist(), strict=True)
    for (start, end), series in zip(slices, made.timeseries, strict=True):
        labels = schema.TimeSeries.FromString(got.data[start:end].tobytes())
        assert list(labels.labels) == list(series.labels)
        assert labels == schema.TimeSeries(labels=series.labels), "labels and nothing else"


@settings(max_examples=200, deadline=None)
@given(SERIES, METADATA)
def test_decoding_undoes_encoding(series, metadata):
    """Times, labels, and values to the bit: every NaN, both zeros and infinities."""
    made = request(series, metadata)
    check(found(made.SerializeToString()), made)


@settings(max_examples=60, deadline=None)
@given(SERIES)
def test_our_own_encoder_is_undone_too(series):
    built = message.build(
        [message.encode_labels(labels) for labels, *_ in series],
        np.array([len(points) for _, points, *_ in series], np.int64),
        np.array([at for _, points, *_ in series for at, _ in points], np.int64),
        np.array([bits for _, points, *_ in series for _, bits in points], np.uint64).view(float),
    )
    check(found(built), request([(labels, points, (), ()) for labels, points, *_ in series]))


@settings(max_examples=100, deadline=None)
@given(SERIES, st.lists(UNKNOWN, min_size=4, max_size=4))
def test_unknown_fields_are_passed_over(series, unknown):
    parts = [unknown[0]]
    for one in request(series).timeseries:
        inner = unknown[1] + one.SerializeToString() + unknown[2]
        parts += [b"\x0a", varint(len(inner)), inner, unknown[3]]
    check(found(b"".join(parts)), request(series))


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_the_last_of_a_field_counts_as_in_protobuf():
    sample = schema.Sample(value=1.0, timestamp=1).SerializeToString()
    sample += schema.Sample(value=2.0, timestamp=2).SerializeToString() + b"\xfa\x01\x01x"
    raw = b"\x0a" + varint(len(sample) + 2) + b"\x12" + varint(len(sample)) + sample
    check(found(raw), schema.WriteRequest.FromString(raw))
    assert found(raw).time_ms.tolist() == [2]


@settings(max_examples=200)
@given(SERIES, METADATA, st.randoms(use_true_random=False))
def test_the_fields_of_a_series_may_stand_in_any_order(series, metadata, random):
    """Allowed, and written by nobody; the same series as if labels stood together."""
    parts = []
    for one in request(series).timeseries:
        fields = [
            varint(number << 3 | 2) + varint(len(raw)) + raw
            for number, values in enumerate(
                (one.labels, one.samples, one.exemplars, one.histograms), 1
            )
            for raw in (v if isinstance(v, bytes) else v.SerializeToString() for v in values)
        ]
        random.shuffle(fields)
        inner = b"".join(fields)
        parts.append(b"\x0a" + varint(len(inner)) + inner)
    described = request([], metadata).SerializeToString()
    raw = described + b"".join(parts)
    check(found(raw), schema.WriteRequest.FromString(raw))


def interleaved(rest=b"\x12\x02\x10\x07"):
    """A series with a label before and after something else: a sample, if nothing is said."""
    labels = [b"\x0a\x04" + text for text in (b"\x0a\x02ab", b"\x0a\x02cd")]
    inner = b"".join([labels[0], rest, labels[1]])
    return b"\x0a" + varint(len(inner)) + inner


def test_labels_that_do_not_stand_together():
    raw = b"\xfa\x01\x03abc" + interleaved() + b"\x7a\x00"
    check(found(raw), schema.WriteRequest.FromString(raw))
    for end in range(12, len(interleaved()) - 2):
        cut = interleaved()[2:end]
        with pytest.raises(MalformedBodyError):
            found(interleaved() + b"\x0a" + varint(len(cut) + 1) + cut)


def test_they_are_put_in_order_in_the_memory_of_the_body():
    """A sender chooses how many fields there are: an object of each would be 30 times the body."""
    raw = interleaved(b"\x1a\x00" * 500_000)
    tracemalloc.start()
    got = found(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(got), got.exemplars) == (1, 500_000)
    assert peak < 2 * len(raw)


def test_few_samples_do_not_hold_the_room_of_many():
    """They wait for the lake, counted by samples; room is made for one of each series."""
    empty = request([([("a", "b")], [], (), ())] * 99).SerializeToString()
    one = request([([("a", "b")], [(7, 0)], (), ())]).SerializeToString()
    got = found(empty + one)
    assert got.time_ms.base is None
    assert got.values.base is None
    check(got, schema.WriteRequest.FromString(empty + one))


def test_an_empty_request():
    got = found(b"")
    assert (len(got), len(got.values), len(got.metadata), got.exemplars) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xff\xff", b"\x0a\x05abc", b"hello world", b"\x0a\x02\x12\x05", b"\x0a", b"\x0b\x0c",
        b"\x00\x00", b"\x0d1234", b"\x08\x01", b"\x0a\x02\x10\x01", b"\x0a\x04\x12\x02\x08\x01",
        b"\x0a\x04\x12\x02\x12\x00", b"\x1d1234", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x78" + b"\x80" * 11 + b"\x01", b"\x79" + bytes(7),
    ],
    ids=[
        "tag", "cut off", "text", "cut off inside", "tag alone", "group", "field 0",
        "series of 32 bits", "series as number", "sample as number", "value as number",
        "time as bytes", "metadata of 32 bits", "huge length", "endless number", "short 64 bits",
    ],
)  # fmt: skip
def test_no_write_request(raw):
    with pytest.raises(MalformedBodyError, match=r"no prometheus\.WriteRequest"):
        found(raw)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
@example(b"\x0a\x03\x12\x01\x09")
@example(b"\x1a\x07" + bytes(7))
def test_garbage_is_refused_or_as_protobuf_reads_it(raw):
    with contextlib.suppress(MalformedBodyError):
        got = found(raw)
        # Descriptions are read, and refused, once all else is found to be sound.
        body = got.body.tobytes()
        message.metadata([body[a:b] for a, b in got.metadata.tolist()])
        check(got, schema.WriteRequest.FromString(raw))


@settings(max_examples=60, deadline=None)
@given(SERIES, METADATA)
def test_a_message_cut_off_anywhere_is_refused_or_as_protobuf_reads_it(series, metadata):
    raw = request(series, metadata).SerializeToString()
    for length in range(len(raw)):
        with contextlib.suppress(MalformedBodyError):
            check(found(raw[:length]), schema.WriteRequest.FromString(raw[:length]))


@pytest.mark.parametrize(
    ("bounds", "what"),
    [
        (Bounds(series=1), "2 series, at most 1"),
        (Bounds(samples=4), "5 samples, at most 4"),
        (Bounds(metadata=0), "1 descriptions of metrics, at most 0"),
    ],
)
def test_more_than_a_request_may_hold(bounds, what):
    """Native histograms count as samples."""
    series = [([], [(1, 1), (2, 2)], [], [b"h"]), ([], [(1, 1), (2, 2)], [], [])]
    raw = request(series, [(1, "x")]).SerializeToString()
    with pytest.raises(TooManyEntriesError, match=what):
        found(raw, bounds)
    assert len(found(raw, Bounds(2, 5, 1))) == 2


def test_no_more_samples_where_each_series_has_one_or_labels_stand_apart():
    single = request([([], [(1, 1)], [], []), ([], [(1, 1)], [], [])], []).SerializeToString()
    label, sample = b"\x0a\x06\x0a\x01a\x12\x01b", b"\x12\x00"
    inner = label + sample + label + 9 * sample
    apart = b"\x0a" + bytes([len(inner)]) + inner
    for raw in (single, apart):
        with pytest.raises(TooManyEntriesError, match="samples, at most 1"):
            scan.scan(np.frombuffer(raw, np.uint8), Bounds(samples=1))
