"""Requests and replies in both of OTLP's encodings: protobuf, and JSON with its own mapping.

JSON is that of protobuf but for ids of traces and spans, which are hexadecimal.
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

import base64
import json
from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, EncodeError, Message

from ingest.errors import MalformedBodyError, TooManyEntriesError, UnsupportedProtocolError
from ingest.otlp import count
from ingest.otlp.limits import NO_LIMITS, Limits

PROTOBUF, JSON = "application/x-protobuf", "application/json"

_IDS = ("traceId", "spanId", "trace_id", "span_id")
"""Protobuf's JSON may have names as its own files do."""

M = TypeVar("M", bound=Message)


def media_type(content_type: str | None) -> str:
    """Which of the two encodings a `Content-Type` names.

    >>> media_type("application/json; charset=utf-8")
    'application/json'

    Raises:
        UnsupportedProtocolError: neither.
    """
    media = (content_type or "").partition(";")[0].strip().lower()
    if media not in {PROTOBUF, JSON}:
        raise UnsupportedProtocolError("Content-Type", content_type or "", f"{PROTOBUF} or {JSON}")
    return media


def decode(body: bytes, media: str, into: M, limits: Limits = NO_LIMITS) -> M:
    """Read a body into an empty message; what the message does not know is ignored.

    Raises:
        MalformedBodyError: it is no such message.
        TooManyEntriesError: it has more parts than a request may.
    """
    name = into.DESCRIPTOR.full_name
    if media == PROTOBUF:
        count.check(body, into.DESCRIPTOR, limits)
        try:
            into.ParseFromString(body)
        except DecodeError as error:
            raise MalformedBodyError(f"body is no {name}: {error}") from error
        return into
    # Those within texts too: a log line that is JSON counts with its own.
    nested = body.count(b"{") + body.count(b"[")
    if nested > limits.entries + limits.details:
        raise TooManyEntriesError(nested, limits.entries + limits.details, "objects and arrays")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedBodyError(f"body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise MalformedBodyError("body is no JSON object")
    try:
        for record in _log_records(document):
            _read_ids(record)
        json_format.ParseDict(document, into, ignore_unknown_fields=True)
        # Text with half a character (JSON can write one) is taken, but cannot be written again.
        binary = into.SerializeToString()
    except (
        json_format.ParseError,
        EncodeError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        # The name of a field with half a character: upb looks it up and trips over itself.
        SystemError,
    ) as error:
        raise MalformedBodyError(f"body is no {name}: {error}") from error
    count.check(binary, into.DESCRIPTOR, limits)
    return into


def encode(message: Message, media: str) -> bytes:
    """Write a reply in the encoding of its request."""
    if media == PROTOBUF:
        return bytes(message.SerializeToString())
    return json.dumps(json_format.MessageToDict(message)).encode()


def _log_records(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for of_resource in _objects(document, "resourceLogs", "resource_logs"):
        for of_scope in _objects(of_resource, "scopeLogs", "scope_logs"):
            yield from _objects(of_scope, "logRecords", "log_records")


def _objects(node: dict[str, Any], *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        found = node.get(name)
        if isinstance(found, list):
            yield from (one for one in found if isinstance(one, dict))


def _read_ids(record: dict[str, Any]) -> None:
    """Put ids into base64, which is what protobuf's own mapping reads."""
    for name in _IDS:
        if isinstance(record.get(name), str):
            record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
