"""Samples that come in whole, not over the wire: they go straight into the lake in one commit.

Pulls and imports use this. No log is needed: the source still has the data, and the commit's key
makes a repeat harmless.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.buffer import Sorted, sort
from ingest.catalogue import Catalogue
from ingest.samples import SampleBatch
from ingest.series import Series
from lake import CommitKey, Lake, TimeRange
from lake.views import quote

POINT = ["series_id", "time"]
"""What there is one sample of; a series is of one cluster."""

ROWS_AT_ONCE = 20_000
"""Rows of `series` in one commit: labels as maps take some kilobytes each on the way."""


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
    if _is_committed(lake, key):
        return 0
    ordered = sort(samples, catalogue)
    append_series(lake, catalogue, ordered)
    lake.samples.append(ordered.samples, key, ordered=True)
    return len(samples)


def append_missing(
    lake: Lake, catalogue: Catalogue, samples: SampleBatch, key: CommitKey, between: TimeRange
) -> int:
    """Append those samples, all of them in `between`, whose series and time the lake lacks.

    A key that is committed already adds nothing.

    Returns:
        Samples added.
    """
    if _is_committed(lake, key):
        return 0
    ordered = sort(samples, catalogue)
    append_series(lake, catalogue, ordered)
    lacking = _lacking(ordered.samples, _held(lake, _clusters(ordered.samples), between))
    lake.samples.append(lacking, key, ordered=True)
    return int(lacking.num_rows)


def append_series(lake: Lake, catalogue: Catalogue, ordered: Sorted) -> int:
    """Append the rows of `series` that these samples need and the lake lacks.

    To be called before the samples go in: no reader may meet a sample whose series it cannot name.

    Returns:
        Rows appended.
    """
    seen = (ordered.numbers, ordered.first_us, ordered.last_us)
    due = catalogue.ledger.due(*seen)
    due_at = np.flatnonzero(due)
    for start in range(0, len(due_at), ROWS_AT_ONCE):
        some = due_at[start : start + ROWS_AT_ONCE]
        described = catalogue.ledger.changes()
        new = (ordered.numbers[some], ordered.first_us[some], ordered.last_us[some])
        lake.series.append(catalogue.rows(*new))
        catalogue.ledger.written(*new, described)
    return int(due.sum())


def replace(
    lake: Lake, catalogue: Catalogue, samples: SampleBatch, cluster: str, between: TimeRange
) -> None:
    """Make `samples` all that the lake holds of their clusters in a range within one UTC day.

    Files are written again only where the lake holds something else: what it merely lacks is
    appended, and what is the same is left.

    Args:
        lake: where they go.
        catalogue: where they have their numbers from.
        samples: of that range alone.
        cluster: is emptied also if none of the samples is of it.
        between: the range.
    """
    ordered = sort(samples, catalogue)
    append_series(lake, catalogue, ordered)
    clusters = sorted({cluster, *_clusters(ordered.samples)})
    held = _held(lake, clusters, between)
    if _agrees(ordered.samples, held):
        lake.samples.append(_lacking(ordered.samples, held), ordered=True)
        return
    plain = ordered.samples.cast(lake.samples.spec.schema)
    names = ", ".join(quote(name) for name in clusters)
    start, end = between.start.isoformat(), between.end.isoformat()
    lake.samples.replace(
        plain,
        f"date = '{between.start.date().isoformat()}' AND cluster IN ({names}) "
        f"AND time >= '{start}' AND time < '{end}'",
    )


def _is_committed(lake: Lake, key: CommitKey) -> bool:
    done = lake.samples.committed_position(key.app)
    return done is not None and done >= key.position


def _clusters(samples: pa.Table) -> list[str]:
    return pc.unique(samples.column("cluster")).to_pylist()  # type: ignore[no-any-return]


def _held(lake: Lake, clusters: list[str], between: TimeRange) -> pa.Table:
    """What the lake holds of these clusters in a range."""
    return lake.sql(
        "SELECT series_id, time, value FROM samples "
        "WHERE list_contains($clusters, cluster) AND time >= $start AND time < $end",
        {"clusters": clusters, "start": between.start, "end": between.end},
        between=between,
    )


def _lacking(samples: pa.Table, held: pa.Table) -> pa.Table:
    """The samples whose series and time are not held, in their order."""
    if held.num_rows == 0:
        return samples
    rows = _points(samples).with_row_index("row")
    missing = rows.join(_points(held), on=POINT, how="anti").get_column("row").sort()
    return samples.take(pa.array(missing.to_numpy()))


def _agrees(samples: pa.Table, held: pa.Table) -> bool:
    """Whether everything held is among the samples, once and with the same value."""
    if held.num_rows == 0:
        return True
    ours = _points(samples).with_columns(pl.Series("ours", samples.column("value").to_numpy()))
    theirs = _points(held).with_columns(pl.Series("theirs", held.column("value").to_numpy()))
    both = theirs.join(ours, on=POINT, how="inner")
    # NaN is the same as NaN here, whatever its bits.
    same = (both["ours"] == both["theirs"]).all()
    return same and both.height == held.num_rows and both.select(POINT).n_unique() == both.height


def _points(rows: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "series_id": rows.column("series_id").to_numpy(),
            "time": rows.column("time").cast(pa.int64()).to_numpy(),
        }
    )
