import contextlib
import struct
import tracemalloc

import cramjam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BodyTooLargeError, MalformedBodyError, UnsupportedSampleError
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LABELS = st.lists(st.tuples(TEXT, TEXT), max_size=5)
BITS = st.integers(0, 2**64 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
SERIES = st.lists(st.tuples(LABELS, st.lists(st.tuples(TIMES, BITS), max_size=4)), max_size=6)


def floats(bits):
    return np.array(bits, np.uint64).view(np.float64)


@settings(max_examples=60)
@given(SERIES)
def test_what_is_built_is_parsed_again(series):
    """Labels, counts, times, and values to the bit: every NaN, both zeros and infinities."""
    built = message.build(
        [message.encode_labels(labels) for labels, _ in series],
        np.array([len(points) for _, points in series], np.int64),
        np.array([at for _, points in series for at, _ in points], np.int64),
        floats([bits for _, points in series for _, bits in points]),
    )
    parsed = message.parse(built)
    assert len(parsed.keys) == len(series)
    for index, (labels, _) in enumerate(series):
        pairs = [(name.decode(), value.decode()) for name, value in parsed.label_pairs(index)]
        assert pairs == sorted(labels)
    assert parsed.counts.tolist() == [len(points) for _, points in series]
    assert parsed.time_ms.tolist() == [at for _, points in series for at, _ in points]
    assert parsed.values.view(np.uint64).tolist() == [b for _, points in series for _, b in points]


@settings(max_examples=60)
@given(SERIES)
def test_protobufs_own_decoder_agrees(series):
    built = message.build(
        [message.encode_labels(labels) for labels, _ in series],
        np.array([len(points) for _, points in series], np.int64),
        np.array([at for _, points in series for at, _ in points], np.int64),
        floats([bits for _, points in series for _, bits in points]),
    )
    request = schema.WriteRequest.FromString(built)
    assert len(request.timeseries) == len(series)
    for one, (labels, points) in zip(request.timeseries, series, strict=True):
        pairs = [schema.Label.FromString(label) for label in one.labels]
        assert [(p.name.decode(), p.value.decode()) for p in pairs] == sorted(labels)
        assert [s.timestamp for s in one.samples] == [at for at, _ in points]


def test_the_other_encoders_requests_are_parsed(payload):
    one = ([("__name__", "up"), ("a", "b")], [(1, 2.0), (3, 4.0)])
    none = ([("__name__", "down")], [])
    parsed = message.parse(
        payload(one, none, metadata=[("up", 2, "Whether it is up.", "s")], exemplars=2)
    )
    assert parsed.label_pairs(0) == [(b"__name__", b"up"), (b"a", b"b")]
    assert parsed.label_pairs(1) == [(b"__name__", b"down")]
    assert (parsed.counts.tolist(), parsed.time_ms.tolist()) == ([2, 0], [1, 3])
    assert parsed.metadata == (message.Metadata("up", 2, "Whether it is up.", "s"),)
    assert parsed.exemplars == 4


def test_keys_are_equal_for_equal_labels_alone(payload):
    series = [([("__name__", n), ("k", v)], []) for n, v in [("a", "b"), ("ab", ""), ("a", "c")]]
    keys = message.parse(payload(*series, series[0])).keys
    assert keys[0] == keys[3]
    assert len(set(keys)) == 3


def test_an_empty_request():
    parsed = message.parse(b"")
    assert (parsed.keys, len(parsed.values), parsed.metadata) == ([], 0, ())


@given(st.binary(max_size=300))
def test_packing_and_unpacking(payload):
    assert message.unpack(message.pack(payload), 300) == payload


@given(st.binary(max_size=60))
def test_garbage_is_refused_or_parsed_but_never_crashes(body):
    with contextlib.suppress(MalformedBodyError, BodyTooLargeError, UnsupportedSampleError):
        message.parse(message.unpack(body, 1 << 16))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff" * 5, id="length without end"),
        pytest.param(b"\xff\xff", id="length cut off"),
        pytest.param(b"\x05hello", id="no snappy"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(bytes(cramjam.gzip.compress(b"x" * 100)), id="gzip"),
        pytest.param(bytes(cramjam.snappy.compress(b"x" * 100)), id="snappy's framed format"),
        pytest.param(message.pack(b"x" * 100)[:-3], id="cut off"),
    ],
)
def test_no_snappy_block(body):
    with pytest.raises((MalformedBodyError, BodyTooLargeError)) as refusal:
        message.unpack(body, 1000)
    assert "snappy" in str(refusal.value) or "bytes" in str(refusal.value)


def test_the_unpacked_size_is_checked_before_anything_is_allocated():
    body = message.pack(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError, match="50000000 bytes, at most 1000 are accepted"):
            message.unpack(body, 1000)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_the_limit_itself_is_accepted():
    assert len(message.unpack(message.pack(bytes(1000)), 1000)) == 1000
    with pytest.raises(BodyTooLargeError):
        message.unpack(message.pack(bytes(1001)), 1000)


@pytest.mark.parametrize(
    "payload_bytes",
    [b"\xff\xff\xff", b"\x0a\x05abc", b"hello world", b"\x0a\x02\x12\x05"],
    ids=["tag", "cut off", "text", "cut off inside"],
)
def test_no_write_request(payload_bytes):
    with pytest.raises(MalformedBodyError, match=r"no prometheus\.WriteRequest"):
        message.parse(payload_bytes)


def test_native_histograms_are_refused_not_lost(payload):
    with pytest.raises(
        UnsupportedSampleError, match=r"2 native histograms.*send_native_histograms"
    ):
        message.parse(payload(([("__name__", "up")], [(1, 1.0)]), histograms=2))


def test_unknown_fields_are_passed_over(payload):
    known = payload(([("__name__", "up")], [(1, 1.0)]))
    unknown = b"\xfa\x01\x03abc"  # field 31, three bytes
    assert message.parse(known + unknown).time_ms.tolist() == [1]


def test_stale_markers_survive_the_way(payload):
    marker = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    parsed = message.parse(payload(([("__name__", "up")], [(1, marker)])))
    assert parsed.values.view(np.uint64).tolist() == [0x7FF0000000000002]
