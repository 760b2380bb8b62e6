"""The compiled naming of series is that of `identify`, or leaves a series to it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ClusterMissingError, InvalidLabelsError
from ingest.naming import canonical
from ingest.remote_write import remote_write_pb2 as schema
from ingest.series import id_of, identify, pairs_of

NAME = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True)
METRIC = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,6}", fullmatch=True)
ASCII = st.text(st.characters(max_codepoint=127), min_size=1, max_size=6)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ODD_NAME = st.one_of(NAME, st.sampled_from(["", "a-b", "1a", "é", "a:b", "a\n", "cluster"]))


def encoded(pairs):
    labels = [schema.Label(name=_raw(n), value=_raw(v)) for n, v in pairs]
    made = schema.TimeSeries(labels=[one.SerializeToString() for one in labels])
    return made.SerializeToString()


def named(*series, cluster=None, **limits):
    """What `canonical` makes of each: (labels, metric, cluster) as bytes, or None."""
    return named_raw(*map(encoded, series), cluster=cluster, **limits)


def named_raw(*raw, cluster=None, **limits):
    sizes = np.array([len(one) for one in raw], np.int64)
    ends = 5 + np.cumsum(sizes)
    starts = ends - sizes
    data = np.frombuffer(b"\xffbits" + b"".join(raw), np.uint8)
    made = canonical(data, starts, ends, cluster, **limits)
    out = made.data.tobytes()
    slices = zip(made.bounds.tolist(), made.metrics.tolist(), made.clusters.tolist(), strict=True)
    return [
        tuple(out[start:end] for start, end in one) if one[0][1] > one[0][0] else None
        for one in slices
    ]


def _raw(text):
    return text.encode() if isinstance(text, str) else text


def agrees(got, pairs, cluster):
    series = identify(pairs, cluster)
    labels, metric, of = got
    assert (labels, metric, of) == (
        series.canonical, series.metric.encode(), series.cluster.encode(),
    )  # fmt: skip
    assert id_of(labels) == series.series_id
    assert tuple(pairs_of(labels)) == series.labels


REGULAR = st.tuples(
    METRIC, st.dictionaries(NAME.filter(lambda n: n != "__name__"), ASCII, max_size=6)
).map(lambda made: sorted({**made[1], "__name__": made[0]}.items()))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(REGULAR, st.booleans()), min_size=1, max_size=4), ASCII)
def test_regular_labels_are_named_as_identify_does(many, cluster):
    """With the cluster put where it belongs in their order."""
    series = [[pair for pair in pairs if pair[0] != "cluster" or keep] for pairs, keep in many]
    for pairs, got in zip(series, named(*series, cluster=cluster), strict=True):
        agrees(got, pairs, cluster)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ODD_NAME, ANY), max_size=5), METRIC, st.none() | ASCII)
def test_whatever_is_named_is_named_as_identify_does(pairs, metric, cluster):
    pairs = [("__name__", metric), *pairs]
    for order in (pairs, sorted(pairs)):
        (got,) = named(order, cluster=cluster)
        if got is not None:
            agrees(got, order, cluster)


@settings(deadline=None)
@given(REGULAR, st.randoms())
def test_ids_do_not_depend_on_the_order_of_labels(pairs, random):
    """Sorted ones are named here, others by `identify`: one series."""
    shuffled = random.sample(pairs, len(pairs))
    (got,) = named(pairs, cluster="eu")
    assert id_of(got[0]) == identify(shuffled, "eu").series_id
    assert (named(shuffled, cluster="eu")[0] is None) == (shuffled != pairs)


UP = [("__name__", "up"), ("cluster", "eu")]

LEFT_TO_IDENTIFY = {
    "unsorted": (UP[::-1], None),
    "twice": ([*UP, ("cluster", "us")], InvalidLabelsError),
    "empty value": ([("__name__", "up"), ("a", ""), ("cluster", "eu")], None),
    "not ASCII": ([*UP, ("zone", "Zürich")], None),
    "bad name": ([*UP, ("d-e", "x")], InvalidLabelsError),
    "name with a colon": ([*UP, ("d:e", "x")], InvalidLabelsError),
    "digit first": ([("1a", "x"), *UP], InvalidLabelsError),
    "empty name": ([("", "x"), *UP], InvalidLabelsError),
    "bad metric": ([("__name__", "up-time"), ("cluster", "eu")], InvalidLabelsError),
    "metric with a digit first": ([("__name__", "1up"), ("cluster", "eu")], InvalidLabelsError),
    "no metric": ([("cluster", "eu")], InvalidLabelsError),
    "no labels": ([], InvalidLabelsError),
    "no cluster": ([("__name__", "up")], ClusterMissingError),
    "empty cluster": ([("__name__", "up"), ("cluster", "")], ClusterMissingError),
}


@pytest.mark.parametrize(("pairs", "error"), LEFT_TO_IDENTIFY.values(), ids=LEFT_TO_IDENTIFY)
def test_what_is_irregular_is_left_to_identify(pairs, error):
    """And spoils neither neighbour."""
    before, got, after = named(UP, pairs, [*UP, ("x", "y")])
    assert got is None
    agrees(before, UP, None)
    agrees(after, [*UP, ("x", "y")], None)
    if error is None:
        assert identify(pairs).cluster == "eu"
    else:
        with pytest.raises(error):
            identify(pairs)


@pytest.mark.parametrize("name", ["a", "cluste", "cluster0", "zone", "Z", "__z__"])
def test_the_cluster_is_put_in_its_place(name):
    pairs = sorted([("__name__", "up"), (name, "x")])
    (got,) = named(pairs, cluster="eu-1")
    agrees(got, pairs, "eu-1")
    assert got[2] == b"eu-1"


def test_a_cluster_of_the_sender_may_be_any_text():
    (got,) = named([("__name__", "up")], cluster="Zürich")
    agrees(got, [("__name__", "up")], "Zürich")


def test_a_replica_label_is_left_to_identify():
    pairs = [("__name__", "up"), ("__replica__", "a"), ("cluster", "eu")]
    assert named(pairs, replica_label="__replica__") == [None]
    agrees(named(pairs)[0], pairs, None)


@pytest.mark.parametrize("limit", ["max_labels", "max_name", "max_value"])
def test_limits_include_their_value(limit):
    pairs = [("__name__", "up"), ("cluster", "europe")]
    most = {"max_labels": 2, "max_name": 8, "max_value": 6}
    agrees(named(pairs, **most)[0], pairs, None)
    assert named(pairs, **most | {limit: most[limit] - 1}) == [None]


@pytest.mark.parametrize(
    "raw",
    [b"\x0a\x04\x0a\x08__", b"\x0a\x02\x08\x01", b"\x0a\x01\x0a", b"\x0a\x03\x12\x05x"],
)
def test_a_label_that_is_none_is_left_to_identify(raw):
    assert named_raw(raw + encoded([("__name__", "up")]), cluster="eu") == [None]


def test_what_is_no_utf_8_is_left_to_identify():
    assert named([*UP, ("zone", b"\xff")], [*UP, (b"z\xc3", "x")]) == [None, None]


def test_unknown_fields_of_a_label_are_passed_over():
    label = schema.Label(name=b"__name__", value=b"up").SerializeToString() + b"\x7a\x01x"
    raw = b"\x0a" + bytes([len(label)]) + label
    agrees(named_raw(raw, cluster="eu")[0], [("__name__", "up")], "eu")


def test_no_series_at_all():
    assert named() == []
