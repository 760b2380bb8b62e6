"""Refusals: whole, typed, saying value and rule, and without a trace."""

import math
import struct
import time
from datetime import UTC, datetime, timedelta

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
    UnsupportedSampleError,
)
from ingest.receiver import Receiver
from ingest.remote_write import decode as decode_module
from ingest.remote_write.decode import decode
from ingest.remote_write.message import pack
from ingest.series import identify
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
        "has 257 labels, at most 256",
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
    """All that a refused request could have changed."""
    return (
        len(receiver.catalogue),
        receiver.waiting_samples(),
        receiver.log_bytes(),
        receiver.lake.snapshot().versions,
        list(receiver._log.replay()),
    )


@pytest.mark.parametrize("place", ["alone", "before", "after"])
@pytest.mark.parametrize(("series", "error", "rule"), WRONG)
def test_a_wrong_series_refuses_the_request(refusing, body, series, error, rule, place):
    parts = {"alone": [series], "before": [series, GOOD], "after": [GOOD, series]}[place]
    before = trace(refusing)
    with pytest.raises(error, match=rule):
        refusing.write_samples(body(*parts))
    refusing.flush()
    assert trace(refusing) == before
    assert issubclass(error, BadRequestError)


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


def test_native_histograms_refuse_the_request(refusing, body):
    before = trace(refusing)
    with pytest.raises(UnsupportedSampleError, match="1 native histograms"):
        refusing.write_samples(body(GOOD, histograms=1))
    assert trace(refusing) == before


def test_a_label_that_is_no_message_is_refused(refusing, payload):
    request = payload(GOOD).replace(b"\x0a\x08__name__", b"\x0a\x7f__name__")
    with pytest.raises(MalformedBodyError, match="a label of series 0 is no label"):
        refusing.write_samples(pack(request))
    assert len(refusing.catalogue) == 0


def test_time_errors_name_the_series(refusing, body):
    series = [GOOD, (UP, []), ([*UP, ("pod", "late")], [(NOON_MS, 1.0), (2**60, 2.0)]), GOOD]
    with pytest.raises(TimestampError, match="late") as refusal:
        refusing.write_samples(body(*series))
    assert refusal.value.milliseconds == 2**60


@pytest.mark.parametrize(
    "at", [NOON_MS - MONTH, NOON_MS, NOON_MS + TEN_MINUTES], ids=["earliest", "now", "latest"]
)
def test_the_bounds_of_time_are_accepted(receiver, body, stored, at):
    assert receiver.write_samples(body(bad(UP, at))).result().samples == 1
    receiver.flush()
    assert stored() == [1.0]


def test_stale_markers_are_dropped_and_counted(receiver, body, stored):
    points = [(NOON_MS, 1.0), (NOON_MS + 1, STALE), (NOON_MS + 2, math.nan), (NOON_MS + 3, STALE)]
    assert receiver.write_samples(body((UP, points))).result() == 4
    receiver.flush()
    values = stored()
    assert len(values) == 2
    assert sum(map(math.isnan, values)) == 1
    assert receiver.statistics.stale_markers == 2
    assert receiver.statistics.samples == {"eu": 2}


def test_nothing_but_stale_markers(receiver, body, stored):
    receiver.write_samples(body((UP, [(NOON_MS, STALE)]))).result()
    assert receiver.flush().samples == 0
    assert stored() == []
    assert receiver.log_bytes() == 0


def test_exemplars_are_counted(receiver, body):
    receiver.write_samples(body(GOOD, GOOD, exemplars=3)).result()
    assert receiver.statistics.exemplars_dropped == 6


def test_a_default_cluster_stands_in_and_is_part_of_the_key(payload):
    catalogue = Catalogue()
    request = payload(bad([("__name__", "up")]), bad([("__name__", "up"), ("cluster", "own")]))
    a = decode(request, catalogue, default_cluster="a")
    b = decode(request, catalogue, default_cluster="b")
    names = [catalogue.name(int(n)) for n in (*a.series, *b.series)]
    assert names == ['up{cluster="a"}', 'up{cluster="own"}', 'up{cluster="b"}', 'up{cluster="own"}']
    assert len(catalogue) == 3


def test_a_series_twice_in_a_request_is_one_series(payload):
    catalogue = Catalogue()
    request = payload(GOOD, (UP[::-1], [(NOON_MS + 1, 2.0)]), GOOD)
    batch = decode(request, catalogue, default_cluster=None)
    assert batch.series.tolist() == [0, 0, 0]
    assert len(catalogue) == 1


def test_settings_move_the_latest_time(open_receiver, body):
    receiver = open_receiver(max_future=timedelta(0))
    receiver.write_samples(body(GOOD)).result()
    with pytest.raises(TimestampError):
        receiver.write_samples(body(bad(UP, NOON_MS + 1)))


def test_any_age_is_taken_by_default(open_receiver, body, stored):
    receiver = open_receiver(max_age=None)
    receiver.write_samples(body(bad(UP, NOON_MS - 19_000 * 86_400_000))).result()
    receiver.flush()
    assert stored() == [1.0]


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


def test_a_new_series_that_stands_many_times_is_identified_once(payload, monkeypatch):
    calls = []
    monkeypatch.setattr(
        decode_module, "identify", lambda *args: calls.append(args) or identify(*args)
    )
    batch = decode(payload(*[GOOD] * 50), Catalogue(), default_cluster=None)
    assert (batch.series.tolist(), len(calls)) == ([0] * 50, 1)


def test_descriptions_are_of_the_stated_cluster_or_of_the_series_in_the_request(payload):
    def described(stated, default, *series):
        seen = []
        catalogue = Catalogue()
        catalogue.describe = lambda metadata, clusters: seen.extend(clusters)
        request = payload(*series, metadata=[("up", 2, "Text.", "")])
        decode(request, catalogue, default_cluster=default, stated=stated)
        return seen

    assert described(True, "a", GOOD) == ["a"]
    assert described(False, "a", GOOD) == ["eu"]
    assert described(False, "a") == [None]
    many = [bad([("__name__", "up"), ("cluster", str(i))]) for i in range(20)]
    assert described(False, None, *many) == [None]
