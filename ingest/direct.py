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
from lake.query import run
from lake.snapshot import Snapshot, TableVersion
from lake.views import quote

POINT = ["series_id", "time"]
"""What there is one sample of; a series is of one cluster."""

ROWS_AT_ONCE = 20_000
"""Rows of `series` in one commit: labels as maps take some kilobytes each on the way."""


SERIES_AT_ONCE = 10_000
"""Series written again in one commit: their ids stand in its predicate, 20 bytes each."""


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
    lake: Lake,
    catalogue: Catalogue,
    samples: SampleBatch,
    key: CommitKey | None,
    between: TimeRange,
) -> int:
    """Append those samples, all of them in `between`, whose series and time the lake lacks.

    A key that is committed already adds nothing; without a key it is looked up in any case.

    Returns:
        Samples added.
    """
    if key is not None and _is_committed(lake, key):
        return 0
    ordered = sort(samples, catalogue)
    append_series(lake, catalogue, ordered)
    held = _held(lake.snapshot(), _clusters(ordered.samples), between)
    lacking = _lacking(ordered.samples, held)
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


def replace(lake: Lake, catalogue: Catalogue, samples: SampleBatch, between: TimeRange) -> None:
    """Make the lake agree with `samples` at their points: each series and time, once, this value.

    Nothing else is touched: neither series that are not among them (others push, scrape and import
    into the same clusters) nor other times of those that are. No samples change nothing. Files are
    written again only where a point differs; what is merely lacking is appended.

    Args:
        lake: where they go.
        catalogue: where they have their numbers from.
        samples: of that range alone.
        between: a range within one UTC day.
    """
    if not len(samples):
        return
    ordered = sort(samples, catalogue)
    append_series(lake, catalogue, ordered)
    held = _held(lake.snapshot(), _clusters(ordered.samples), between)
    lake.samples.append(_lacking(ordered.samples, held), ordered=True)
    wrong = _wrong(ordered.samples, held)
    for start in range(0, len(wrong), SERIES_AT_ONCE):
        _rewrite(lake, ordered.samples, wrong[start : start + SERIES_AT_ONCE], between)


def _rewrite(lake: Lake, samples: pa.Table, wrong: list[int], between: TimeRange) -> None:
    """Write some series again: what they hold elsewhere, and the samples in place of the rest."""
    chosen = pa.array(wrong, pa.int64())
    right = samples.filter(pc.is_in(samples.column("series_id"), chosen))
    right = right.cast(lake.samples.spec.schema)
    seen = lake.snapshot()
    clusters = _clusters(right)
    others = _lacking(_held(seen, clusters, between, chosen), right).cast(right.schema)
    names = ", ".join(map(quote, clusters))
    start, end = between.start.isoformat(), between.end.isoformat()
    written = lake.samples.replace(
        pa.concat_tables([right, others]),
        f"date = '{between.start.date().isoformat()}' AND cluster IN ({names}) "
        f"AND series_id IN ({', '.join(map(str, wrong))}) "
        f"AND time >= '{start}' AND time < '{end}'",
    )
    # What somebody else committed to these series meanwhile went with what was replaced.
    for version in range(seen.tables["samples"].version + 1, written):
        tables = {**seen.tables, "samples": TableVersion(version, lake.samples.files(version)[1])}
        then = _held(Snapshot(lake.store, tables), clusters, between, chosen)
        now = _held(lake.snapshot(), clusters, between, chosen)
        lake.samples.append(_lacking(then, now).cast(right.schema))


def _is_committed(lake: Lake, key: CommitKey) -> bool:
    done = lake.samples.committed_position(key.app)
    return done is not None and done >= key.position


def _clusters(samples: pa.Table) -> list[str]:
    return pc.unique(samples.column("cluster")).to_pylist()  # type: ignore[no-any-return]


def _held(
    snapshot: Snapshot, clusters: list[str], between: TimeRange, chosen: pa.Array | None = None
) -> pa.Table:
    """What a snapshot holds of these clusters (or only of the chosen series) in a range."""
    series = "" if chosen is None else "AND series_id IN (SELECT unnest($chosen)) "
    held = run(
        snapshot,
        "SELECT cluster, metric, series_id, time, value FROM samples "
        f"WHERE list_contains($clusters, cluster) {series}AND time >= $start AND time < $end",
        {
            "clusters": clusters,
            "start": between.start,
            "end": between.end,
            **({} if chosen is None else {"chosen": chosen.to_pylist()}),
        },
        between,
    )
    return held.rows


def _lacking(samples: pa.Table, held: pa.Table) -> pa.Table:
    """The samples whose series and time are not held, in their order."""
    if held.num_rows == 0:
        return samples
    rows = _points(samples).with_row_index("row")
    missing = rows.join(_points(held), on=POINT, how="anti").get_column("row").sort()
    return samples.take(pa.array(missing.to_numpy()))


def _wrong(samples: pa.Table, held: pa.Table) -> list[int]:
    """The series of which the lake holds a sample's point with another value, or several times."""
    if held.num_rows == 0:
        return []
    ours = _points(samples).with_columns(pl.Series("ours", samples.column("value").to_numpy()))
    theirs = _points(held).with_columns(pl.Series("theirs", held.column("value").to_numpy()))
    both = theirs.join(ours, on=POINT, how="inner")
    # NaN is the same as NaN here, whatever its bits.
    different = both.filter((pl.col("ours") != pl.col("theirs")) | pl.struct(POINT).is_duplicated())
    return different["series_id"].unique().sort().to_list()


def _points(rows: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "series_id": rows.column("series_id").to_numpy(),
            "time": rows.column("time").cast(pa.int64()).to_numpy(),
        }
    )
