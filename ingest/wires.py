"""The wires by the number that log records carry, and what a body of each becomes."""

from dataclasses import dataclass, field

import pyarrow as pa

from ingest import events
from ingest.catalogue import Catalogue
from ingest.errors import LogError
from ingest.load import SAMPLE_BYTES
from ingest.outcome import Written
from ingest.remote_write import decode, message
from ingest.remote_write.decode import EVERYTHING, Limits
from ingest.samples import SampleBatch

REMOTE_WRITE, EVENTS = 1, 2
"""Kinds of log records; numbers are for ever."""

NO_LIMIT_BYTES = 1 << 32


@dataclass(frozen=True, slots=True)
class Wire:
    """How a body is read.

    Attributes:
        default_cluster: cluster of data that names none.
        stated: whether the request itself says that it is of this cluster.
        max_bytes: what it may unpack to.
        limits: what it may hold.
    """

    default_cluster: str | None = None
    stated: bool = False
    max_bytes: int = NO_LIMIT_BYTES
    limits: Limits = field(default=EVERYTHING)


@dataclass(frozen=True, slots=True)
class Taken:
    """A decoded request: samples or rows of `events`, and what its sender is told."""

    written: Written
    weight: int
    samples: SampleBatch | None = None
    events: pa.Table | None = None


def unpacked_bytes(kind: int, body: bytes) -> int:
    """What a body is once it is unpacked, as it says itself.

    Raises:
        MalformedBodyError: it does not say.
    """
    return message.stated_size(body) if kind == REMOTE_WRITE else len(body)


def take(kind: int, body: bytes, catalogue: Catalogue, wire: Wire) -> Taken:
    """Decode a body, refused whole if any part of it is wrong.

    Raises:
        BodyTooLargeError, BadRequestError, TooManySeriesError: see `decode` and `events.parse`.
        LogError: the kind is none that this program knows.
    """
    if kind == REMOTE_WRITE:
        batch = decode.decode(
            message.unpack(body, wire.max_bytes),
            catalogue,
            default_cluster=wire.default_cluster,
            stated=wire.stated,
            limits=wire.limits,
        )
        return Taken(Written(samples=len(batch) + batch.stale), len(batch), samples=batch)
    if kind == EVENTS:
        limits = wire.limits
        rows = events.parse(
            body, wire.default_cluster, latest=limits.latest, earliest=limits.earliest
        )
        return Taken(Written(events=rows.num_rows), rows.nbytes // SAMPLE_BYTES, events=rows)
    raise LogError(
        f"log record is of kind {kind}: it was written by a newer version, start that one"
    )
