"""Objects as rows of the table `objects`, and their changes as events."""

import json
from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import xxhash

from ingest.errors import InvalidEventError
from ingest.kubernetes.changes import Change
from ingest.kubernetes.objects import ClusterObject
from ingest.kubernetes.server import Json
from ingest.rfc3339 import parse_time
from lake.schema import OBJECTS

ADDED, CHANGED, REMOVED, PRESENT = "added", "changed", "removed", "present"
"""What a row says of its object. `present` = unchanged, and written once a day, so that a reader
of a moment needs the rows of its day alone."""


def table(cluster: str, time: datetime, objects: Iterable[tuple[ClusterObject, str]]) -> pa.Table:
    """Rows of `objects`, of one snapshot.

    Args:
        cluster: theirs.
        time: of the snapshot.
        objects: each with what the row says of it.
    """
    rows = [_row(one, change) | {"cluster": cluster, "time": time} for one, change in objects]
    columns = [pa.array([row[field.name] for row in rows], field.type) for field in OBJECTS.schema]
    return pa.table(columns, schema=OBJECTS.schema)


def _row(one: ClusterObject, change: str) -> Json:
    owner, workload = one.owner or (None, None), one.workload or (None, None)
    return {
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "uid": one.uid,
        "change": change,
        "created": _time(one.created),
        "owner_kind": owner[0],
        "owner_name": owner[1],
        "workload_kind": workload[0],
        "workload": workload[1],
        "node": one.node,
        "labels": list(one.labels.items()),
        "state": json.dumps(one.state, separators=(",", ":")),
    }


def event(change: Change, one: ClusterObject, since: datetime, now: datetime) -> str:
    """A change as the JSON of an event; the same change gives the same bytes and uid.

    Args:
        change: what was found.
        one: of which object, as it is now, or was before it went.
        since: the snapshot before: the change is later than that.
        now: the snapshot that found it.
    """
    at = _time(change.at)
    told = at is not None and since < at <= now
    attributes = {
        "object_uid": one.uid,
        "not_before": since.isoformat(),
        **({"workload": one.workload[1]} if one.workload else {}),
        **change.attributes,
    }
    return json.dumps(
        {
            "source": "change",
            "time": (at if at is not None and told else now).isoformat(),
            "type": "Warning" if change.warning else "Normal",
            "reason": change.reason,
            "kind": one.kind,
            "namespace": one.namespace,
            "name": one.name,
            # An object has each version once, so a change there and back again has three uids.
            "uid": _digest(one.uid, one.version, change.reason, change.subject),
            "message": change.message,
            "count": 1,
            "attributes": attributes,
        },
        separators=(",", ":"),
    )


def _digest(*parts: str) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(parts).encode())


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except (InvalidEventError, TypeError):
        return None
