"""A row group of a file, read into memory column by column, and kept there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lake.range_query.footers import Footer
from lake.range_query.pool import Pool
from lake.range_query.question import UnsuitedError
from lake.schema import ENTITY_COLUMNS

MILLISECOND = 1_000
LONGEST_MS = (1 << 31) - 1
LONGEST = (1 << 63) - 1

HASHED = (1 << 64) - 1
MULTIPLIER = 0x9E3779B97F4A7C15

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
MICROS = pa.timestamp("us", "UTC")


class Codes:
    """A column of text.

    Args:
        places: the texts that come, and the number of each, from zero.
        which: the number of each row; -1 where it has none.
    """

    __slots__ = ("places", "which")

    def __init__(self, places: Mapping[str, int], which: Ints) -> None:
        self.places = places
        self.which = which

    @property
    def names(self) -> list[str]:
        """The texts by number."""
        return list(self.places)

    @property
    def nbytes(self) -> int:
        """Bytes, about."""
        return self.which.nbytes + sum(map(len, self.places)) + 100 * len(self.places)

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """Those of a column of dictionaries."""
        found = pa.concat_arrays(column.unify_dictionaries().chunks or [pa.nulls(0, column.type)])
        which = np.asarray(found.indices.fill_null(-1)).astype(np.int64)
        return cls({name: n for n, name in enumerate(found.dictionary.to_pylist())}, which)

    @classmethod
    def joined(cls, parts: Sequence["Codes"]) -> "Codes":
        """Those of several columns, one below the other."""
        if len(parts) == 1:
            return parts[0]
        # Series that are the same all along have one list of names.
        places = parts[0].places if parts else {}
        if any(part.places is not places for part in parts):
            names = dict.fromkeys(name for part in parts for name in part.places)
            places = {name: n for n, name in enumerate(names)}
        which = [part.numbered(places) for part in parts]
        return cls(places, np.concatenate([*which, np.zeros(0, np.int64)]))

    def take(self, rows: Ints) -> "Codes":
        """Those of some rows."""
        return Codes(self.places, self.which[rows])

    def among(self, texts: Collection[str]) -> npt.NDArray[np.bool_]:
        """Whether each row has one of these."""
        # The last is that of rows that have none.
        table = np.zeros(len(self.places) + 1, bool)
        table[[self.places[text] for text in texts if text in self.places]] = True
        return table[self.which]

    def numbered(self, places: Mapping[str, int]) -> Ints:
        """What each row's number is among other texts; -1 where it has none of them."""
        if places is self.places:
            return self.which
        table = np.array([*(places.get(name, -1) for name in self.places), -1], np.int64)
        return table[self.which]


@dataclass(frozen=True)
class Times:
    """Times of rows in microseconds, in half the bytes where they are whole milliseconds.

    >>> times = Times.of(np.array([5_000_000, 5_010_000]))
    >>> times.offsets.dtype.name, times.micros(slice(0, 2)).tolist()
    ('int32', [5000000, 5010000])
    """

    base: int
    unit: int
    offsets: npt.NDArray[np.int32] | Ints

    @classmethod
    def of(cls, micros: Ints) -> Self:
        """Those of an array."""
        base = int(micros.min()) if len(micros) else 0
        offsets = micros - base
        whole = offsets // MILLISECOND
        if len(whole) and (whole.max() >= LONGEST_MS or (whole * MILLISECOND != offsets).any()):
            return cls(base, 1, offsets)
        return cls(base, MILLISECOND, whole.astype(np.int32))

    def micros(self, which: slice | Ints) -> Ints:
        """The times of some rows."""
        return self.offsets[which].astype(np.int64) * self.unit + self.base

    def offset(self, at: int) -> int:
        """The least offset of a time that is not before this one; none is smaller or larger."""
        ahead = -(-(at - self.base) // self.unit)
        return max(-1, min(ahead, LONGEST_MS if self.unit == MILLISECOND else LONGEST))


@dataclass(frozen=True)
class Runs:
    """The rows of a row group: a run of each series.

    Attributes:
        starts: the first row of each run, and the number of all rows.
        series_ids: of each run.
        clusters: of each run.
        metrics: of each run.
        times: of each row; in order within a run.
    """

    starts: Ints
    series_ids: Ints
    clusters: Codes
    metrics: Codes
    times: Times

    @property
    def nbytes(self) -> int:
        """Bytes, about."""
        texts = self.clusters.nbytes + self.metrics.nbytes
        return self.starts.nbytes + self.series_ids.nbytes + texts + self.times.offsets.nbytes


@dataclass(frozen=True, slots=True)
class RowGroup:
    """One row group of a file. What cannot be read raises OSError or ArrowException.

    Attributes:
        path: of the file.
        footer: of it.
        number: of the row group.
    """

    path: str
    footer: Footer
    number: int

    def size(self, columns: int) -> int:
        """Bytes of so many columns in memory, at most."""
        return int(self.footer.rows[self.number]) * 8 * columns

    def is_in(self, pool: Pool) -> bool:
        """Whether its runs are there already."""
        return (self.path, self.number, "") in pool

    def runs(self, pool: Pool) -> Runs:
        """Its runs; of samples and rollups.

        Raises:
            UnsuitedError: a series' rows are not in order of time.
        """
        return pool.get((self.path, self.number, ""), self._runs)

    def identities(self, pool: Pool) -> npt.NDArray[np.uint64]:
        """A hash of all that is known of each series beside its labels; of the table `series`."""
        return pool.get((self.path, self.number, "identity"), self._identities)

    def _identities(self) -> npt.NDArray[np.uint64]:
        texts = ["cluster", "metric", *ENTITY_COLUMNS]
        rows = self._read(texts, *texts)
        found = np.zeros(rows.num_rows, np.uint64)
        for name in texts:
            codes = Codes.of(rows[name])
            # Python's hashes are keyed: nobody finds two texts of one.
            hashes = [hash((name, text)) & HASHED for text in (*codes.places, None)]
            found = found * np.uint64(MULTIPLIER) + np.array(hashes, np.uint64)[codes.which]
        return found

    def ids(self, pool: Pool) -> Ints:
        """The numbers of series; of the table `series`.

        Raises:
            UnsuitedError: one is missing.
        """
        key = self.path, self.number, "series_id"
        return pool.get(key, lambda: _numbers(self._read(["series_id"])["series_id"], np.int64))

    def numbers(self, pool: Pool, column: str) -> Numbers:
        """A column of numbers, in half the bytes where that holds them all.

        Raises:
            UnsuitedError: one is missing.
        """
        key = self.path, self.number, column
        return pool.get(key, lambda: _short(_numbers(self._read([column])[column], np.float64)))

    def texts(self, pool: Pool, column: str) -> Codes:
        """A column of text."""
        key = self.path, self.number, column
        return pool.get(key, lambda: Codes.of(self._read([column], column)[column]))

    def _read(self, columns: list[str], *texts: str) -> pa.Table:
        metadata = self.footer.metadata
        with pq.ParquetFile(self.path, metadata=metadata, read_dictionary=[*texts]) as file:
            return file.read_row_group(self.number, columns=columns, use_threads=False)

    def _runs(self) -> Runs:
        alike = self.footer.alike[self.number]
        texts = [name for name in ("cluster", "metric") if name not in alike]
        rows = self._read([*texts, "series_id", "time"], *texts)
        ids = _numbers(rows["series_id"], np.int64)
        times = _numbers(rows["time"].cast(MICROS).cast(pa.int64()), np.int64)
        begins = np.ones(len(ids), bool)
        begins[1:] = ids[1:] != ids[:-1]
        held = {name: Codes.of(rows[name]) for name in texts}
        for codes in held.values():
            begins[1:] |= codes.which[1:] != codes.which[:-1]
        if not (begins[1:] | (times[1:] >= times[:-1])).all():
            raise UnsuitedError
        starts = np.flatnonzero(begins)
        of_runs = {name: codes.take(starts) for name, codes in held.items()}
        for name, text in alike.items():
            of_runs[name] = Codes({text: 0}, np.zeros(len(starts), np.int64))
        clusters, metrics = of_runs["cluster"], of_runs["metric"]
        return Runs(np.append(starts, len(ids)), ids[starts], clusters, metrics, Times.of(times))


def _short(numbers: Numbers) -> Numbers:
    with np.errstate(over="ignore"):
        short = numbers.astype(np.float32)
    same = np.array_equal(short, numbers) or np.array_equal(short, numbers, equal_nan=True)
    return short if same else numbers


def _numbers(column: pa.ChunkedArray, kind: npt.DTypeLike) -> Numbers:
    if column.null_count:
        raise UnsuitedError
    return np.asarray(column.combine_chunks()).astype(kind, copy=False)
