"""The rows of a range query: runs of series within a time, cut out of row groups."""

import functools
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lake.range_query.pool import Pool
from lake.range_query.question import Comparison, UnsuitedError
from lake.range_query.row_groups import Codes, Ints, Numbers, RowGroup, Runs
from lake.range_query.series import Series

FEW_RUNS = 64
"""Of a row group: so many are cut one by one."""

MOST_ROWS = 4_000_000
"""That are looked at one by one."""


Wanted: TypeAlias = Series | Mapping[str, Collection[str]]
"""Series; or the clusters and metrics of which all are wanted."""


@dataclass(frozen=True)
class Rows:
    """Rows of series, run by run.

    Attributes:
        of_run: the run of each row.
        times: of each row, in microseconds.
        numbers: of each row, by column.
        series_ids: of each run.
        texts: of each run, by column.
    """

    of_run: Ints
    times: Ints
    numbers: Mapping[str, Numbers]
    series_ids: Ints
    texts: Mapping[str, Codes]

    def take(self, which: Ints | npt.NDArray[np.bool_]) -> "Rows":
        """Some of them, in some order."""
        numbers = {name: column[which] for name, column in self.numbers.items()}
        return Rows(self.of_run[which], self.times[which], numbers, self.series_ids, self.texts)


def cut(
    groups: Sequence[RowGroup],
    wanted: Wanted,
    between: tuple[int, int],
    columns: Collection[str],
    pool: Pool,
) -> Rows:
    """The rows of some series within a time.

    Args:
        groups: row groups of one table.
        wanted: of which series.
        between: times in microseconds, the second exclusive.
        columns: of numbers.
        pool: keeps what is read.

    Raises:
        UnsuitedError: there are too many.
    """
    pool.check(sum(group.size(1 + len(columns)) for group in groups))
    cold = [group for group in groups if not group.is_in(pool)]
    # Most of the work is Arrow's, which needs no lock of Python's.
    readers = _readers().map if len(cold) > 1 else map
    for _ in readers(lambda group: _cut(group, wanted, between, columns, pool), cold):
        pass
    found = (_cut(group, wanted, between, columns, pool) for group in groups)
    parts = [part for part in found if len(part.lengths)]
    lengths = _joined([part.lengths for part in parts], np.int64)
    if lengths.sum() > MOST_ROWS:
        raise UnsuitedError
    texts = {
        name: Codes.joined([part.texts[name] for part in parts])
        for name in (wanted.columns if isinstance(wanted, Series) else ("cluster", "metric"))
    }
    return Rows(
        np.repeat(np.arange(len(lengths)), lengths),
        _joined([part.times for part in parts], np.int64),
        {name: _joined([part.numbers[name] for part in parts], np.float64) for name in columns},
        _joined([part.series_ids for part in parts], np.int64),
        texts,
    )


@dataclass(frozen=True)
class _Part:
    """What is wanted of a row group."""

    lengths: Ints
    times: Ints
    numbers: Mapping[str, Numbers]
    series_ids: Ints
    texts: Mapping[str, Codes]


def _cut(
    group: RowGroup,
    wanted: Wanted,
    between: tuple[int, int],
    columns: Collection[str],
    pool: Pool,
) -> _Part:
    runs = group.runs(pool)
    if isinstance(wanted, Series):
        chosen, of_series = _of_series(runs, wanted)
        texts = {name: codes.take(of_series) for name, codes in wanted.columns.items()}
    else:
        kept = np.ones(len(runs.series_ids), bool)
        held = {"cluster": runs.clusters, "metric": runs.metrics}
        for name, values in wanted.items():
            kept &= held[name].among(values)
        chosen = np.flatnonzero(kept)
        texts = {name: codes.take(chosen) for name, codes in held.items()}
    if not len(chosen):
        return _Part(chosen, chosen, {}, chosen, {})
    first, end = _within(runs, chosen, between)
    which = _places(first, end)
    numbers = {}
    for name in columns:
        column = group.numbers(pool, name)
        numbers[name] = _joined([column[one] for one in which], np.float64)
    times = _joined([runs.times.micros(one) for one in which], np.int64)
    return _Part(end - first, times, numbers, runs.series_ids[chosen], texts)


def _of_series(runs: Runs, series: Series) -> tuple[Ints, Ints]:
    """The runs that are of one of the series, and which."""
    place = np.searchsorted(series.ids, runs.series_ids)
    chosen = np.flatnonzero(series.ids.take(place, mode="clip") == runs.series_ids)
    if not len(chosen):
        return chosen, chosen
    place = place[chosen]
    kept = np.ones(len(chosen), bool)
    # Two may have one number: it is a hash, and whoever sends data may look for such.
    for name, codes in (("cluster", runs.clusters), ("metric", runs.metrics)):
        of_series = series.columns[name]
        of_run = codes.take(chosen).numbered(of_series.places)
        kept &= (of_run == of_series.which[place]) & (of_run >= 0)
    return chosen[kept], place[kept]


def _within(runs: Runs, chosen: Ints, between: tuple[int, int]) -> tuple[Ints, Ints]:
    """The rows of each chosen run that lie within a time: the first, and the one after the last."""
    first, end = runs.starts[chosen], runs.starts[chosen + 1]
    offsets = runs.times.offsets
    bounds = np.array([runs.times.offset(at) for at in between], offsets.dtype)
    if len(chosen) > FEW_RUNS:
        starts, which = runs.starts[:-1], chosen
        if 2 * len(chosen) < len(runs.series_ids):  # the others need not be looked at
            (rows,) = _places(first, end)
            offsets = offsets[rows]
            starts, which = np.cumsum(end - first) - (end - first), np.arange(len(chosen))
        begin, stop = (
            np.add.reduceat(offsets < bound, starts, dtype=np.int64)[which] for bound in bounds
        )
        return first + begin, first + stop
    found = np.array(
        [
            offsets[one:other].searchsorted(bounds) + one
            for one, other in zip(first.tolist(), end.tolist(), strict=True)
        ],
        np.int64,
    ).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _places(first: Ints, end: Ints) -> list[slice | Ints]:
    """The rows between each first and end, to be taken one after the other."""
    if len(first) <= FEW_RUNS:
        return [slice(*pair) for pair in zip(first.tolist(), end.tolist(), strict=True)]
    lengths = end - first
    before = np.cumsum(lengths) - lengths
    return [np.repeat(first - before, lengths) + np.arange(lengths.sum())]


@functools.cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, "range-query")


def _joined(parts: Sequence[Numbers], kind: npt.DTypeLike) -> Numbers:
    return np.concatenate([*parts, np.zeros(0, kind)])


def satisfying(rows: Rows, comparisons: Sequence[Comparison]) -> Rows:
    """The rows of which all comparisons hold; NaN is the greatest number and equals itself."""
    if not comparisons:
        return rows
    kept = np.ones(len(rows.times), bool)
    for each in comparisons:
        column = rows.numbers[each.column]
        holds = COMPARE[each.operator](column, each.number)
        kept &= holds | np.isnan(column) if each.operator in {">", ">="} else holds
    return rows.take(kept)


COMPARE = {
    "=": np.equal,
    "<>": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
