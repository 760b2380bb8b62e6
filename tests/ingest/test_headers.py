import pytest

from ingest.errors import UnsupportedProtocolError
from ingest.remote_write.headers import check

PROTOBUF = "application/x-protobuf"


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (PROTOBUF, "snappy"),
        ("Application/X-Protobuf", "Snappy"),
        (f" {PROTOBUF} ; proto=prometheus.WriteRequest", " snappy "),
        (f"{PROTOBUF};proto=prometheus.WriteRequest", "snappy"),
        (f'{PROTOBUF};proto="prometheus.WriteRequest"', "snappy"),
        (f"{PROTOBUF}; charset=utf-8", "snappy"),
    ],
)
def test_accepted(content_type, encoding):
    check(content_type, encoding)


@pytest.mark.parametrize(
    ("content_type", "encoding", "header", "value"),
    [
        (None, "snappy", "Content-Type", ""),
        ("", "snappy", "Content-Type", ""),
        ("application/json", "snappy", "Content-Type", "application/json"),
        ("application/x-protobuffer", "snappy", "Content-Type", "application/x-protobuffer"),
        (
            f"{PROTOBUF};proto=io.prometheus.write.v2.Request",
            "snappy",
            "Content-Type",
            f"{PROTOBUF};proto=io.prometheus.write.v2.Request",
        ),
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
        check(content_type, encoding)
    assert (refusal.value.header, refusal.value.value) == (header, value)
    assert repr(value) in str(refusal.value)
