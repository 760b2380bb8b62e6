"""Refusals: typed, saying value and rule, of what is wrong and of nothing else."""

import re
import struct
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.catalogue import Catalogue
from ingest.errors import (
    BadRequestError,
    BodyTooLargeError,
    ClusterMissingError,
    IngestError,
    InvalidLabelsError,
    MalformedBodyError,
    TimestampError,
    TooManyEntriesError,
)
from ingest.receiver import Receiver
from ingest.remote_write.decode import decode
from ingest.remote_write.message import pack
from ingest.rules import EVERYTHING, Rules
from ingest.sender import ANYONE, Sender
from ingest.settings import IngestSettings
from lake import Lake

NOON_MS = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1000)
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
UP = [("__name__", "up"), ("cluster", "eu")]
GOOD = (UP, [(NOON_MS, 1.0)])
TEN_MINUTES = 600_000
MONTH = 31 * 86_400_000


def bad(labels, at=NOON_MS):
    return (labels, [(at, 1.0)])


def of(cluster):
    return Rules(sender=Sender(cluster))


def decoded(payload, catalogue, rules=EVERYTHING):
    return decode(np.frombuffer(payload, np.uint8), catalogue, rules)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = IngestSettings(max_age=timedelta(days=31)).rules(
    ANYONE, lambda *_: True, int(NOON.timestamp()) * 1_000_000, stated=False
)


WRONG = [
    pytest.param(bad([("cluster", "eu")]), InvalidLabelsError, "__name__ is missing", id="no name"),
    pytest.param(bad([]), InvalidLabelsError, "__name__ is missing", id="no labels"),
    pytest.param(
        bad([("__name__", ""), ("cluster", "eu")]),
        InvalidLabelsError,
        "is missing",
        id="empty name",
    ),
    pytest.param(
        bad([*UP, ("a", "1"), ("a", "2")]), InvalidLabelsError, "label 'a' stands twice", id="twice"
    ),
    pytest.param(
        bad([*UP, ("a", "1"), ("a", "")]), InvalidLabelsError, "'a' stands twice", id="twice, empty"
    ),
    pytest.param(
        bad([("__name__", b"\xff\xfe"), ("cluster", "eu")]),
        InvalidLabelsError,
        r"\\xff\\xfe.*is not UTF-8",
        id="name not UTF-8",
    ),
    pytest.param(bad([*UP, (b"\xc3", "x")]), InvalidLabelsError, "not UTF-8", id="label not UTF-8"),
    pytest.param(
        bad([*UP, ("a", b"\xed\xa0\x80")]), InvalidLabelsError, "not UTF-8", id="value: surrogate"
    ),
    pytest.param(
        bad([*UP, ("a-b", "x")]), InvalidLabelsError, r"'a-b' is not \[a-zA-Z_\]", id="label name"
    ),
    pytest.param(
        bad([*UP, ("", "x")]), InvalidLabelsError, "name '' is not", id="empty label name"
    ),
    pytest.param(bad([*UP, ("1a", "x")]), InvalidLabelsError, "name '1a' is not", id="digit first"),
    pytest.param(bad([*UP, ("a\n", "x")]), InvalidLabelsError, "is not", id="newline at the end"),
    pytest.param(
        bad([("__name__", "up time"), ("cluster", "eu")]),
        InvalidLabelsError,
        "metric name 'up time' is not",
        id="metric name",
    ),
    pytest.param(
        bad(UP, NOON_MS + TEN_MINUTES + 1),
        TimestampError,
        f"timestamp {NOON_MS + TEN_MINUTES + 1} ms is later than 2026-03-01T12:10:00",
        id="future",
    ),
    pytest.param(bad(UP, 2**63 - 1), TimestampError, "is later than", id="end of time"),
    pytest.param(
        bad(UP, NOON_MS - MONTH - 1), TimestampError, "is earlier than 2026-01-29T12", id="past"
    ),
    pytest.param(bad(UP, 0), TimestampError, "import older data from files", id="1970"),
    pytest.param(
        bad([*UP, *((f"l{i}", "x") for i in range(255))]),
        InvalidLabelsError,
        r"has 257 labels, at most 128 .*ingest\.max_labels",
        id="labels",
    ),
    pytest.param(bad(UP, -1), TimestampError, "timestamp -1 ms is before 1970", id="before 1970"),
    pytest.param(bad(UP, -(2**63)), TimestampError, "is before 1970", id="start of time"),
    pytest.param(
        bad([("__name__", "up")]),
        ClusterMissingError,
        "names no cluster.*external_labels",
        id="cluster",
    ),
    pytest.param(
        bad([("__name__", "up"), ("cluster", "")]), ClusterMissingError, "up", id="empty cluster"
    ),
]


@pytest.fixture
def receiver(open_receiver):
    return open_receiver(max_body_bytes=100_000)


@pytest.fixture(scope="module")
def refusing(tmp_path_factory, noon):
    """A receiver that is to refuse all it gets, so that many tests may share it."""
    folder = tmp_path_factory.mktemp("refusing")
    settings = IngestSettings(max_body_bytes=100_000, max_age=timedelta(days=31))
    one = Receiver(Lake.open(folder / "lake"), folder / "receiver", settings, lambda: noon)
    yield one
    one.close()


def trace(receiver):
    """What a refused request must not change."""
    return (
        receiver.waiting_samples(),
        receiver.log_bytes(),
        receiver.lake.snapshot().versions,
        list(receiver._log.replay()),
    )


@pytest.mark.parametrize(("series", "error", "rule"), WRONG)
def test_a_wrong_series_alone_refuses_the_request(refusing, body, series, error, rule):
    before = trace(refusing)
    for _ in range(2):  # a refusal is not remembered as an answer, nor the series as known
        with pytest.raises(error, match=rule):
            refusing.write_samples(body(series, series))
    refusing.flush()
    assert trace(refusing) == before
    assert issubclass(error, BadRequestError)


@pytest.mark.parametrize(("series", "error", "rule"), WRONG)
def test_a_wrong_series_does_not_keep_out_the_others(payload, series, error, rule):
    """Wherever it stands, known or new the others."""
    catalogue = Catalogue()
    other = ([*UP, ("x", "y")], [(NOON_MS, 2.0), (NOON_MS + 1, 3.0)])
    for parts in ([series, GOOD, other], [GOOD, series, other], [GOOD, other, series]):
        got = decoded(payload(*parts), catalogue, RULES)
        assert got.batch.values.tolist() == [1.0, 2.0, 3.0]
        assert [catalogue.name(n) for n in got.batch.series.tolist()] == [
            'up{cluster="eu"}', *['up{cluster="eu", x="y"}'] * 2,
        ]  # fmt: skip
        assert (got.written.samples, got.written.refusal.count) == (3, 1)
        assert got.written.refusal.status == 400
        assert re.search(rule, got.written.refusal.message)
        assert "1 of 4 samples refused, the rest is stored" in got.written.refusal.message
        assert sum(got.refused.values()) == 1
        again = decoded(got.payload, Catalogue(), EVERYTHING)
        assert again.batch.values.tolist() == [1.0, 2.0, 3.0]
        assert again.payload is None


@pytest.mark.parametrize(
    ("raw", "error", "rule"),
    [
        pytest.param(b"\x05hello", MalformedBodyError, "snappy", id="no snappy"),
        pytest.param(b"", MalformedBodyError, "snappy", id="empty"),
        pytest.param(pack(b"hello world"), MalformedBodyError, "WriteRequest", id="no protobuf"),
        pytest.param(
            pack(bytes(100_001)), BodyTooLargeError, "unpacked body has 100001 bytes", id="unpacked"
        ),
        pytest.param(
            bytes(100_001), BodyTooLargeError, "body has 100001 bytes, at most", id="packed"
        ),
    ],
)
def test_a_wrong_body_is_refused(refusing, raw, error, rule):
    before = trace(refusing)
    with pytest.raises(error, match=rule):
        refusing.write_samples(raw)
    assert trace(refusing) == before
    assert issubclass(error, IngestError)


def test_a_label_that_is_no_message_is_refused(refusing, payload):
    before = trace(refusing)
    request = payload(GOOD).replace(b"\x0a\x08__name__", b"\x0a\x7f__name__")
    with pytest.raises(MalformedBodyError, match="a label is no label"):
        refusing.write_samples(pack(request))
    assert trace(refusing) == before


def test_time_errors_name_the_series(refusing, body):
    series = [(UP, []), ([*UP, ("pod", "late")], [(2**60, 2.0), (2**60 + 1, 2.0)])]
    with pytest.raises(TimestampError, match="late") as refusal:
        refusing.write_samples(body(*series))
    assert refusal.value.milliseconds == 2**60


def test_entries_are_counted_before_they_are_looked_at(refusing):
    """Two bytes an entry: a body of 200 kB would become two million of them."""
    for entry, limit, what in (
        (b"\x1a\x00", 10_000, "descriptions"),
        (b"\x0a\x00", 100_000, "series"),
    ):
        bomb = pack(entry * 2_000_000)
        wide = IngestSettings(max_body_bytes=8 << 20)
        settings, refusing.settings = refusing.settings, wide
        started = time.process_time()
        with pytest.raises(
            TooManyEntriesError, match=f"2000000 {what}.*at most {limit}"
        ) as refusal:
            refusing.write_samples(bomb)
        refusing.settings = settings
        assert refusal.value.limit == limit
        assert time.process_time() - started < 1.0
