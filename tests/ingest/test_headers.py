import pytest

from ingest.errors import UnsupportedProtocolError
from ingest.outcome import Refusal, Written
from ingest.remote_write.headers import version, written

PROTOBUF = "application/x-protobuf"
SECOND = "io.prometheus.write.v2.Request"


@pytest.mark.parametrize(
    ("content_type", "encoding", "expected"),
    [
        (PROTOBUF, "snappy", 1),
        ("Application/X-Protobuf", "Snappy", 1),
        (f" {PROTOBUF} ; proto=prometheus.WriteRequest", " snappy ", 1),
        (f"{PROTOBUF};proto=prometheus.WriteRequest", "snappy", 1),
        (f'{PROTOBUF};proto="prometheus.WriteRequest"', "snappy", 1),
        (f"{PROTOBUF}; charset=utf-8", "snappy", 1),
        (f"{PROTOBUF};proto={SECOND}", "snappy", 2),
        (f'{PROTOBUF}; charset=utf-8; proto="{SECOND}"', "snappy", 2),
    ],
)
def test_accepted(content_type, encoding, expected):
    assert version(content_type, encoding) == expected


@pytest.mark.parametrize(
    ("content_type", "encoding", "header", "value"),
    [
        (None, "snappy", "Content-Type", ""),
        ("", "snappy", "Content-Type", ""),
        ("application/json", "snappy", "Content-Type", "application/json"),
        ("application/x-protobuffer", "snappy", "Content-Type", "application/x-protobuffer"),
        (f"{PROTOBUF};proto={SECOND}x", "snappy", "Content-Type", f"{PROTOBUF};proto={SECOND}x"),
        (f"text/plain;proto={SECOND}", "snappy", "Content-Type", f"text/plain;proto={SECOND}"),
        (f"{PROTOBUF};proto=", "snappy", "Content-Type", f"{PROTOBUF};proto="),
        (PROTOBUF, None, "Content-Encoding", ""),
        (PROTOBUF, "gzip", "Content-Encoding", "gzip"),
        (PROTOBUF, "zstd", "Content-Encoding", "zstd"),
        (PROTOBUF, "snappy, gzip", "Content-Encoding", "snappy, gzip"),
        (PROTOBUF, "identity", "Content-Encoding", "identity"),
    ],
)
def test_refused(content_type, encoding, header, value):
    with pytest.raises(UnsupportedProtocolError, match="accepted: ") as refusal:
        version(content_type, encoding)
    assert (refusal.value.header, refusal.value.value) == (header, value)
    assert repr(value) in str(refusal.value)


def test_what_was_written_is_told_and_that_exemplars_were_not():
    told = written(Written(7, 2, refusal=Refusal(1, 400, "rule")))
    assert told == {
        "X-Prometheus-Remote-Write-Samples-Written": "7",
        "X-Prometheus-Remote-Write-Histograms-Written": "2",
        "X-Prometheus-Remote-Write-Exemplars-Written": "0",
    }
