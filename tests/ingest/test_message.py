"""The envelope of remote write: snappy blocks, labels, descriptions."""

import tracemalloc

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import BodyTooLargeError, MalformedBodyError
from ingest.families import Metadata
from ingest.remote_write import message
from ingest.remote_write import remote_write_pb2 as schema

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.binary(max_size=300))
def test_packing_and_unpacking(payload):
    assert message.unpack(message.pack(payload), 300).tobytes() == payload


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


LABELS = st.lists(st.tuples(TEXT, TEXT), max_size=5)


@given(LABELS)
def test_labels_are_encoded_in_order_and_read_again(labels):
    one = schema.TimeSeries(labels=message.encode_labels(labels)).SerializeToString()
    pairs = [(name.decode(), value.decode()) for name, value in message.label_pairs(one)]
    assert pairs == sorted(labels)


@pytest.mark.parametrize("labels", [b"\x0a\x05abc", b"\x0a\x02\x0a\x05", b"\xff"])
def test_what_is_no_label(labels):
    with pytest.raises(MalformedBodyError, match="a label is no label"):
        message.label_pairs(labels)


def test_descriptions():
    one = schema.MetricMetadata(type=2, metric_family_name=b"up", help=b"\xff!", unit=b"s")
    assert message.metadata([one.SerializeToString(), b""]) == (
        Metadata("up", 2, "\N{REPLACEMENT CHARACTER}!", "s"), Metadata("", 0, "", ""),
    )  # fmt: skip
    with pytest.raises(MalformedBodyError, match="a description is none"):
        message.metadata([b"\x08"])
