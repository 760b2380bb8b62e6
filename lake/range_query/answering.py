"""A range query answered: its files, series, rows, and the columns of its answer."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.files import TableFile
from lake.pruning.conditions import EARLIEST, LATEST, NEVER, Condition, Texts, Times, every
from lake.range_query.footers import Footer
from lake.range_query.groups import OVER_TIME, Groups, bucket
from lake.range_query.pool import Pool
from lake.range_query.question import (
    Aggregate,
    Bucket,
    Column,
    Expression,
    Nothing,
    Question,
    UnsuitedError,
)
from lake.range_query.row_groups import MICROS, Codes, Ints, RowGroup
from lake.range_query.rows import Rows, cut, satisfying
from lake.range_query.series import Series, find
from lake.rollups.aggregate import HOUR
from lake.schema import SAMPLES, SERIES, TABLES
from lake.snapshot import Snapshot
from lake.timerange import from_micros, to_micros

MOST_LOOKS = 100_000
"""At a row group, for a metric of a cluster."""

MOST_FILES = 200

MOST_ANSWERED = 50_000
"""Rows of an answer. To write more text than that is for a process that stands back."""

EPOCHS = (to_micros(EARLIEST), to_micros(LATEST))


def answer(
    question: Question, snapshot: Snapshot, clusters: Collection[str] | None, pool: Pool
) -> pa.Table:
    """The rows, with the names and types that DuckDB gives them.

    Args:
        question: what is asked.
        snapshot: what is read.
        clusters: whose rows may be seen; None = all.
        pool: keeps what is read.

    Raises:
        UnsuitedError: it is for an engine.
        OSError, pa.ArrowException: a file cannot be read.
        LakeError: a table is damaged, or a file of an old version is gone.
    """
    texts = dict(question.texts)
    if clusters is not None:
        texts["cluster"] = frozenset(clusters) & texts.get("cluster", frozenset(clusters))
    if "metric" not in texts:
        raise UnsuitedError
    start, end = max(question.start, EPOCHS[0]), min(question.end, EPOCHS[1])
    if start >= end:
        raise UnsuitedError
    if question.table != SAMPLES.name:
        _refuse_stale(snapshot, start, end)
    rows = _rows(question, snapshot, texts, (start, end), pool)
    # Sums that overflow are infinite, as an engine's.
    with np.errstate(all="ignore"):
        return _answer(question, rows)


def _answer(question: Question, rows: Rows) -> pa.Table:
    if "sum" in rows.numbers and "count" in rows.numbers:
        rows = _with_mean(rows)
    rows = satisfying(rows, question.comparisons)
    found = _ungrouped(question, rows) if question.keys is None else _grouped(question, rows)
    table = pa.table(found, names=[output.name for output in question.outputs])
    return _in_order(table, question)


def _refuse_stale(snapshot: Snapshot, start: int, end: int) -> None:
    """Where rollups lag behind, `buckets` adds samples to them."""
    stale = snapshot.stale(Times(from_micros(start), from_micros(min(end + HOUR, EPOCHS[1]))))
    if snapshot.staleness is None or stale.slots or stale.hours:
        raise UnsuitedError


def _rows(
    question: Question,
    snapshot: Snapshot,
    texts: Mapping[str, Collection[str]],
    between: tuple[int, int],
    pool: Pool,
) -> Rows:
    named = [_texts(name, texts[name]) for name in ("cluster", "metric") if name in texts]
    within = Times(from_micros(between[0]), from_micros(between[1] - 1))
    footers = _footers(snapshot, question.table, every([within, *named]), pool)
    numbers = sorted(question.numbers())
    if not question.joined:
        held = {name: texts[name] for name in ("cluster", "metric") if name in texts}
        wanted = question.series_ids
        ids = None if wanted is None else np.array(sorted(wanted), np.int64)
        groups = list(_groups_of_texts(footers, held, ids, between))
        rows = cut(groups, held, between, numbers, pool)
        return rows if ids is None else rows.take(np.isin(rows.series_ids, ids)[rows.of_run])
    of_series = _footers(snapshot, SERIES.name, every(named), pool)
    identities = {name: texts[name] for name in ("cluster", "metric") if name in texts}
    at = list(_groups_of_texts(of_series, identities, None, between))
    pool.check(sum(group.size(2 + len(texts)) for group in at))
    series = find(at, question.of_series(), texts, question.series_ids, pool)
    return cut(list(_groups_of(footers, series, between)), series, between, numbers, pool)


def _texts(column: str, values: Collection[str]) -> Condition:
    """What spans them: of the files that are left, the footers tell more."""
    return Texts(column, min(values), max(values)) if values else NEVER


def _footers(
    snapshot: Snapshot, table: str, condition: Condition, pool: Pool
) -> list[tuple[str, Footer]]:
    files: Sequence[TableFile] = snapshot.tables[table].needed(condition)
    if len(files) > MOST_FILES:
        raise UnsuitedError
    snapshot.check(table, files)
    spec = TABLES[table]
    return [(file.path, pool.get(file.path, lambda: Footer(file.path, spec))) for file in files]  # noqa: B023


def _groups_of_texts(
    footers: Iterable[tuple[str, Footer]],
    texts: Mapping[str, Collection[str]],
    ids: Ints | None,
    between: tuple[int, int],
) -> Iterator[RowGroup]:
    """The row groups that can hold rows with these texts."""
    footers = list(footers)
    _refuse_many(footers, sum(map(len, texts.values())))
    for path, footer in footers:
        kept = footer.of_time(*between)
        for column, values in texts.items():
            kept = kept & footer.of_texts(column, values)
        if ids is not None:
            kept = kept & footer.of_series(ids)
        yield from (RowGroup(path, footer, int(number)) for number in np.flatnonzero(kept))


def _groups_of(
    footers: Iterable[tuple[str, Footer]], series: Series, between: tuple[int, int]
) -> Iterator[RowGroup]:
    """The row groups that can hold rows of these series."""
    pairs = series.pairs()
    footers = list(footers)
    _refuse_many(footers, len(pairs))
    for path, footer in footers:
        wanted = np.zeros(len(footer.rows), bool)
        for cluster, metric, ids in pairs:
            held = footer.of_texts("cluster", (cluster,)) & footer.of_texts("metric", (metric,))
            wanted |= held & footer.of_series(ids)
        kept = np.flatnonzero(wanted & footer.of_time(*between))
        yield from (RowGroup(path, footer, int(number)) for number in kept)


def _refuse_many(footers: Collection[tuple[str, Footer]], texts: int) -> None:
    """Each text is looked for in each row group."""
    if texts * sum(len(footer.rows) for _, footer in footers) > MOST_LOOKS:
        raise UnsuitedError


def _with_mean(rows: Rows) -> Rows:
    mean = rows.numbers["sum"] / rows.numbers["count"]
    numbers = {**rows.numbers, "avg": mean}
    return Rows(rows.of_run, rows.times, numbers, rows.series_ids, rows.texts)


def _ungrouped(question: Question, rows: Rows) -> list[pa.Array]:
    if len(rows.times) > MOST_ANSWERED:
        raise UnsuitedError
    every_row = np.arange(len(rows.times))
    return [_column(output.expression, rows, every_row) for output in question.outputs]


def _grouped(question: Question, rows: Rows) -> list[pa.Array]:
    expressions = [output.expression for output in question.outputs]
    over_time = any(isinstance(e, Aggregate) and e.function in OVER_TIME for e in expressions)
    keys = question.keys or ()
    groups = Groups.of(rows, keys, ordered=over_time)
    if not keys and not len(groups):
        return [_of_no_rows(each) for each in expressions]
    if len(groups) > MOST_ANSWERED:
        raise UnsuitedError
    found: dict[Expression, pa.Array] = {}
    for each in dict.fromkeys(expressions):
        if isinstance(each, Aggregate):
            values, none = groups.values(each)
            found[each] = pa.array(values, mask=none)
        else:
            found[each] = _column(each, groups.rows, groups.first)
    return [found[each] for each in expressions]


def _of_no_rows(expression: Expression) -> pa.Array:
    """What an aggregate says of nothing."""
    if isinstance(expression, Nothing):
        return pa.nulls(1)
    if isinstance(expression, Aggregate) and expression.function == "count":
        return pa.array([0], pa.int64())
    return pa.nulls(1, pa.float64())


def _column(expression: Expression, rows: Rows, which: Ints) -> pa.Array:
    """An expression of some rows."""
    if isinstance(expression, Nothing):
        return pa.nulls(len(which))
    if isinstance(expression, Bucket):
        return _moments(bucket(rows.times[which], expression.micros))
    assert isinstance(expression, Column)  # noqa: S101 - aggregates are of groups
    name = expression.name
    if name == "time":
        return _moments(rows.times[which])
    if name == "series_id":
        return pa.array(rows.series_ids[rows.of_run[which]])
    if name in rows.numbers:
        numbers = rows.numbers[name][which]
        return pa.array(numbers.astype(np.int64) if name == "count" else numbers)
    return _spelled(rows.texts[name].take(rows.of_run[which]))


def _moments(micros: Ints) -> pa.Array:
    return pa.array(micros, pa.int64()).view(MICROS)


def _spelled(codes: Codes) -> pa.Array:
    which: npt.NDArray[np.int64] = codes.which
    # Of many names, those that come.
    come, places = np.unique(which, return_inverse=True)
    names = codes.names
    texts = [None if place < 0 else names[place] for place in come.tolist()]
    return pa.array(texts, pa.string()).take(pa.array(places))


def _in_order(table: pa.Table, question: Question) -> pa.Table:
    if question.order:
        columns = [table.column(place) for place, _ in question.order]
        if any(map(_has_nan, columns)):
            raise UnsuitedError  # Arrow has another place for it
        keys = pa.table(columns, names=[str(n) for n in range(len(columns))])
        order = [
            (str(n), "descending" if down else "ascending")
            for n, (_, down) in enumerate(question.order)
        ]
        table = table.take(pc.sort_indices(keys, order))
    return table if question.limit is None else table.slice(0, question.limit)


def _has_nan(column: pa.ChunkedArray) -> bool:
    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py())
