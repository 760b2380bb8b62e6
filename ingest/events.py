"""Events as JSON become rows of the table `events`: a dispatcher over the known shapes.

Accepted: one event, a JSON array of events, a Kubernetes list (`items`), a watch line
(`{"type": "ADDED", "object": …}`). Each event is a Kubernetes Event (core/v1 or events.k8s.io/v1,
see `ingest.kubernetes`) or a plain object with at least `source`, `reason` and `time`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import xxhash

from ingest import kubernetes
from ingest.errors import ClusterMissingError, InvalidEventError, MalformedBodyError
from ingest.rfc3339 import parse_time
from lake.schema import EVENTS
from lake.timerange import EPOCH

Row = dict[str, Any]
TEXT_COLUMNS = tuple(field.name for field in EVENTS.schema if field.type == pa.string())
SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can write one half of a UTF-16 pair, which no UTF-8 text can hold."""

MAX_COUNT = (1 << 31) - 1
"""Kubernetes counts in 32 bits."""

WATCH_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED"})


def parse(
    body: bytes, default_cluster: str | None, *, latest: datetime, earliest: datetime = EPOCH
) -> pa.Table:
    """Rows of `events`, in the order given; refused whole if any event is wrong.

    Args:
        body: UTF-8 JSON.
        default_cluster: cluster of events that name none.
        latest: events after this are refused.
        earliest: events before this are refused.

    Raises:
        MalformedBodyError: the body is no JSON object or array.
        InvalidEventError: an event lacks what identifies it, or its time is wrong.
        ClusterMissingError: nothing says which cluster an event is of.
    """
    try:
        document = json.loads(body)
    except ValueError as error:
        raise MalformedBodyError(f"body is no JSON: {error}") from error
    except RecursionError as error:
        raise MalformedBodyError(f"body is nested too deeply: {error}") from error
    rows = []
    for event in _each(document):
        row = _row(event, default_cluster)
        _check_time(row, event, earliest, latest)
        rows.append(row)
    return table(rows)


def table(rows: list[Row]) -> pa.Table:
    """Rows as dictionaries become a table; absent columns are null."""
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in EVENTS.schema
    }
    return pa.table(columns, schema=EVENTS.schema)


def _each(document: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        document = document["items"]
    for event in document if isinstance(document, list) else [document]:
        if not isinstance(event, Mapping):
            raise MalformedBodyError(f"event {str(event)[:80]!r} is no JSON object")
        if event.get("type") in WATCH_TYPES and isinstance(event.get("object"), Mapping):
            yield event["object"]
        else:
            yield event


def _row(event: Mapping[str, Any], default_cluster: str | None) -> Row:
    try:
        row = kubernetes.row(event) if kubernetes.is_event(event) else _plain(event)
    except (TypeError, AttributeError, ValueError, OverflowError) as error:
        raise InvalidEventError(
            f"event {_show(event)} has a field of a wrong type: {error}"
        ) from error
    cluster = event.get("cluster") or default_cluster
    if not cluster:
        raise ClusterMissingError(f"event {_show(event)}")
    row["cluster"] = cluster
    _check_types(row, event)
    row["uid"] = row["uid"] or _fingerprint(row)
    return row


def _check_time(row: Row, event: Mapping[str, Any], earliest: datetime, latest: datetime) -> None:
    for wrong, rule in (
        (row["time"] > latest, f"later than {latest.isoformat()}, the latest accepted"),
        (row["time"] < earliest, f"earlier than {earliest.isoformat()}, the earliest accepted"),
    ):
        if wrong:
            raise InvalidEventError(f"event {_show(event)} is of {row['time'].isoformat()}, {rule}")


def _check_types(row: Row, event: Mapping[str, Any]) -> None:
    texts = [(name, row[name]) for name in TEXT_COLUMNS]
    texts += [("attributes", text) for pair in row["attributes"] for text in pair]
    for name, text in texts:
        if text is not None and not isinstance(text, str):
            raise InvalidEventError(f"event {_show(event)}: {name} is {text!r}, not a string")
        if text is not None and SURROGATE.search(text):
            raise InvalidEventError(f"event {_show(event)}: {name} has half a character (U+D800 …)")
    if not 1 <= row["count"] <= MAX_COUNT:
        raise InvalidEventError(f"event {_show(event)}: count is {row['count']}, not 1 or more")


def _plain(event: Mapping[str, Any]) -> Row:
    for name in ("source", "reason", "time"):
        if not isinstance(event.get(name), str):
            raise InvalidEventError(f"event {_show(event)} lacks {name!r}, a string")
    attributes = event.get("attributes") or {}
    return {
        "time": parse_time(event["time"]),
        "source": event["source"],
        "type": event.get("type"),
        "reason": event["reason"],
        "kind": event.get("kind"),
        "namespace": event.get("namespace"),
        "name": event.get("name"),
        "uid": event.get("uid"),
        "message": event.get("message"),
        "count": int(event.get("count") or 1),
        "attributes": [(str(name), str(value)) for name, value in attributes.items()],
    }


def _fingerprint(row: Row) -> str:
    """An id for events that came without one: the same event gives the same id."""
    identity = [
        row[k] for k in ("cluster", "source", "reason", "kind", "namespace", "name", "message")
    ]
    text = json.dumps([*identity, row["time"].isoformat()])
    return xxhash.xxh3_128_hexdigest(text.encode())


def _show(event: Mapping[str, Any]) -> str:
    return json.dumps(event, default=str)[:200]
