"""Which requests of the remote-write protocol are understood, and what the answer says."""

from ingest.errors import UnsupportedProtocolError
from ingest.outcome import Written

MESSAGES = {"prometheus.WriteRequest": 1, "io.prometheus.write.v2.Request": 2}
"""The version of remote write by the message that `Content-Type` names; without a name, 1."""

_MEDIA = "application/x-protobuf"


def version(content_type: str | None, content_encoding: str | None) -> int:
    """The version of a request's message: protobuf in a snappy block.

    >>> version("application/x-protobuf", "snappy")
    1
    >>> version("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy")
    2
    >>> version("application/json", "snappy")
    Traceback (most recent call last):
    ingest.errors.UnsupportedProtocolError: Content-Type is ...

    Raises:
        UnsupportedProtocolError: anything else; the sender falls back or stops (415).
    """
    accepted = f"{_MEDIA} alone, or with " + " or ".join(f"proto={name}" for name in MESSAGES)
    media, *parameters = (part.strip() for part in (content_type or "").split(";"))
    named = [value for name, _, value in (p.partition("=") for p in parameters) if name == "proto"]
    found = MESSAGES.get(named[0].strip('"')) if named else 1
    if media.lower() != _MEDIA or found is None:
        raise UnsupportedProtocolError("Content-Type", content_type or "", accepted)
    if (content_encoding or "").strip().lower() != "snappy":
        raise UnsupportedProtocolError("Content-Encoding", content_encoding or "", "snappy")
    return found


def written(done: Written) -> dict[str, str]:
    """Headers that say how much was stored. Exemplars are dropped, and said to be."""
    return {
        "X-Prometheus-Remote-Write-Samples-Written": str(done.samples),
        "X-Prometheus-Remote-Write-Histograms-Written": str(done.histograms),
        "X-Prometheus-Remote-Write-Exemplars-Written": "0",
    }
