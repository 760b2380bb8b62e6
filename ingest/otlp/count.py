"""What a message holds, counted on its bytes before anything is built of them.

Two bytes can be a message of eighty in memory, so what is counted only once it is built is counted
too late. The walk knows which field holds what from protobuf's own descriptors.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ingest.compiled import compiled
from ingest.errors import MalformedBodyError, TooManyEntriesError
from ingest.otlp.limits import Limits
from ingest.protobuf import BYTES, field

MAX_DEPTH = 100
"""Levels; protobuf itself reads no more."""

NONE, TEXTS = -1, 0
"""What a field holds: nothing that is counted, or a text among others."""

ENTRIES = frozenset(
    {
        *("ResourceMetrics", "ScopeMetrics", "Metric", "NumberDataPoint", "HistogramDataPoint"),
        *("ExponentialHistogramDataPoint", "SummaryDataPoint"),
        *("ResourceLogs", "ScopeLogs", "LogRecord"),
    }
)
"""Counted against the first limit; attributes, quantiles and the like against the second."""

WHAT = "resources, scopes, metrics, data points and log records"
DETAILS = "attributes, quantiles, exemplars and other details"

Bytes = npt.NDArray[np.uint8]
Kinds = npt.NDArray[np.int32]
Counts = npt.NDArray[np.int64]


def check(body: bytes, of: Descriptor, limits: Limits) -> None:
    """Whether a message of this type may hold so much.

    Raises:
        TooManyEntriesError: it may not.
        MalformedBodyError: it is no protobuf.
    """
    kinds, entries = _kinds(of)
    counts = np.zeros(len(kinds), np.int64)
    sound = _count(np.frombuffer(body, np.uint8), kinds, counts)
    found = int(counts[entries].sum())
    if found > limits.entries:
        raise TooManyEntriesError(found, limits.entries, WHAT)
    found = int(counts.sum()) - found
    if found > limits.details:
        raise TooManyEntriesError(found, limits.details, DETAILS)
    if not sound:
        raise MalformedBodyError(f"body is no {of.full_name}: it is no protobuf")


@compiled
def _count(data: Bytes, kinds: Kinds, counts: Counts) -> bool:
    """Count messages by type; False if the bytes are no protobuf.

    `kinds[t, n]` is the type of what field `n` of a message of type `t` holds.
    """
    ends = np.empty(MAX_DEPTH, np.int64)
    types = np.empty(MAX_DEPTH, np.int64)
    ends[0], types[0] = len(data), 1
    depth, at = 0, 0
    while True:
        while at == ends[depth]:
            if depth == 0:
                return True
            depth -= 1
        number, wire, start, after = field(data, at, ends[depth])  # type: ignore[no-untyped-call]
        if after < 0:
            return False
        at = after
        if wire != BYTES or number >= kinds.shape[1]:
            continue
        kind = kinds[types[depth], number]
        if kind < 0:
            continue
        counts[kind] += 1
        if kind == 0:
            continue
        if depth + 1 == MAX_DEPTH:
            return False
        depth += 1
        ends[depth], types[depth], at = after, kind, start


@lru_cache(8)
def _kinds(of: Descriptor) -> tuple[Kinds, list[int]]:
    """What each field of each type holds, `of` being type 1; and which types are entries."""
    types = [of]
    rows: list[dict[int, int]] = []
    for one in types:
        rows.append({})
        for item in one.fields:
            if item.message_type is not None:
                if item.message_type not in types:
                    types.append(item.message_type)
                rows[-1][item.number] = types.index(item.message_type) + 1
            elif item.is_repeated and item.type in (
                FieldDescriptor.TYPE_STRING,
                FieldDescriptor.TYPE_BYTES,
            ):
                rows[-1][item.number] = TEXTS
    width = 1 + max(number for row in rows for number in row)
    kinds = np.full((len(types) + 1, width), NONE, np.int32)
    for place, row in enumerate(rows, 1):
        for number, kind in row.items():
            kinds[place, number] = kind
    return kinds, [place for place, one in enumerate(types, 1) if one.name in ENTRIES]
