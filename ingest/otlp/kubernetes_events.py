"""Kubernetes Events that a Collector's `k8seventsreceiver` sends as log records."""

from collections.abc import Mapping
from typing import Any

from ingest.errors import InvalidEventError
from ingest.events import MAX_COUNT

PREFIX = "k8s.event."
REASON = "k8s.event.reason"

FIELDS = {
    REASON: "reason",
    "k8s.event.uid": "uid",
    "k8s.object.kind": "kind",
    "k8s.object.name": "name",
}
"""Attributes that are columns of `events`."""

ATTRIBUTES = {
    "k8s.event.action": "action",
    "k8s.event.source": "component",
    "k8s.node.name": "host",
    "k8s.object.uid": "object_uid",
    "k8s.object.fieldpath": "field_path",
}
"""Attributes under the name that `ingest.kubernetes` has for the same thing."""


def is_event(attributes: Mapping[str, str]) -> bool:
    """Whether a record is a Kubernetes Event: it has a reason, and other marks of one."""
    return bool(attributes.get(REASON))


def fill(event: dict[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Put what a record says into an event; the attributes that have no column are left.

    Raises:
        InvalidEventError: its count is none.
    """
    event["source"] = "kubernetes"
    for name, column in FIELDS.items():
        if known.get(name):
            event[column] = known[name]
    event["count"] = _count(known.get("k8s.event.count") or "1")
    rest = {ATTRIBUTES.get(name, name): text for name, text in known.items() if name not in FIELDS}
    for column in ("k8s.event.count", "k8s.cluster.name", "k8s.namespace.name"):
        rest.pop(column, None)
    return rest


def _count(text: str) -> int:
    # "0" is how the receiver of old wrote that the API gave none.
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_COUNT:
        raise InvalidEventError(f"k8s.event.count is {text[:40]!r}, not a number of 32 bits")
    return int(text) or 1
