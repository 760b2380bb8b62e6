"""Samples that come in whole, not over the wire: they go straight into the lake in one commit.

Pulls and imports use this. No log is needed: the source still has the data, and the commit's key
makes a repeat harmless.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingest.buffer import Sorted, sort
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
    append_series(lake, catalogue, ordered)
    lake.samples.append(ordered.samples, key, ordered=True)
    return len(samples)


def append_series(lake: Lake, catalogue: Catalogue, ordered: Sorted) -> int:
    """Append the rows of `series` that these samples need and the lake lacks.

    To be called before the samples go in: no reader may meet a sample whose series it cannot name.

    Returns:
        Rows appended.
    """
    seen = (ordered.numbers, ordered.first_us, ordered.last_us)
    due = catalogue.due(*seen)
    if due.any():
        described = catalogue.described()
        new = (ordered.numbers[due], ordered.first_us[due], ordered.last_us[due])
        lake.series.append(catalogue.rows(*new))
        catalogue.mark_written(*new, described)
    return int(due.sum())


def replace_day(
    lake: Lake, catalogue: Catalogue, samples: SampleBatch, cluster: str, day: str
) -> int:
    """Make `samples` all that the lake holds of their clusters on this UTC day (`YYYY-MM-DD`).

    Args:
        lake: where they go.
        catalogue: where they have their numbers from.
        samples: of that day alone.
        cluster: is emptied also if none of the samples is of it.
        day: the day.

    Returns:
        Samples written.
    """
    ordered = sort(samples, catalogue)
    append_series(lake, catalogue, ordered)
    clusters = {cluster, *(name for name, _ in catalogue.count_by_cluster(samples.series))}
    plain = ordered.samples.cast(lake.samples.spec.schema)
    names = ", ".join(quote(name) for name in sorted(clusters))
    lake.samples.replace(plain, f"date = '{day}' AND cluster IN ({names})")
    return len(samples)
