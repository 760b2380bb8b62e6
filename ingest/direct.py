"""Samples that come in whole, not over the wire: they go straight into the lake in one commit.

Pulls and imports use this. No log is needed: the source still has the data, and the commit's key
makes a repeat harmless.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingest.buffer import sort
from ingest.catalogue import Catalogue
from ingest.samples import SampleBatch
from ingest.series import Series
from lake import CommitKey, Lake
from lake.views import quote


def batch(
    catalogue: Catalogue,
    series: Sequence[Series],
    time_ms: Sequence[npt.NDArray[np.int64]],
    values: Sequence[npt.NDArray[np.float64]],
) -> SampleBatch:
    """One batch from per-series arrays (ms since 1970; values)."""
    numbers = [catalogue.number(one) for one in series]
    counts = [len(of_series) for of_series in time_ms]
    return SampleBatch(
        np.repeat(np.array(numbers, np.int32), counts),
        np.concatenate([np.empty(0, np.int64), *time_ms]),
        np.concatenate([np.empty(0, np.float64), *values]),
    )


def append(lake: Lake, catalogue: Catalogue, samples: SampleBatch, key: CommitKey) -> int:
    """Append series and samples; a key that is committed already adds nothing.

    Returns:
        Samples added.
    """
    done = lake.samples.committed_position(key.app)
    if done is not None and done >= key.position:
        return 0
    ordered = sort(samples, catalogue)
    if len(samples):
        lake.series.append(catalogue.rows(ordered.numbers, ordered.first_us, ordered.last_us))
    lake.samples.append(ordered.samples, key, ordered=True)
    return len(samples)


def replace_day(
    lake: Lake, catalogue: Catalogue, samples: SampleBatch, cluster: str, day: str
) -> int:
    """Make `samples` all that the lake holds of this cluster and UTC day (`YYYY-MM-DD`).

    Returns:
        Samples written.
    """
    ordered = sort(samples, catalogue)
    if len(samples):
        lake.series.append(catalogue.rows(ordered.numbers, ordered.first_us, ordered.last_us))
    plain = ordered.samples.cast(lake.samples.spec.schema)
    lake.samples.replace(plain, f"date = '{day}' AND cluster = {quote(cluster)}")
    return len(samples)
