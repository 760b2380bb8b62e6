"""Computing one stretch again: its slots from samples, its hours from slots."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lake.commit import CommitKey
from lake.files import TableFile
from lake.rollups.aggregate import HOUR, SLOT, Integers, aggregate, fold
from lake.rollups.plan import Slice, Stretch, overlapping, slices
from lake.rollups.progress import kept_from
from lake.rollups.rows import BucketRows, SampleRows, Source, opened, to_table
from lake.rollups.spans import Spans
from lake.schema import SAMPLES, SAMPLES_5M
from lake.table import Table

SLICE_ROWS = 2_000_000
"""In memory at once, as some 300 MB."""


class Tables(Protocol):
    """What is needed of a lake: its tables by name."""

    @property
    def tables(self) -> Mapping[str, Table]:
        """Name to table."""
        ...


class Slots:
    """The five-minute buckets of a stretch, from samples.

    Args:
        table: `samples_5m`.
        files: of `samples`.
        stretch: which slots.
    """

    def __init__(self, table: Table, files: Sequence[TableFile], stretch: Stretch) -> None:
        stored = table.files()[1]
        self.spans = stretch.spans
        self.replaced = overlapping(stored, self.spans)
        self.inputs = overlapping(files, self.spans)
        self._before = stretch.before
        self._lead = overlapping(stored, self._before)
        self.read = [*self.inputs, *self.replaced, *self._lead]

    def computed(
        self, source: Source, part: Slice, kept: BucketRows, floor: Integers
    ) -> BucketRows:
        """The rows of one slice.

        Args:
            source: of rows.
            part: the slice.
            kept: buckets of it that stay as they are.
            floor: by rank, the time before which there are only some of the samples.
        """
        samples = source.samples(self.inputs, self.spans, part)
        samples = samples.where(samples.time >= floor[samples.key])
        return slots_of(samples, source.buckets(self._lead, self._before, part).and_(kept))


class Hours:
    """The hours of a stretch, from five-minute buckets.

    Args:
        table: `samples_1h`.
        files: of `samples_5m`.
        stretch: which slots they hold.
    """

    def __init__(self, table: Table, files: Sequence[TableFile], stretch: Stretch) -> None:
        self.spans = stretch.hours
        self.replaced = overlapping(table.files()[1], self.spans)
        self.inputs = overlapping(files, self.spans)
        self.read = [*self.inputs, *self.replaced]

    def computed(
        self, source: Source, part: Slice, kept: BucketRows, floor: Integers
    ) -> BucketRows:
        """See `Slots.computed`."""
        slots = source.buckets(self.inputs, self.spans, part)
        del kept
        slots = slots.where(slots.buckets.time >= floor[slots.key]).ordered()
        hours = fold(slots.buckets, HOUR)
        first = np.searchsorted(slots.buckets.series, hours.series)
        return BucketRows(slots.key[first], slots.series_id[first], hours)


def recompute(
    lake: Tables, table: Table, work: Slots | Hours, stretch: Stretch, key: CommitKey | None
) -> int:
    """Replace the rows of a stretch in a rollup table, in one commit; give the rows written.

    Rows of the replaced files that are of other times, or from before the time that the samples
    are kept from, are written again as they are.
    """
    files = []
    written = 0
    with opened(table.store, work.read) as source:
        counts = source.counts(work.inputs, work.spans) + source.counts(work.replaced, None)
        keys = sorted(counts)
        source.rank(keys)
        floor = _floors(lake, [cluster for cluster, _ in keys])
        for part in slices([counts[key] for key in keys], SLICE_ROWS):
            old = source.buckets(work.replaced, None, part)
            outside = ~_inside(old.buckets.time, work.spans)
            early = old.buckets.time < floor[old.key]
            new = work.computed(source, part, old.where(early & ~outside), floor)
            chosen = _inside(new.buckets.time, work.spans)
            chosen &= new.buckets.time >= floor[new.key]
            rows = new.where(chosen).and_(old.where(outside | early)).ordered()
            if len(rows.key):
                files.append(table.write(to_table(rows, keys), stretch.day))
                written += len(rows.key)
    if files or work.replaced or key is not None:
        table.rewrite(files, work.replaced, key, data_change=True)
    return written


def slots_of(samples: SampleRows, lead: BucketRows) -> BucketRows:
    """The five-minute buckets of samples, in no particular order, and some of the lead's.

    Args:
        samples: some slots' samples, all that there are.
        lead: buckets of other slots: their last samples are what the first rises start from.
    """
    key, series_id, ordered = SampleRows(
        np.concatenate([lead.key, samples.key]),
        np.concatenate([lead.series_id, samples.series_id]),
        # When in its slot the last sample was makes no difference.
        np.concatenate([lead.buckets.time, samples.time]),
        np.concatenate([lead.buckets.last, samples.value]),
        np.concatenate([np.full(len(lead.key), -1), samples.written]),
    ).ordered()
    buckets = aggregate(ordered, SLOT)
    return BucketRows(key[buckets.series], series_id[buckets.series], buckets)


def _inside(time: Integers, spans: Spans) -> npt.NDArray[np.bool_]:
    starts = np.array([start for start, _ in spans], np.int64)
    ends = np.array([end for _, end in spans], np.int64)
    at = np.searchsorted(starts, time, side="right") - 1
    return (at >= 0) & (time < ends[at])


def _floors(lake: Tables, clusters: Sequence[str]) -> Integers:
    """For each, the time from which all its samples and slots are still there."""
    tables = [lake.tables[spec.name] for spec in (SAMPLES, SAMPLES_5M)]
    known = {cluster: kept_from(tables, cluster) for cluster in set(clusters)}
    return np.array([known[cluster] for cluster in clusters], np.int64)
