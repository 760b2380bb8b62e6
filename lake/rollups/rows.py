"""Rows of samples and of buckets as NumPy columns: read from files by DuckDB, made into Arrow."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from lake.files import TableFile
from lake.read_failure import read_failure
from lake.rollups.aggregate import COLUMNS, Buckets, Chosen, Floats, Integers, Samples
from lake.rollups.plan import Slice
from lake.rollups.spans import Spans
from lake.schema import TIMESTAMP
from lake.store import Store
from lake.timerange import from_micros
from lake.views import quote

MEMORY = 512 << 20
"""Of DuckDB, which only reads and counts here."""

VALUES = COLUMNS[2:]
"""What a bucket says, its series and time aside."""

Key = tuple[str, str]
"""Cluster and metric; their rank in the tables' order stands for them in columns of numbers."""


@dataclass(frozen=True, slots=True)
class BucketRows:
    """Buckets of many series, in no particular order.

    Attributes:
        key: rank of (cluster, metric).
        series_id: with it, names the series.
        buckets: whose `series` means nothing.
    """

    key: Integers
    series_id: Integers
    buckets: Buckets

    def where(self, chosen: Chosen) -> "BucketRows":
        """The rows for which it is true."""
        return BucketRows(self.key[chosen], self.series_id[chosen], self.buckets.where(chosen))

    def ordered(self) -> "BucketRows":
        """In the tables' order, `buckets.series` a number of the series."""
        order = np.lexsort((self.buckets.time, self.series_id, self.key))
        rows = self.where(order)
        return BucketRows(
            rows.key, rows.series_id, rows.buckets.of(number(rows.key, rows.series_id))
        )

    def and_(self, other: "BucketRows") -> "BucketRows":
        """Both."""
        columns = (
            np.concatenate([getattr(self.buckets, name), getattr(other.buckets, name)])
            for name in COLUMNS
        )
        return BucketRows(
            np.concatenate([self.key, other.key]),
            np.concatenate([self.series_id, other.series_id]),
            Buckets(*columns),
        )


@dataclass(frozen=True, slots=True)
class SampleRows:
    """Samples of many series, in no particular order.

    Attributes:
        key: rank of (cluster, metric).
        series_id: with it, names the series.
        time: microseconds since 1970.
        value: as stored.
        written: what was written later has a greater number.
    """

    key: Integers
    series_id: Integers
    time: Integers
    value: Floats
    written: Integers

    def where(self, chosen: Chosen) -> "SampleRows":
        """The rows for which it is true."""
        return SampleRows(
            self.key[chosen],
            self.series_id[chosen],
            self.time[chosen],
            self.value[chosen],
            self.written[chosen],
        )

    def ordered(self) -> tuple[Integers, Integers, Samples]:
        """The rank and id of each series, and the samples as `aggregate` wants them.

        `Samples.series` is the series' place in the first two.
        """
        order = np.lexsort((self.written, self.time, self.series_id, self.key))
        key, series_id = self.key[order], self.series_id[order]
        series = number(key, series_id)
        firsts = np.flatnonzero(np.diff(series, prepend=-1))
        samples = Samples(series, self.time[order], self.value[order])
        return key[firsts], series_id[firsts], samples


def number(key: Integers, series_id: Integers) -> Integers:
    """Numbers runs of equal (key, series_id) from 0."""
    new = np.zeros(len(key), np.int64)
    new[1:] = (key[1:] != key[:-1]) | (series_id[1:] != series_id[:-1])
    return np.cumsum(new)


def to_table(rows: BucketRows, keys: Sequence[Key]) -> pa.Table:
    """Ordered rows as the rollup tables have them."""
    used, index = np.unique(rows.key, return_inverse=True)
    index = pa.array(index.astype(np.int32))
    named = [keys[rank] for rank in used.tolist()]

    def texts(part: int) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(index, pa.array([key[part] for key in named]))

    return pa.table(
        {
            "cluster": texts(0),
            "metric": texts(1),
            "series_id": pa.array(rows.series_id),
            "time": pa.array(rows.buckets.time).cast(TIMESTAMP),
            **{name: pa.array(getattr(rows.buckets, name)) for name in VALUES},
        }
    )


class Source:
    """Files of samples and of buckets, read by DuckDB in one thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._keys: Sequence[Key] = ()

    def counts(self, files: Collection[TableFile], spans: Spans | None) -> Counter[Key]:
        """How many rows of these times (None = all) each (cluster, metric) has in the files."""
        if not files:
            return Counter()
        chosen = "true" if spans is None else within("time", spans)
        sql = f"SELECT cluster, metric, count(*) FROM {_scan(files)} WHERE {chosen} GROUP BY ALL"
        return Counter({(c, m): n for c, m, n in self._connection.execute(sql).fetchall()})

    def rank(self, keys: Sequence[Key]) -> None:
        """Let these, in order, be what the following reads rank by; rows of others are left out."""
        self._keys = keys
        columns = {
            "rank": pa.array(range(len(keys)), pa.int64()),
            "cluster": pa.array([key[0] for key in keys], pa.string()),
            "metric": pa.array([key[1] for key in keys], pa.string()),
        }
        self._connection.register("ranked", pa.table(columns))

    def samples(self, files: Collection[TableFile], spans: Spans, part: Slice) -> SampleRows:
        """The samples of these times, of files in the order in which they were written."""
        columns = ("rank", "series_id", "epoch_us(time)", "value", "file_index", "file_row_number")
        key, series_id, time, value, file, row = self._read(columns, files, spans, part)
        # A file has fewer rows than this, and there are fewer files.
        return SampleRows(key, series_id, time, value, (file.astype(np.int64) << 40) + row)

    def buckets(self, files: Collection[TableFile], spans: Spans | None, part: Slice) -> BucketRows:
        """The buckets that begin at these times; None = all."""
        names = VALUES
        columns = ("rank", "series_id", "epoch_us(time)", *(f'"{name}"' for name in names))
        key, series_id, *rest = self._read(columns, files, spans, part)
        return BucketRows(key, series_id, Buckets(np.zeros(len(key), np.int64), *rest))

    def _read(
        self,
        columns: Sequence[str],
        files: Collection[TableFile],
        spans: Spans | None,
        part: Slice,
    ) -> list[Any]:
        named = ", ".join(f"{column} AS c{i}" for i, column in enumerate(columns))
        source = _scan(files) if files else "no_rows"
        conditions = ["true"] if spans is None else [within("time", spans)]
        if files:
            conditions += _inside(part, self._keys)
        sql = (
            f"SELECT {named} FROM {source} JOIN ranked USING (cluster, metric) "
            f"WHERE {' AND '.join(conditions)}"
        )
        if not files:
            sql = f"SELECT {', '.join(map(_typed, columns))} WHERE false"
        found = self._connection.sql(sql).to_arrow_table()
        return [column.to_numpy() for column in found.columns]


def _typed(column: str) -> str:
    kind = "BIGINT" if column in _INTEGERS else "DOUBLE"
    return f"CAST(NULL AS {kind})"


_INTEGERS = frozenset(
    {"rank", "series_id", "epoch_us(time)", "file_index", "file_row_number", '"count"'}
)


@contextmanager
def opened(store: Store, files: Collection[TableFile]) -> Iterator[Source]:
    """A source that can read these files.

    Raises:
        FileDamagedError: one is gone, cut off or foreign.
        StoreError: the place cannot be read.
    """
    with duckdb.connect() as connection, _failures(store, files):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        # The receiver's and the readers' cores are not for this.
        connection.execute("SET threads = 1")
        connection.execute(f"SET memory_limit = '{MEMORY}B'")
        store.attach(connection, [file.path for file in files], locked=False)
        yield Source(connection)


@contextmanager
def _failures(store: Store, files: Collection[TableFile]) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        failure = read_failure(error, {"samples": [file.path for file in files]}, store)
        if failure is None:
            raise
        raise failure from error


def within(column: str, spans: Spans) -> str:
    """A SQL condition: the column of time lies in one of the spans.

    >>> within("time", ())
    'false'
    >>> within("t", ((0, 1_000_000),))[:37]
    "(t >= TIMESTAMPTZ '1970-01-01 00:00:0"
    """
    if not spans:
        return "false"
    each = [f"{column} >= {moment(start)} AND {column} < {moment(end)}" for start, end in spans]
    inside = f"({each[0]})" if len(each) == 1 else f"({' OR '.join(f'({one})' for one in each)})"
    if len(each) == 1:
        return inside
    # The hull prunes row groups; a disjunction does not.
    hull = f"{column} >= {moment(spans[0][0])} AND {column} < {moment(spans[-1][1])}"
    return f"({hull} AND {inside})"


def moment(micros: int) -> str:
    """A SQL literal of a time."""
    return "TIMESTAMPTZ " + quote(from_micros(micros).isoformat(sep=" "))


def _scan(files: Collection[TableFile]) -> str:
    paths = ", ".join(quote(file.path) for file in files)
    return f"read_parquet([{paths}], hive_partitioning = false)"


def _inside(part: Slice, keys: Sequence[Key]) -> list[str]:
    """Conditions that prune row groups, and the one that decides."""
    low, high = keys[part.first], keys[part.last]
    conditions = [
        f"rank >= {part.first} AND rank <= {part.last}",
        f"cluster >= {quote(low[0])} AND cluster <= {quote(high[0])}",
    ]
    if low[0] == high[0]:
        conditions.append(f"metric >= {quote(low[1])} AND metric <= {quote(high[1])}")
    if part.ids is not None:
        conditions.append(f"series_id BETWEEN {_bigint(part.ids[0])} AND {_bigint(part.ids[1])}")
    return conditions


def _bigint(number: int) -> str:
    # Without the cast the least is a wider type, as which nothing is pruned.
    return f"CAST('{number}' AS BIGINT)"
