"""Rows of the table `series` from canonical labels, without an object for each label."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.entities import entity_of
from ingest.series import SEPARATOR, pairs_of
from lake.schema import ENTITY_COLUMNS, SERIES

Ints = npt.NDArray[np.int64]
About = tuple[str, str | None, str | None]


def series_rows(
    ids: Ints,
    labels: list[bytes],
    clusters: list[str],
    metrics: list[str],
    about: list[About],
    first_us: Ints,
    last_us: Ints,
) -> pa.Table:
    """Rows in the order given.

    Args:
        ids: int64[n].
        labels: canonical labels of each, see `ingest.naming`.
        clusters: cluster of each.
        metrics: metric of each.
        about: kind, unit and help of each.
        first_us: int64[n], when each was first seen, µs since 1970.
        last_us: int64[n], and last.
    """
    entities = [entity_of(dict(pairs_of(one))) for one in labels]
    columns = {
        "cluster": clusters,
        "metric": metrics,
        "series_id": ids,
        "labels": _maps(labels),
        "kind": [kind for kind, _, _ in about],
        "unit": [unit for _, unit, _ in about],
        "help": [text for _, _, text in about],
        "first_seen": first_us,
        "last_seen": last_us,
    }
    for name in ENTITY_COLUMNS:
        columns[name] = [entity.get(name) for entity in entities]
    return pa.table(
        [
            columns[field.name]
            if isinstance(columns[field.name], pa.Array)
            else pa.array(columns[field.name], field.type)
            for field in SERIES.schema
        ],
        schema=SERIES.schema,
    )


def _maps(labels: list[bytes]) -> pa.MapArray:
    """Labels as maps: the bytes between separators are the texts, every second one a name."""
    data = np.frombuffer(b"".join(labels), np.uint8)
    ends = np.flatnonzero(data == SEPARATOR[0])
    # Arrow's texts lie end to end: without the separators, each text moves up by those before it.
    offsets = np.concatenate([[0], ends - np.arange(len(ends))]).astype(np.int32)
    packed = np.delete(data, ends)
    texts = pa.StringArray.from_buffers(
        len(ends), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(packed))
    )
    sizes = np.array([one.count(SEPARATOR) for one in labels], np.int64) // 2
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    even = pa.array(np.arange(0, len(ends), 2))
    odd = pa.array(np.arange(1, len(ends), 2))
    return pa.MapArray.from_arrays(pa.array(bounds), texts.take(even), texts.take(odd))
