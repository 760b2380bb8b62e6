"""Native histograms say the same as classic ones: no observation is lost, moved or made up."""

import math
import struct
from itertools import pairwise

import numpy as np
import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import (
    BadRequestError,
    InvalidHistogramError,
    MalformedBodyError,
    UnsupportedSampleError,
)
from ingest.remote_write import histogram_pb2
from ingest.remote_write.bounds import exponential_bound, le_text
from ingest.remote_write.native_histogram import (
    MAX_BUCKETS,
    MAX_BYTES,
    STALE_BITS,
    classic,
    labels_of,
)

Histogram = GetMessageClass(histogram_pb2.DESCRIPTOR.message_types_by_name["Histogram"])
NOW = 1_700_000_000_000


def spans(*pairs):
    return [{"offset": offset, "length": length} for offset, length in pairs]


def message(**fields):
    return Histogram(**{"timestamp": NOW, **fields}).SerializeToString()


def buckets(**fields):
    """The buckets of a histogram, as `le` to count."""
    parts = classic(message(**fields)).parts
    assert [(suffix, le) for suffix, le, _ in parts[-3:]] == [
        ("_bucket", "+Inf"),
        ("_count", None),
        ("_sum", None),
    ]
    found = {le: value for suffix, le, value in parts if suffix == "_bucket"}
    assert len(found) == len(parts) - 2, "no bound twice"
    bounds = [float(le) for le in found]
    assert bounds == sorted(bounds)
    return found


class TestExponential:
    def test_positive(self):
        """Schema 0: (0.5, 1] is bucket 0, (1, 2] is 1."""
        got = buckets(
            count_int=12,
            sum=18.4,
            zero_threshold=0.001,
            zero_count_int=2,
            positive_spans=spans((0, 2), (1, 2)),
            positive_deltas=[1, 1, -1, 5],
        )
        assert got == {
            "0.001": 2,
            "0.5": 2,  # a gap ends
            "1.0": 3,
            "2.0": 5,
            "4.0": 5,  # another
            "8.0": 6,
            "16.0": 12,
            "+Inf": 12,
        }

    def test_count_and_sum(self):
        got = classic(
            message(count_int=3, sum=7.5, positive_spans=spans((0, 1)), positive_deltas=[3])
        )
        assert got.parts[-2:] == [("_count", None, 3.0), ("_sum", None, 7.5)]
        assert (got.time_ms, got.start_ms) == (NOW, None)

    def test_when_it_began(self):
        assert classic(message(start_timestamp=NOW - 5)).start_ms == NOW - 5

    def test_negative(self):
        """[-2, -1) is bucket 1 on the negative side: it ends at -1."""
        got = buckets(
            count_int=10,
            zero_threshold=0.25,
            zero_count_int=1,
            negative_spans=spans((1, 1), (1, 1)),
            negative_deltas=[2, 1],
            positive_spans=spans((0, 1)),
            positive_deltas=[4],
        )
        assert got == {
            "-8.0": 0,
            "-4.0": 3,
            "-2.0": 3,
            "-1.0": 5,
            "-0.25": 5,
            "0.25": 6,
            "0.5": 6,
            "1.0": 10,
            "+Inf": 10,
        }

    def test_a_zero_threshold_of_zero(self):
        got = buckets(
            count_int=6,
            zero_count_int=1,
            negative_spans=spans((0, 1)),
            negative_deltas=[2],
            positive_spans=spans((1, 1)),
            positive_deltas=[3],
        )
        assert got == {"-1.0": 0, "-0.5": 2, "0.0": 3, "1.0": 3, "2.0": 6, "+Inf": 6}

    def test_nothing_observed(self):
        assert buckets() == {"0.0": 0, "+Inf": 0}
        assert buckets(zero_threshold=1e-128) == {"1e-128": 0, "+Inf": 0}

    def test_buckets_that_are_sent_but_empty_are_there(self):
        """So that their series do not come and go."""
        got = buckets(count_int=1, positive_spans=spans((0, 3)), positive_deltas=[1, -1, 0])
        assert got == {"0.0": 0, "0.5": 0, "1.0": 1, "2.0": 1, "4.0": 1, "+Inf": 1}

    def test_the_zero_bucket_cuts_those_that_reach_into_it(self):
        got = buckets(
            count_int=13,
            zero_threshold=1.5,
            zero_count_int=1,
            negative_spans=spans((0, 2)),
            negative_deltas=[1, 1],
            positive_spans=spans((0, 3)),
            positive_deltas=[2, 2, -1],
        )
        expected = {"-2.0": 0, "-1.5": 3, "1.5": 6, "2.0": 10, "4.0": 13, "+Inf": 13}
        assert got == expected

    def test_floats(self):
        got = buckets(
            count_float=4.5,
            zero_count_float=0.5,
            positive_spans=spans((1, 2)),
            positive_counts=[1.5, 2.5],
        )
        assert got == {"0.0": 0.5, "1.0": 0.5, "2.0": 2, "4.0": 4.5, "+Inf": 4.5}

    def test_floats_that_do_not_quite_add_up(self):
        """They need not; but a histogram never falls."""
        got = buckets(count_float=0.3, positive_spans=spans((0, 2)), positive_counts=[0.1, 0.2])
        assert got["2.0"] == got["+Inf"] == 0.1 + 0.2 > 0.3

    def test_what_is_no_number_is_in_no_bucket(self):
        got = buckets(count_int=5, sum=math.nan, positive_spans=spans((0, 1)), positive_deltas=[3])
        assert got == {"0.0": 0, "0.5": 0, "1.0": 3, "+Inf": 5}

    def test_the_largest_numbers_and_infinity(self):
        largest = le_text(np.finfo(float).max)
        got = buckets(
            count_int=6,
            negative_spans=spans((1024, 2)),
            negative_deltas=[1, 0],
            positive_spans=spans((1024, 2)),
            positive_deltas=[1, 2],
        )
        half = le_text(2.0**1023)
        assert got == {
            f"-{largest}": 1,
            f"-{half}": 2,
            "0.0": 2,
            half: 2,
            largest: 3,
            "+Inf": 6,
        }

    def test_infinity_after_a_gap(self):
        got = buckets(count_int=2, positive_spans=spans((0, 1), (1024, 1)), positive_deltas=[1, 0])
        assert list(got) == ["0.0", "0.5", "1.0", le_text(np.finfo(float).max), "+Inf"]

    def test_buckets_far_beyond_all_floats(self):
        far = (1 << 31) - 10
        assert buckets(count_int=1, positive_spans=spans((far, 1)), positive_deltas=[1]) == {
            "0.0": 0,
            "+Inf": 1,
        }
        assert buckets(count_int=1, positive_spans=spans((-far, 1)), positive_deltas=[1]) == {
            "0.0": 1,
            "+Inf": 1,
        }

    def test_coarse_schemas(self):
        got = buckets(schema=-4, count_int=1, positive_spans=spans((1, 1)), positive_deltas=[1])
        assert got == {"0.0": 0, "1.0": 0, "65536.0": 1, "+Inf": 1}

    def test_spans_of_nothing_shift(self):
        got = buckets(
            count_int=2,
            positive_spans=spans((0, 0), (1, 1), (0, 0), (1, 1)),
            positive_deltas=[1, 0],
        )
        assert got == {"0.0": 0, "1.0": 0, "2.0": 1, "4.0": 1, "8.0": 2, "+Inf": 2}

    def test_counts_of_64_bits(self):
        got = buckets(
            count_int=(1 << 64) - 1,
            zero_count_int=(1 << 63),
            positive_spans=spans((0, 1)),
            positive_deltas=[(1 << 63) - 1],
        )
        assert got == {"0.0": 2.0**63, "0.5": 2.0**63, "1.0": 2.0**64, "+Inf": 2.0**64}


class TestCustom:
    """Schema -53: a classic histogram that came as a native one is as it was."""

    def test_all_bounds_are_there(self):
        got = buckets(
            schema=-53,
            count_int=6,
            custom_values=[-1.0, 0.5, 1.0, 2.5],
            positive_spans=spans((0, 1), (1, 1), (1, 1)),
            positive_deltas=[1, 1, 1],
        )
        assert got == {"-1.0": 1, "0.5": 1, "1.0": 3, "2.5": 3, "+Inf": 6}

    def test_floats(self):
        got = buckets(
            schema=-53,
            count_float=2.5,
            custom_values=[1.0],
            positive_spans=spans((0, 2)),
            positive_counts=[1.0, 1.5],
        )
        assert got == {"1.0": 1, "+Inf": 2.5}

    def test_without_bounds(self):
        got = buckets(schema=-53, count_int=2, positive_spans=spans((0, 1)), positive_deltas=[2])
        assert got == {"+Inf": 2}


@pytest.mark.parametrize("fields", [{}, {"count_float": 0.0}, {"schema": 3}, {"schema": 99}])
def test_a_stale_histogram_ends_what_surely_exists(fields):
    stale = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
    got = classic(message(sum=stale, **fields))
    assert [(suffix, le) for suffix, le, _ in got.parts] == [
        ("_bucket", "+Inf"),
        ("_count", None),
        ("_sum", None),
    ]
    values = np.array([value for _, _, value in got.parts])
    assert values.view(np.uint64).tolist() == [STALE_BITS] * 3


def test_another_nan_is_not_stale():
    got = classic(message(sum=math.nan))
    assert got.parts[-2] == ("_count", None, 0.0)


ONE = {"count_int": 1, "positive_spans": spans((0, 1)), "positive_deltas": [1]}
CUSTOM = {"schema": -53, "custom_values": [1.0, 2.0], **ONE}
INVALID = {
    "buckets hold less than the count": ({**ONE, "count_int": 2}, "2 observations, and 1 in"),
    "buckets hold more than the count": ({**ONE, "count_int": 0}, "0 observations, and 1 in"),
    "more than the count, with NaN": ({**ONE, "count_int": 0, "sum": math.nan}, "and 1 in"),
    "a delta is missing": ({**ONE, "positive_spans": spans((0, 2))}, "spans of 2 buckets, and 1"),
    "a delta too many": ({**ONE, "positive_spans": []}, "spans of 0 buckets, and 1 counts"),
    "a span of thousands of millions": (
        {**ONE, "positive_spans": spans((0, (1 << 32) - 1), (0, (1 << 32) - 1))},
        "spans of 8589934590 buckets",
    ),
    "negative deltas without spans": ({**ONE, "negative_deltas": [1]}, "negative spans of 0"),
    "below zero": ({**ONE, "positive_deltas": [-1]}, "-1 observations in positive bucket 0"),
    "below zero later": (
        {"count_int": 1, "negative_spans": spans((3, 2)), "negative_deltas": [1, -2]},
        "-1 observations in negative bucket 4",
    ),
    "a float below zero": (
        {"count_float": 1, "positive_spans": spans((0, 1)), "positive_counts": [-0.5]},
        "-0.5 observations",
    ),
    "a bucket of NaN": (
        {"count_float": 1, "positive_spans": spans((0, 1)), "positive_counts": [math.nan]},
        "nan observations",
    ),
    "a bucket of infinitely many": (
        {"count_float": 1, "positive_spans": spans((0, 1)), "positive_counts": [math.inf]},
        "inf observations",
    ),
    "a count of NaN": ({"count_float": math.nan}, "nan observations"),
    "a count below zero": ({"count_float": -1.0}, "-1.0 observations"),
    "a zero count below zero": (
        {"count_float": 1.0, "zero_count_float": -1.0},
        "-1.0 observations in the zero bucket",
    ),
    "a threshold below zero": ({"zero_threshold": -1.0}, "-1.0 as the zero threshold"),
    "a threshold of NaN": ({"zero_threshold": math.nan}, "nan as the zero threshold"),
    "a threshold of infinity": ({"zero_threshold": math.inf}, "inf as the zero threshold"),
    "a span that goes back": (
        {"count_int": 2, "positive_spans": spans((0, 1), (-1, 1)), "positive_deltas": [1, 0]},
        "goes back by 1",
    ),
    "an index over 32 bits": (
        {
            "count_int": 2,
            "positive_spans": spans(((1 << 31) - 1, 1), (0, 1)),
            "positive_deltas": [1, 0],
        },
        "bucket 2147483648, which takes over 32 bits",
    ),
    "integers and float counts": ({**ONE, "positive_counts": [1.0]}, "integer and float"),
    "integers and a float zero": ({**ONE, "zero_count_float": 0.0}, "integer and float"),
    "floats and deltas": (
        {"count_float": 1.0, "positive_spans": spans((0, 1)), "positive_deltas": [1]},
        "integer and float",
    ),
    "custom bounds where none are needed": ({**ONE, "custom_values": [1.0]}, "needs none"),
    "a bucket beyond the bounds": (
        {**CUSTOM, "positive_spans": spans((3, 1))},
        "bucket 3, of 3 with custom bounds",
    ),
    "a bucket before the bounds": ({**CUSTOM, "positive_spans": spans((-1, 1))}, "bucket -1"),
    "bounds that fall": ({**CUSTOM, "custom_values": [2.0, 1.0]}, "do not rise"),
    "bounds that stay": ({**CUSTOM, "custom_values": [1.0, 1.0]}, "do not rise"),
    "a bound of NaN": ({**CUSTOM, "custom_values": [math.nan]}, "no number"),
    "a bound of infinity": ({**CUSTOM, "custom_values": [1.0, math.inf]}, "no number"),
    "custom bounds and a threshold": ({**CUSTOM, "zero_threshold": 0.1}, "beside them"),
    "custom bounds and a zero bucket": (
        {**CUSTOM, "count_int": 2, "zero_count_int": 1},
        "beside them",
    ),
    "custom bounds and negative buckets": (
        {**CUSTOM, "count_int": 2, "negative_spans": spans((0, 1)), "negative_deltas": [1]},
        "beside them",
    ),
    "too many bounds": (
        {**CUSTOM, "custom_values": [float(i) for i in range(MAX_BUCKETS + 1)]},
        "2049 bounds",
    ),
    "too many buckets": (
        {
            "count_int": MAX_BUCKETS + 1,
            "positive_spans": spans((0, MAX_BUCKETS + 1)),
            "positive_deltas": [1] + [0] * MAX_BUCKETS,
        },
        "2049 buckets",
    ),
    "too many bytes": ({"positive_spans": spans(*[(0, 0)] * MAX_BYTES)}, "at most 131072"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name):
    fields, rule = INVALID[name]
    with pytest.raises(InvalidHistogramError, match=rule) as caught:
        classic(message(**fields))
    assert caught.value.time_ms in (NOW, None)


@pytest.mark.parametrize("schema", [-54, -52, -9, -5, 9, 52, 1 << 30, -(1 << 31)])
def test_unknown_schemas(schema):
    with pytest.raises(UnsupportedSampleError, match=f"schema {schema} is not stored"):
        classic(message(schema=schema, **ONE))


def test_the_most_buckets_are_taken():
    got = buckets(
        schema=8,
        count_int=MAX_BUCKETS,
        positive_spans=spans(*[(1, 1)] * MAX_BUCKETS),
        positive_deltas=[1] + [0] * (MAX_BUCKETS - 1),
    )
    assert len(got) == 2 * MAX_BUCKETS + 2


def test_labels():
    base = {"__name__": "m", "le": "stray", "job": "j"}
    assert labels_of(base, "_count", None) == {"__name__": "m_count", "le": "stray", "job": "j"}
    assert labels_of(base, "_bucket", "1.0") == {"__name__": "m_bucket", "le": "1.0", "job": "j"}
    assert base["__name__"] == "m"


class TestBounds:
    def test_those_of_prometheus_to_the_last_bit(self):
        """From its table; nearest floats would differ in the last digit of most."""
        assert [le_text(exponential_bound(i, 3)) for i in range(9)] == [
            "1.0",
            "1.0905077326652577",
            "1.189207115002721",
            "1.2968395546510096",
            "1.414213562373095",
            "1.5422108254079407",
            "1.6817928305074288",
            "1.8340080864093422",
            "2.0",
        ]

    @pytest.mark.parametrize("schema", range(-4, 8))
    def test_a_coarser_schema_has_every_other_bound(self, schema):
        """As text: the same bound is the same series whatever the sender's schema is."""
        reach = 1_100 << schema if schema >= 0 else 1_100 >> -schema
        step = max(1, reach // 3_000)
        for index in range(-reach, reach, step):
            fine = le_text(exponential_bound(2 * index, schema + 1))
            assert le_text(exponential_bound(index, schema)) == fine

    @pytest.mark.parametrize("schema", range(-4, 9))
    def test_they_rise_and_are_told_apart(self, schema):
        around = [exponential_bound(index, schema) for index in range(-600, 601)]
        finite = [bound for bound in around if 0 < bound < math.inf]
        assert all(low < high for low, high in pairwise(finite))
        assert len({le_text(bound) for bound in finite}) == len(finite)

    @pytest.mark.parametrize("schema", range(-4, 9))
    def test_they_are_powers(self, schema):
        for index in range(-200, 201):
            exact = 2.0 ** (index / 2.0**schema) if abs(index / 2.0**schema) < 1000 else None
            if exact is not None:
                assert exponential_bound(index, schema) == pytest.approx(exact, rel=1e-15)

    @pytest.mark.parametrize(
        ("bound", "text"),
        [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (-1.0, "-1.0"),
            (10, "10.0"),
            (2.5, "2.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000123, "0.000123"),
            (0.0000123, "1.23e-05"),
            (100_000.0, "100000.0"),
            (123_456.5, "123456.5"),
            (999_999.0, "999999.0"),
            (1_000_000.0, "1e+06"),
            (1_048_576.0, "1.048576e+06"),
            (-1_048_576.0, "-1.048576e+06"),
            (1e15, "1e+15"),
            (1e16, "1e+16"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (math.inf, "+Inf"),
            (-math.inf, "-Inf"),
        ],
    )
    def test_text_is_as_go_writes_it(self, bound, text):
        assert le_text(bound) == text

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_text_is_the_number(self, bound):
        assert float(le_text(bound)) == bound
        assert "." in le_text(bound) or "e" in le_text(bound)


@st.composite
def sides(draw):
    """One side of a histogram: {index: observations}, as spans may have it."""
    start = draw(st.integers(-60, 60))
    found, index = {}, start
    for gap, count in draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1_000)))):
        index += gap
        found[index] = count
        index += 1
    return found


def on_the_wire(side, side_name, as_float):
    """Spans and counts of {index: observations}."""
    if not side:
        return {}
    indexes = sorted(side)
    made = [[indexes[0], 1]]
    for low, high in pairwise(indexes):
        if high == low + 1:
            made[-1][1] += 1
        else:
            made.append([high - low - 1, 1])
    counts = [side[index] for index in indexes]
    if as_float:
        return {f"{side_name}_spans": spans(*made), f"{side_name}_counts": map(float, counts)}
    deltas = [high - low for low, high in pairwise([0, *counts])]
    return {f"{side_name}_spans": spans(*made), f"{side_name}_deltas": deltas}


@st.composite
def histograms(draw):
    """A valid histogram: its schema, its sides, its zero bucket, and how it is sent."""
    schema = draw(st.integers(-4, 8))
    negative, positive = draw(sides()), draw(sides())
    if schema < 0:  # else bounds leave the floats
        negative, positive = (
            {index: count for index, count in side.items() if abs(index) < 60}
            for side in (negative, positive)
        )
    zero = draw(st.integers(0, 50))
    as_float = draw(st.booleans())
    count = sum(negative.values()) + sum(positive.values()) + zero
    kind = "float" if as_float else "int"
    fields = {
        "schema": schema,
        "sum": draw(st.floats(-1e9, 1e9)),
        "zero_threshold": draw(st.sampled_from([0.0, 5e-324, 1e-300])),
        f"count_{kind}": count,
        f"zero_count_{kind}": zero,
        **on_the_wire(negative, "negative", as_float),
        **on_the_wire(positive, "positive", as_float),
    }
    return schema, negative, positive, zero, fields


def native_buckets(schema, negative, positive, zero, threshold):
    """(lower, upper, observations), rising: what the message says, without any conversion."""
    for index in sorted(negative, reverse=True):
        yield (
            -exponential_bound(index, schema),
            -exponential_bound(index - 1, schema),
            negative[index],
        )
    yield (-threshold if negative else 0.0), threshold, zero
    for index in sorted(positive):
        yield (
            exponential_bound(index - 1, schema),
            exponential_bound(index, schema),
            positive[index],
        )


def usable(schema, *both):
    """Whether all bounds are floats of their own, away from zero's bucket."""
    bounds = [exponential_bound(i, schema) for side in both for x in side for i in (x - 1, x)]
    return all(1e-290 < bound < 1e300 for bound in bounds)


@settings(max_examples=300)
@given(histograms())
def test_every_bucket_comes_back(histogram):
    schema, negative, positive, zero, fields = histogram
    got = {float(le): value for le, value in buckets(**fields).items()}
    assert list(got.values()) == sorted(got.values()), "it never falls"
    count = sum(negative.values()) + sum(positive.values()) + zero
    assert got[math.inf] == count
    if usable(schema, negative, positive):
        threshold = fields["zero_threshold"]
        for lower, upper, observed in native_buckets(schema, negative, positive, zero, threshold):
            if (lower, upper) != (-threshold, threshold) or threshold:
                assert got[upper] - got.get(lower, 0) == observed or lower == 0.0


def classic_quantile(rank, found):
    """Prometheus' `histogram_quantile` on classic buckets, asked by rank."""
    bounds, counts = list(found), list(found.values())
    at = next(i for i, count in enumerate(counts) if count >= rank)
    if bounds[at] == math.inf:
        return bounds[at - 1]
    if at == 0:
        return bounds[0] if bounds[0] <= 0 else bounds[0] * rank / counts[0]
    start, below = bounds[at - 1], counts[at - 1]
    return start + (bounds[at] - start) * (rank - below) / (counts[at] - below)


@settings(max_examples=300)
@given(histograms(), st.floats(0, 1))
def test_quantiles_are_those_of_the_native_buckets(histogram, inside):
    """At each bound exactly, and between bounds within the very bucket."""
    schema, negative, positive, zero, fields = histogram
    if not usable(schema, negative, positive):
        return
    found = {float(le): value for le, value in buckets(**fields).items()}
    below = 0
    for lower, upper, observed in native_buckets(
        schema, negative, positive, zero, fields["zero_threshold"]
    ):
        if observed:
            assert classic_quantile(below + observed, found) == pytest.approx(upper, rel=1e-12)
            between = classic_quantile(below + max(inside, 1e-9) * observed, found)
            if lower == upper == 0.0:
                # A zero bucket without width is no bucket of its own next to negative ones.
                lower = max(bound for bound in found if bound < 0) if negative else 0.0
            assert lower - abs(lower) * 1e-9 <= between <= upper + abs(upper) * 1e-9
        below += observed


@settings(max_examples=500)
@given(st.binary(max_size=200))
def test_garbage_is_refused_by_name(body):
    try:
        parts = classic(body).parts
    except BadRequestError:
        return
    assert all(isinstance(value, float) for _, _, value in parts)


@settings(max_examples=500)
@given(histograms(), st.data())
def test_damage_is_refused_by_name(histogram, data):
    body = bytearray(message(**histogram[-1]))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = classic(bytes(body)).parts
    except BadRequestError:
        return
    assert len(found) <= 2 * MAX_BUCKETS + 5


def test_half_a_message():
    with pytest.raises(MalformedBodyError):
        classic(message(**ONE)[:-1])
