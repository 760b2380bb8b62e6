"""What log records hold, by the number that they carry, and what a body of each becomes.

Every other wire is translated to one of these before it is logged.
"""

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from ingest import events
from ingest.catalogue import Catalogue
from ingest.errors import ClusterForbiddenError, IngestError, LogError
from ingest.load import SAMPLE_BYTES
from ingest.outcome import BAD_REQUEST, Refusal, Written
from ingest.remote_write import message
from ingest.remote_write.decode import decode
from ingest.remote_write.starts import NO_STARTS, Starts
from ingest.rules import EVERYTHING, NO_LIMIT, Rules
from ingest.samples import SampleBatch

REMOTE_WRITE, EVENTS, REMOTE_WRITE_2 = 1, 2, 3
"""Kinds of log records; numbers are for ever."""

FORBIDDEN = 403
"""Status of a refusal whose first event is of a cluster that the sender's token does not allow."""

VERSIONS = {REMOTE_WRITE: 1, REMOTE_WRITE_2: 2}


@dataclass(frozen=True, slots=True)
class Taken:
    """A decoded request: what is to be stored, logged and told.

    Attributes:
        written: what the sender is told.
        weight: what it weighs in samples while it waits.
        samples: to be stored, of metrics.
        events: to be stored, of events.
        kind: of the record to be logged.
        body: of the record to be logged; None = there is nothing to store.
        refused: samples or events by (cluster, rule broken).
        deduplicated: samples left to the other replica, by cluster.
        relabelled: samples left out by relabelling.
        cause: where nothing of it can be stored, what the sender is told instead.
        starts: of counters, noted; to be undone where it cannot be logged.
    """

    written: Written
    weight: int
    samples: SampleBatch | None = None
    events: pa.Table | None = None
    kind: int = REMOTE_WRITE
    body: bytes | None = None
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    deduplicated: Counter[str] = field(default_factory=Counter)
    relabelled: int = 0
    cause: IngestError | None = None
    starts: Starts = NO_STARTS


def unpacked_bytes(kind: int, body: bytes) -> int:
    """What a body is once it is unpacked, as it says itself.

    Raises:
        MalformedBodyError: it does not say.
    """
    return message.stated_size(body) if kind in VERSIONS else len(body)


def take(kind: int, body: bytes, catalogue: Catalogue, rules: Rules = EVERYTHING) -> Taken:
    """Decode a body.

    Raises:
        BodyTooLargeError, MalformedBodyError, TooManySeriesError: see `decode`, `events.judge`.
        LogError: the kind is none that this program knows.
    """
    if kind in VERSIONS:
        data = message.unpack(body, rules.max_bytes)
        found = decode(data, catalogue, rules, VERSIONS[kind])
        if found.payload is not None:
            kind, body = REMOTE_WRITE, message.pack(found.payload)
        batch = found.batch
        nothing = len(batch) == 0 and found.payload is not None
        return Taken(
            found.written,
            len(batch),
            samples=batch,
            kind=kind,
            body=None if nothing else body,
            refused=found.refused,
            deduplicated=found.deduplicated,
            relabelled=found.relabelled,
            cause=found.cause,
            starts=found.starts,
        )
    if kind == EVENTS:
        return _take_events(body, rules)
    raise LogError(
        f"log record is of kind {kind}: it was written by a newer version, start that one"
    )


def _take_events(body: bytes, rules: Rules) -> Taken:
    # Where nothing is limited (replay), what was acknowledged under another limit goes in.
    limited = rules.labels.value_bytes < NO_LIMIT
    judged = events.judge(
        body,
        rules.sender,
        latest=rules.latest,
        earliest=rules.earliest,
        max_cluster_bytes=events.MAX_CLUSTER_BYTES if limited else NO_LIMIT,
    )
    refusal, count = None, judged.refused.total()
    if judged.first is not None:
        if not judged.rows:
            return Taken(Written(), 0, kind=EVENTS, refused=judged.refused, cause=judged.first)
        forbidden = isinstance(judged.first, ClusterForbiddenError)
        refusal = Refusal(count, FORBIDDEN if forbidden else BAD_REQUEST, str(judged.first))
        body = judged.payload()
    rows = events.table(judged.rows)
    return Taken(
        Written(events=rows.num_rows, refusal=refusal),
        rows.nbytes // SAMPLE_BYTES,
        events=rows,
        kind=EVENTS,
        body=body,
        refused=judged.refused,
    )
