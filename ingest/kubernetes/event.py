"""Kubernetes Events, in both of the API's forms, as rows of `events`.

core/v1 and events.k8s.io/v1 hold the same things under other names, and older servers fill the new
form's `deprecated…` fields. Field names as in the Kubernetes API reference.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ingest.errors import InvalidEventError
from ingest.rfc3339 import parse_time

MAX_MESSAGE = 65_536
"""The API allows 1 kB; longer ones are seen. Beyond this the rest is cut off."""

_MARKS = ("involvedObject", "regarding", "firstTimestamp", "lastTimestamp", "eventTime")


def is_event(event: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a Kubernetes Event (dumps often lack `kind` and `metadata`)."""
    return event.get("kind") == "Event" or any(mark in event for mark in _MARKS)


def row(event: Mapping[str, Any]) -> dict[str, Any]:
    """A Kubernetes Event as a row of `events`, without its cluster.

    Raises:
        InvalidEventError: it has no reason, or no usable time.
    """
    metadata = event.get("metadata") or {}
    about = event.get("involvedObject") or event.get("regarding") or {}
    series = event.get("series") or {}
    reason = event.get("reason")
    if not isinstance(reason, str) or not reason:
        raise InvalidEventError(f"Kubernetes event {metadata.get('name')!r} has no reason")
    message = event.get("message") or event.get("note") or ""
    return {
        "time": _time(event, series, metadata),
        "source": "kubernetes",
        "type": event.get("type"),
        "reason": reason,
        "kind": about.get("kind"),
        "namespace": about.get("namespace") or event.get("namespace") or metadata.get("namespace"),
        "name": about.get("name"),
        "uid": metadata.get("uid"),
        "message": str(message)[:MAX_MESSAGE],
        "count": int(count_of(event)),
        "attributes": list(_attributes(event, about)),
    }


def count_of(event: Mapping[str, Any]) -> int:
    """How often it happened, as far as this version of the event knows.

    >>> count_of({"series": {"count": 3}, "deprecatedCount": 2})
    3
    """
    series = event.get("series") or {}
    count: int = series.get("count") or event.get("count") or event.get("deprecatedCount") or 1
    return count


def _time(
    event: Mapping[str, Any], series: Mapping[str, Any], metadata: Mapping[str, Any]
) -> datetime:
    """When it was last seen; `null` and "0001-01-01T00:00:00Z" are how the API writes unset."""
    for text in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        metadata.get("creationTimestamp"),
    ):
        if text and not str(text).startswith("0001-"):
            return parse_time(str(text))
    raise InvalidEventError(f"Kubernetes event {metadata.get('name')!r} has no time")


def _attributes(event: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    source = event.get("source") or event.get("deprecatedSource") or {}
    named = {
        "component": event.get("reportingController")
        or event.get("reportingComponent")
        or source.get("component"),
        "host": source.get("host") or event.get("reportingInstance"),
        "action": event.get("action"),
        "object_uid": about.get("uid"),
        "field_path": about.get("fieldPath"),
    }
    for name, value in named.items():
        if value:
            yield name, str(value)
