"""Events as JSON become rows of the table `events`: a dispatcher over the known shapes.

Accepted: one event, a JSON array of events, a Kubernetes list (`items`), a watch line
(`{"type": "ADDED", "object": …}`). Each event is a Kubernetes Event (core/v1 or events.k8s.io/v1,
see `ingest.kubernetes`) or a plain object with at least `source`, `reason` and `time`. The log
holds such bodies alone: lines (`from_lines`), decisions and alerts are made into them before.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import xxhash

from ingest import kubernetes
from ingest.errors import (
    BadRequestError,
    ClusterMissingError,
    InvalidEventError,
    MalformedBodyError,
)
from ingest.rfc3339 import parse_time
from ingest.sender import Sender
from lake.schema import EVENTS
from lake.timerange import EPOCH

Row = dict[str, Any]
TEXT_COLUMNS = tuple(field.name for field in EVENTS.schema if field.type == pa.string())
SURROGATE = re.compile("[\ud800-\udfff]")
"""JSON can write one half of a UTF-16 pair, which no UTF-8 text can hold."""

MAX_COUNT = (1 << 31) - 1
"""Kubernetes counts in 32 bits."""

MAX_DEPTH = 64
"""Levels of a document: a pod in an admission review has twelve. What is far deeper could exhaust
the stack of whatever shows or writes it."""

WATCH_TYPES = ("ADDED", "MODIFIED", "DELETED")


MAX_CLUSTER_BYTES = 255
"""Of the name of an event's cluster: four times what DNS gives a label; folders can bear it."""


@dataclass(slots=True)
class Judged:
    """The events of a body by what becomes of them.

    Attributes:
        rows: of those that are stored, in the order given.
        kept: those as they came, in the same order.
        refused: how many break a rule, by (cluster, short name of the rule).
        first: the first rule broken.
    """

    rows: list[Row] = field(default_factory=list)
    kept: list[object] = field(default_factory=list)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: BadRequestError | None = None

    def payload(self) -> bytes:
        """What is stored, as a body that gives the same rows again."""
        return json.dumps(self.kept, separators=(",", ":")).encode()


def judge(
    body: bytes,
    sender: Sender,
    *,
    latest: datetime,
    earliest: datetime = EPOCH,
    max_cluster_bytes: int = MAX_CLUSTER_BYTES,
) -> Judged:
    """Judge each event of a body by itself.

    Args:
        body: UTF-8 JSON.
        sender: cluster of events that name none, and which ones they may name.
        latest: events after this are refused.
        earliest: events before this are refused.
        max_cluster_bytes: events of a cluster with a longer name are refused.

    Raises:
        MalformedBodyError: the body is no JSON; nothing of it can be told apart.
    """
    judged = Judged()
    for item in _each(read_json(body)):
        cluster = sender.cluster or ""
        try:
            event = _unwrapped(item)
            row = _row(event, sender.cluster)
            check_cluster(row["cluster"], sender, max_cluster_bytes)
            cluster = row["cluster"]
            _check_time(row, event, earliest, latest)
        except BadRequestError as error:
            judged.first = judged.first or error
            judged.refused[cluster, error.reason] += 1
        else:
            judged.rows.append(row)
            judged.kept.append(item)
    return judged


def parse(
    body: bytes, default_cluster: str | None, *, latest: datetime, earliest: datetime = EPOCH
) -> pa.Table:
    """Rows of `events` of a body in which all is right; arguments as `judge`.

    Raises:
        MalformedBodyError: the body is no JSON object or array.
        InvalidEventError: an event lacks what identifies it, or its time is wrong.
        ClusterMissingError: nothing says which cluster an event is of.
    """
    judged = judge(body, Sender(default_cluster), latest=latest, earliest=earliest)
    if judged.first is not None:
        raise judged.first
    return table(judged.rows)


def check_cluster(cluster: str, sender: Sender, most: int = MAX_CLUSTER_BYTES) -> None:
    """Whether events of this cluster are taken from this sender.

    Raises:
        InvalidEventError: its name is too long.
        ClusterForbiddenError: the sender's token says otherwise.
    """
    size = len(cluster.encode())
    if size > most:
        raise InvalidEventError(
            f"cluster {cluster[:40]!r}… has a name of {size} bytes, at most {most} are accepted"
        )
    sender.check(cluster)


def read_json(body: bytes) -> object:
    """What a body says.

    >>> read_json(b'{"a": [1]}')
    {'a': [1]}

    Raises:
        MalformedBodyError: it is no JSON, or nested more deeply than anybody writes it.
    """
    try:
        # A text first: left to itself, `json` guesses UTF-16 where bytes look like it.
        document: object = json.loads(body.decode())
    except ValueError as error:
        raise MalformedBodyError(f"body is no JSON: {error}") from error
    except RecursionError as error:
        raise MalformedBodyError(f"body is nested too deeply: {error}") from error
    depth, level = 0, [document]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise MalformedBodyError(f"body is nested too deeply: over {MAX_DEPTH} levels")
        level = [inner for one in level for inner in _inner(one)]
    return document


def from_lines(body: bytes) -> bytes:
    r"""A document a line (`application/x-ndjson`) as one array; empty lines are nothing.

    >>> from_lines(b'{"a": 1}\n\n{"b": 2}\n')
    b'[{"a": 1},{"b": 2}]'

    Raises:
        MalformedBodyError: a line is no JSON.
    """
    lines = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            read_json(line)
        except MalformedBodyError as error:
            raise MalformedBodyError(f"line {number}: {error}") from error
        lines.append(line.strip())
    return b"[" + b",".join(lines) + b"]"


def table(rows: list[Row]) -> pa.Table:
    """Rows as dictionaries become a table; absent columns are null."""
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in EVENTS.schema
    }
    return pa.table(columns, schema=EVENTS.schema)


def _inner(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _each(document: object) -> list[object]:
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        document = document["items"]
    return document if isinstance(document, list) else [document]


def _unwrapped(item: object) -> Mapping[str, Any]:
    """The event; of a line of a watch, the one that it is about."""
    if not isinstance(item, Mapping):
        raise MalformedBodyError(f"event {str(item)[:80]!r} is no JSON object")
    inner = item.get("object")
    return inner if item.get("type") in WATCH_TYPES and isinstance(inner, Mapping) else item


def _row(event: Mapping[str, Any], default_cluster: str | None) -> Row:
    try:
        row = _plain(event) if is_plain(event) else kubernetes.row(event)
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


def is_plain(event: Mapping[str, Any]) -> bool:
    """Whether an event is of our own form.

    One about a Kubernetes Event has `kind: Event`; but in the API's form, `source` is an object.

    >>> is_plain({"source": "opa", "reason": "deny", "time": "…", "kind": "Event"})
    True
    """
    return isinstance(event.get("source"), str) or not kubernetes.is_event(event)


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
