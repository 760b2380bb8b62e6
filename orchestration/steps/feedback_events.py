"""What people say of what we found, as an event of source `feedback`."""

import json
from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
import xxhash

from lake.schema import EVENTS
from lake.timerange import to_micros

FEEDBACK = "feedback"


def feedback_event(
    cluster: str,
    kind: str,
    name: str,
    time: datetime,
    verdict: str,
    note: str | None,
    attributes: Mapping[str, str | None],
) -> pa.Table:
    """One row of `events`.

    Args:
        cluster: of what it is said.
        kind: what that is, as `Incident`.
        name: its id.
        time: when it is said.
        verdict: what is said.
        note: anything.
        attributes: what else is said; what is None is left out.
    """
    known = {"verdict": verdict, **attributes}
    # Two may say something in the same microsecond; the same twice is said once.
    said = xxhash.xxh3_64_hexdigest(json.dumps([known, note], sort_keys=True).encode())
    event: dict[str, object] = {
        "cluster": cluster,
        "time": time,
        "source": FEEDBACK,
        "type": "Normal",
        "reason": verdict.capitalize(),
        "kind": kind,
        "namespace": None,
        "name": name,
        "uid": f"{name}:{to_micros(time)}:{said}",
        "message": note,
        "count": 1,
        "attributes": [(key, text) for key, text in known.items() if text is not None],
    }
    return pa.table(
        {field.name: pa.array([event[field.name]], field.type) for field in EVENTS.schema},
        schema=EVENTS.schema,
    )
