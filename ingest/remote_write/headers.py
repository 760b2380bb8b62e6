"""Which requests of the remote-write protocol are understood."""

from ingest.errors import UnsupportedProtocolError

V1_MESSAGE = "prometheus.WriteRequest"


def check(content_type: str | None, content_encoding: str | None) -> None:
    """Accept remote write 1.0: protobuf in a snappy block.

    >>> check("application/x-protobuf", "snappy")
    >>> check("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy")
    Traceback (most recent call last):
    ingest.errors.UnsupportedProtocolError: Content-Type is ...

    Raises:
        UnsupportedProtocolError: anything else; the sender falls back or stops (415).
    """
    accepted = f"application/x-protobuf or application/x-protobuf;proto={V1_MESSAGE}"
    media, *parameters = (part.strip() for part in (content_type or "").split(";"))
    message = next((p.partition("=")[2] for p in parameters if p.startswith("proto=")), V1_MESSAGE)
    if media.lower() != "application/x-protobuf" or message.strip('"') != V1_MESSAGE:
        raise UnsupportedProtocolError("Content-Type", content_type or "", accepted)
    if (content_encoding or "").strip().lower() != "snappy":
        raise UnsupportedProtocolError("Content-Encoding", content_encoding or "", "snappy")
