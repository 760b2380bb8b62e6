"""What one pass over a remote-write 2.0 message finds is what protobuf's own decoder finds."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bounds import Bounds
from ingest.errors import BodyTooLargeError, MalformedBodyError, TooManyEntriesError
from ingest.remote_write import remote_write_pb2 as schema
from ingest.remote_write import scan_v2
from ingest.remote_write.scan import scan
from tests.remote_write_2 import Request, Series, UnpackedRequest, encode

TEXT = st.binary(max_size=6)
TIMES = st.integers(-(2**63), 2**63 - 1)
STARTS = st.one_of(st.just(0), TIMES)
VALUES = st.floats(allow_nan=False)
ABOUT = st.none() | st.tuples(st.integers(0, 8), st.text(max_size=3), st.text(max_size=3))
SERIES = st.builds(
    Series,
    labels=st.lists(st.tuples(TEXT, TEXT), max_size=4),
    points=st.lists(st.tuples(TIMES, VALUES, STARTS), max_size=4),
    about=ABOUT,
    histograms=st.lists(st.binary(max_size=4), max_size=2),
    exemplars=st.integers(0, 2),
    created=STARTS,
)


def found(raw, bounds=None):
    return scan_v2.scan(np.frombuffer(raw, np.uint8), bounds or Bounds())


def labels_of(got, index):
    raw = got.data[got.label_starts[index] : got.label_ends[index]].tobytes()
    pairs = [schema.Label.FromString(one) for one in schema.TimeSeries.FromString(raw).labels]
    return [(pair.name, pair.value) for pair in pairs]


def check(got, made):
    """Everything in a scan is in the message that protobuf decoded, and the other way round."""
    samples = [(series, one) for series in made.timeseries for one in series.samples]
    assert got.counts.tolist() == [len(series.samples) for series in made.timeseries]
    assert got.time_ms.tolist() == [one.timestamp for _, one in samples]
    assert got.values.tobytes() == b"".join(struct.pack("<d", one.value) for _, one in samples)
    starts = [one.start_timestamp or series.created_timestamp for series, one in samples]
    assert (got.start_ms.tolist() if got.start_ms is not None else [0] * len(starts)) == starts
    assert got.exemplars == sum(len(series.exemplars) for series in made.timeseries)
    body = got.body.tobytes()
    histograms = [(i, raw) for i, one in enumerate(made.timeseries) for raw in one.histograms]
    assert [(i, body[a:b]) for i, a, b in got.histograms.tolist()] == histograms
    assert [body[a:b] for a, b in got.symbols.tolist()] == list(made.symbols)
    for index, series in enumerate(made.timeseries):
        texts = [made.symbols[ref] for ref in series.labels_refs]
        assert labels_of(got, index) == list(zip(texts[::2], texts[1::2], strict=True))
        about = series.metadata
        assert got.families[index].tolist() == [about.type, about.help_ref, about.unit_ref]


@settings(max_examples=200, deadline=None)
@given(st.lists(SERIES, max_size=5), st.booleans())
def test_decoding_undoes_encoding(series, packed):
    raw = encode(*series, packed=packed)
    check(found(raw), (Request if packed else UnpackedRequest).FromString(raw))


@settings(max_examples=50, deadline=None)
@given(st.lists(SERIES, max_size=4))
def test_labels_are_written_as_version_1_sends_them(series):
    """So a series has one key, whichever version names it."""
    first = schema.WriteRequest()
    for one in series:
        labels = [schema.Label(name=n, value=v) for n, v in one.labels]
        made = first.timeseries.add()
        # An empty name or value is left out by encoders of version 1, and written here.
        made.labels.extend(label.SerializeToString() for label in labels)
    one, two = (
        scan(np.frombuffer(first.SerializeToString(), np.uint8), Bounds()),
        found(encode(*series)),
    )
    for index, labels in enumerate(series):
        if all(n and v for n, v in labels.labels):
            slices = [
                got.data[got.label_starts[index] : got.label_ends[index]].tobytes()
                for got in (one, two)
            ]
            assert slices[0] == slices[1]


def series_field(inner):
    assert len(inner) < 128
    return b"\x2a" + bytes([len(inner)]) + inner


SYMBOLS = b"".join(b"\x22" + bytes([len(text)]) + text for text in (b"", b"a", b"bc"))
ONE = b"\x12\x0b\x09" + struct.pack("<d", 1.5) + b"\x10\x07"


def test_packed_and_unpacked_references_mixed():
    raw = SYMBOLS + series_field(b"\x0a\x01\x01" + b"\x08\x02" + ONE + b"\x0a\x02\x02\x01")
    got = found(raw)
    assert labels_of(got, 0) == [(b"a", b"bc"), (b"bc", b"a")]
    check(got, Request.FromString(raw))


def test_symbols_may_follow_the_series_that_refer_to_them():
    raw = series_field(b"\x0a\x02\x01\x02" + ONE) + SYMBOLS
    assert labels_of(found(raw), 0) == [(b"a", b"bc")]


@pytest.mark.parametrize("unknown", [b"\x7a\x02hi", b"\x78\x05", b"\x79" + bytes(8), b"\x7d1234"])
def test_unknown_fields_are_passed_over(unknown):
    raw = unknown + SYMBOLS + series_field(unknown + b"\x0a\x02\x01\x02" + ONE + unknown) + unknown
    check(found(raw), Request.FromString(raw))


def test_long_texts_are_written_with_long_lengths():
    texts = [("n" * size, "v" * (size * 3)) for size in (1, 127, 128, 16_384)]
    raw = encode(Series(texts, [(1, 2.0)]))
    check(found(raw), Request.FromString(raw))


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"\xff\xff", ""),
        (b"hello world", ""),
        (b"\x20\x01", ""),
        (b"\x28\x01", ""),
        (SYMBOLS + series_field(b"\x10\x01"), ""),
        (SYMBOLS + b"\x2a\x05abc", ""),
        (SYMBOLS + series_field(b"\x0a\x02\x01\x03" + ONE), "a symbol that is not there"),
        (SYMBOLS + series_field(b"\x0a\x02\x03\x01" + ONE), "a symbol that is not there"),
        (
            SYMBOLS + series_field(b"\x0a\x0a\x01" + b"\xff" * 8 + b"\x01" + ONE),
            "a symbol that is not there",
        ),
        (SYMBOLS + series_field(b"\x0a\x02\x01\xff" + ONE), "a symbol that is not there"),
        (SYMBOLS + series_field(b"\x0a\x03\x01\x02\x01" + ONE), "an odd number"),
        (SYMBOLS + series_field(b"\x0d1234" + ONE), "a list of references is none"),
        (SYMBOLS + series_field(b"\x12\x02\x08\x01"), "is none"),
        (SYMBOLS + series_field(b"\x12\x03\x12\x01x"), "is none"),
        (SYMBOLS + series_field(b"\x2a\x03\x1a\x01x"), "is none"),
        (SYMBOLS[2:] + series_field(b"\x0a\x02\x00\x01" + ONE), "first symbol is not the empty"),
        (series_field(ONE), "first symbol is not the empty"),
    ],
)
def test_no_request(raw, rule):
    with pytest.raises(MalformedBodyError, match=r"no io\.prometheus\.write\.v2\.Request.*" + rule):
        found(raw)


def test_a_long_symbol_cannot_be_referred_to_for_ever():
    refs = [1, 1] * 1000
    raw = encode(Series([], [(1, 1.0)], refs=refs), symbols=(b"", b"x" * 10_000))
    assert len(raw) < 20_000
    with pytest.raises(BodyTooLargeError, match=r"labels, written out, has 2\d{7} bytes"):
        found(raw, Bounds(label_bytes=1_000_000))


@pytest.mark.parametrize(
    ("bounds", "what"),
    [(Bounds(series=1), "2 series, at most 1"), (Bounds(samples=2), "3 samples, at most 2")],
)
def test_more_than_a_request_may_hold(bounds, what):
    raw = encode(Series([], [(1, 1.0), (2, 1.0)]), Series([], histograms=[b"h"]))
    with pytest.raises(TooManyEntriesError, match=what):
        found(raw, bounds)
    assert len(found(raw, Bounds(2, 3))) == 2


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_garbage_is_refused_or_as_protobuf_reads_it(raw):
    for whole in (raw, SYMBOLS + raw):
        with contextlib.suppress(MalformedBodyError):
            check(found(whole), Request.FromString(whole))


@settings(max_examples=50, deadline=None)
@given(st.lists(SERIES, max_size=3), st.booleans())
def test_a_message_cut_off_anywhere_is_refused_or_as_protobuf_reads_it(series, packed):
    raw = encode(*series, packed=packed)
    for length in range(len(raw)):
        with contextlib.suppress(MalformedBodyError):
            check(found(raw[:length]), Request.FromString(raw[:length]))
