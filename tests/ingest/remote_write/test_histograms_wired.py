"""Native histograms of a request are stored as buckets, each whole or not at all, never lost."""

import pytest
from google.protobuf.message_factory import GetMessageClass

from ingest.errors import (
    InvalidHistogramError,
    InvalidLabelsError,
    MalformedBodyError,
    SeriesLimitError,
    TimestampError,
)
from ingest.remote_write import histogram_pb2, message
from ingest.remote_write import remote_write_pb2 as schema
from tests.remote_write_2 import Series

Histogram = GetMessageClass(histogram_pb2.DESCRIPTOR.message_types_by_name["Histogram"])
NAMED = [("__name__", "took_seconds"), ("cluster", "eu")]
GOOD = {"count_int": 3, "sum": 4.5, "positive_deltas": [1, 1],
        "positive_spans": [{"offset": 0, "length": 2}]}  # fmt: skip
BROKEN = GOOD | {"count_int": 1}


@pytest.fixture
def receiver(open_receiver):
    return open_receiver()


@pytest.fixture(params=[1, 2], ids=["version 1", "version 2"])
def send(request, body_2, now_ms):
    """Sends series of (labels, points, histograms); a histogram is fields or bytes."""

    def encoded(histogram):
        if isinstance(histogram, bytes):
            return histogram
        return Histogram(**{"timestamp": now_ms, **histogram}).SerializeToString()

    def write(receiver, *series):
        if request.param == 2:
            made = [Series(lab, pts, histograms=list(map(encoded, hs))) for lab, pts, hs in series]
            return receiver.write_samples(body_2(*made), version=2)
        body = schema.WriteRequest()
        for labels, points, histograms in series:
            one = body.timeseries.add()
            one.labels.extend(message.encode_labels(labels))
            one.histograms.extend(map(encoded, histograms))
            for at, value in points:
                one.samples.add(timestamp=at, value=value)
        return receiver.write_samples(message.pack(body.SerializeToString()))

    return write


def held(receiver, lake):
    receiver.flush()
    rows = lake.sql(
        "SELECT metric, value, labels FROM samples JOIN series USING (metric, series_id)"
    ).to_pylist()
    return {(row["metric"], dict(row["labels"]).get("le")): row["value"] for row in rows}


CLASSIC = {
    ("took_seconds_bucket", "0.5"): 0.0, ("took_seconds_bucket", "1.0"): 1.0,
    ("took_seconds_bucket", "2.0"): 3.0, ("took_seconds_bucket", "+Inf"): 3.0,
    ("took_seconds_count", None): 3.0, ("took_seconds_sum", None): 4.5,
}  # fmt: skip


def without_zero(found):
    return {key: value for key, value in found.items() if key[1] != "0.0"}


def test_stored_as_the_classic_series(receiver, send, lake):
    done = send(receiver, (NAMED, [], [GOOD])).result(10)
    assert (done.samples, done.histograms, done.refusal) == (0, 1, None)
    assert receiver.statistics.histograms == 1
    assert without_zero(held(receiver, lake)) == CLASSIC


def test_beside_samples_of_the_same_series(receiver, send, lake, now_ms):
    done = send(receiver, (NAMED, [(now_ms, 7.0)], [GOOD])).result(10)
    assert (done.samples, done.histograms) == (1, 1)
    assert without_zero(held(receiver, lake)) == CLASSIC | {("took_seconds", None): 7.0}


@pytest.mark.parametrize(
    ("labels", "histogram", "error"),
    [
        (NAMED, BROKEN, InvalidHistogramError),
        (NAMED, b"\xff", MalformedBodyError),
        (NAMED, GOOD | {"timestamp": 1 << 60}, TimestampError),
        ([("cluster", "eu")], GOOD, InvalidLabelsError),
        ([*NAMED, ("le", "1")], GOOD, InvalidLabelsError),
        ([*NAMED, ("a-b", "1")], GOOD, InvalidLabelsError),
    ],
    ids=["contradiction", "no message", "future", "no name", "le", "label name"],
)
def test_a_broken_one_is_refused_and_the_others_are_stored(
    receiver, send, lake, now_ms, abandon, open_receiver, labels, histogram, error
):
    with pytest.raises(error):
        send(receiver, (labels, [], [histogram]))
    other = [("__name__", "up"), ("cluster", "eu")]
    sound = (NAMED, [], [GOOD]), (other, [(now_ms, 1.0)], [])
    done = send(receiver, (labels, [], [histogram]), *sound).result(10)
    assert (done.samples, done.histograms, done.refusal.count) == (1, 1, 1)
    assert (done.refusal.status, sum(receiver.statistics.refused.values())) == (400, 2)
    assert done.refusal.message.startswith("1 of 3 ")
    abandon(receiver)
    again = open_receiver()
    assert without_zero(held(again, lake)) == CLASSIC | {("up", None): 1.0}


def test_two_of_a_series_of_which_one_is_broken(receiver, send, lake):
    done = send(receiver, (NAMED, [], [BROKEN, GOOD])).result(10)
    assert (done.histograms, done.refusal.count) == (1, 1)
    assert without_zero(held(receiver, lake)) == CLASSIC


def test_whole_or_not_at_all(open_receiver, send, lake, now_ms):
    """There is room for some of its series only."""
    receiver = open_receiver(max_series_per_cluster=3)
    with pytest.raises(SeriesLimitError):
        send(receiver, (NAMED, [], [GOOD]))
    other = [("__name__", "took_seconds_count"), ("cluster", "eu")]
    done = send(receiver, (NAMED, [], [GOOD]), (other, [(now_ms - 5, 1.0)], [])).result(10)
    assert (done.histograms, done.refusal.count, done.refusal.status) == (0, 1, 429)
    assert held(receiver, lake) == {("took_seconds_count", None): 1.0}
