"""Classic series of native histograms have the labels that protobuf's own encoder gives them."""

import struct
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bounds import Bounds
from ingest.catalogue import Catalogue
from ingest.errors import BadRequestError, BodyTooLargeError, TooManyEntriesError
from ingest.remote_write import message, scan, scan_v2
from ingest.remote_write import remote_write_pb2 as schema
from ingest.remote_write.histograms import judge_histograms
from ingest.remote_write.native_histogram import STALE_BITS, classic
from ingest.rules import Rules
from tests.ingest.remote_write.test_histograms_wired import Histogram
from tests.remote_write_2 import Series, encode

NAMES = ["__name__", "cluster", "a", "job", "l", "ld", "le", "lea", "lf", "z", "Z", "", "n" * 200]
VALUES = st.text(max_size=3) | st.just("v" * 126) | st.just("v" * 300)
ANY = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=5)
REGULAR = st.dictionaries(
    st.sampled_from([name for name in NAMES if name not in {"le", ""}]),
    VALUES.filter(bool),
    max_size=5,
).map(lambda labels: sorted({**labels, "__name__": labels.get("__name__", "took")}.items()))


def histogram(buckets, at=7, count=None):
    return Histogram(
        count_int=sum(buckets) if count is None else count, sum=1.5, timestamp=at,
        positive_spans=[{"offset": -2, "length": len(buckets)}],
        positive_deltas=np.diff([0, *buckets]).tolist(),
    ).SerializeToString()  # fmt: skip


STALE_SUM = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
STALE = Histogram(timestamp=3, sum=STALE_SUM).SerializeToString()
HISTOGRAMS = st.just(STALE) | st.builds(
    histogram, st.lists(st.integers(0, 3), max_size=4), st.integers(0, 9), st.none() | st.just(2)
)


def scanned(series, version):
    if version == 2:
        raw = encode(*(Series(labels, histograms=held) for labels, held in series))
        return scan_v2.scan(np.frombuffer(raw, np.uint8), Bounds())
    made = schema.WriteRequest()
    for labels, held in series:
        one = made.timeseries.add(histograms=held)
        one.labels.extend(
            schema.Label(name=name.encode(), value=text.encode()).SerializeToString()
            for name, text in labels
        )
    return scan.scan(np.frombuffer(made.SerializeToString(), np.uint8), Bounds())


def by_protobuf(request):
    """(labels, ms, value's bytes) of each part; and the histograms that cannot be converted."""
    parts, refused = [], []
    for index, (place, start, end) in enumerate(request.histograms.tolist()):
        raw = request.data[request.label_starts[place] : request.label_ends[place]].tobytes()
        labels = message.label_pairs(raw)
        try:
            made = classic(request.body[start:end].tobytes())
        except BadRequestError:
            refused.append(index)
            continue
        if not any(name == b"__name__" and text for name, text in labels) or (
            any(name == b"le" for name, _ in labels)
        ):
            refused.append(index)
            continue
        for suffix, bound, value in made.parts:
            named = [(n, t + suffix.encode() if n == b"__name__" else t) for n, t in labels]
            named += [] if bound is None else [(b"le", bound.encode())]
            one = schema.TimeSeries(
                labels=[schema.Label(name=n, value=t).SerializeToString() for n, t in sorted(named)]
            )
            parts.append((one.SerializeToString(), made.time_ms, struct.pack("<d", value)))
    return parts, refused


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(ANY | REGULAR, st.lists(HISTOGRAMS, max_size=2)), max_size=4),
    st.sampled_from([1, 2]),
)
def test_as_protobuf_writes_them(series, version):
    request = scanned(series, version)
    parts, refused = by_protobuf(request)
    done = judge_histograms(request, Catalogue(), Rules())
    got = [] if not done.parts else [
        (made.data[start:end].tobytes(), at, value.tobytes())
        for made in [done.parts[0].request]
        for start, end, at, value in zip(
            made.label_starts, made.label_ends, made.time_ms, made.values, strict=True
        )
    ]  # fmt: skip
    assert got == parts
    assert done.refused[refused].all()
    assert done.refusals.total() == done.refused.sum()
    assert not (done.refused & done.stored).any()


def test_bounds_are_checked_before_memory_is_taken():
    labels = [("__name__", "took"), ("cluster", "x" * 1000)]
    request = scanned([(labels, [histogram([1] * 9)])], 1)
    for bounds, error, what in (
        (Bounds(samples=3), TooManyEntriesError, "samples"),
        (Bounds(label_bytes=1_250), BodyTooLargeError, "labels, written out for each bucket"),
    ):
        catalogue = Catalogue()
        with pytest.raises(error, match=what):
            judge_histograms(request, catalogue, Rules(bounds=bounds))
        assert len(catalogue) == 0


@pytest.mark.parametrize("order", [1, -1])
def test_each_is_counted_once_whatever_they_break(order):
    eu, us = ([("__name__", "took"), ("cluster", name)] for name in ("eu", "us"))
    good, late = histogram([1, 2]), histogram([1, 2], at=2_000_000)
    series = [
        (eu, [good, late, late]), (us, [late]), ([("__name__", "took")], [good]),
        ([*eu, ("x-y", "z")], [good, good]), (eu, [histogram([1], count=9)]),
    ]  # fmt: skip
    rules = replace(Rules(), latest=datetime.fromtimestamp(1_000, UTC))
    done = judge_histograms(scanned(series[::order], 1), Catalogue(), rules)
    assert (done.refused.sum(), done.stored.sum()) == (7, 1)
    assert done.refusals == Counter({
        ("eu", "future"): 2, ("us", "future"): 1, ("", "cluster missing"): 1,
        ("", "labels"): 2, ("", "histogram"): 1,
    })  # fmt: skip
