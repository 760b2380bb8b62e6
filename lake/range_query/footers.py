"""What a Parquet file's footer says: which row groups can hold rows of some series and time."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lake.range_query.question import UnsuitedError
from lake.table_spec import TableSpec
from lake.timerange import to_micros

PARSED = 12
"""Bytes in memory of a byte of a footer, about."""

MOST_HELD = 500
"""Texts of which it is remembered where they are. Whoever asks may ask for any."""

LEAST_CUT = 64
"""Bytes of the shortest text that some writers cut short in what they say of a column."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bounds:
    """Least and greatest value of a column in each row group; None = it is not said."""

    least: list[Any]
    greatest: list[Any]

    def hold(self, text: str) -> Mask:
        """The row groups that can hold a text; a greatest value may have been cut short."""
        return np.array(
            [
                low is None or (low <= text and (text <= high or text.startswith(high)))
                for low, high in zip(self.least, self.greatest, strict=True)
            ],
            bool,
        )

    def numbers(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """As numbers; times in microseconds."""
        info = np.iinfo(np.int64)
        low = [info.min if each is None else _number(each) for each in self.least]
        high = [info.max if each is None else _number(each) for each in self.greatest]
        return np.array(low, np.int64), np.array(high, np.int64)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else to_micros(value)


class Footer:
    """The footer of one file, whose columns are flat.

    Raises:
        UnsuitedError: its columns are not those of a table of the lake.
        OSError, pa.ArrowException: it cannot be read.

    Attributes:
        metadata: as Arrow needs it to read the file.
        rows: of each row group.
        alike: of each row group, the columns of text that are the same in all rows, and that text.
        nbytes: about.
    """

    def __init__(self, path: str, spec: TableSpec) -> None:
        self.metadata = pq.read_metadata(path)
        self.nbytes = PARSED * self.metadata.serialized_size
        self._places = {name: i for i, name in enumerate(self.metadata.schema.names)}
        self._check(spec)
        groups = range(self.metadata.num_row_groups)
        self.rows = np.array([self.metadata.row_group(i).num_rows for i in groups], np.int64)
        self._texts = {name: self._bounds(name) for name in ("cluster", "metric")}
        self.alike = [
            {
                name: bounds.least[group]
                for name, bounds in self._texts.items()
                if self._is_alike(group, name, bounds)
            }
            for group in groups
        ]
        self._ids = self._bounds("series_id").numbers()
        self._times = self._bounds("time").numbers() if "time" in self._places else None
        self._held: dict[tuple[str, str], Mask] = {}

    def _check(self, spec: TableSpec) -> None:
        """Who else wrote a file may have put something else under a name."""
        kinds = {field.name: field.type for field in self.metadata.schema.to_arrow_schema()}
        for field in spec.schema:
            if kinds.get(field.name) != field.type and not pa.types.is_map(field.type):
                raise UnsuitedError

    def _bounds(self, column: str) -> Bounds:
        least, greatest = [], []
        for i in range(self.metadata.num_row_groups):
            told = self.metadata.row_group(i).column(self._places[column]).statistics
            known = told is not None and told.has_min_max
            try:
                least.append(told.min if known else None)
                greatest.append(told.max if known else None)
            except (ValueError, OverflowError) as error:
                raise UnsuitedError from error  # a time that Python cannot say
        return Bounds(least, greatest)

    def _is_alike(self, group: int, name: str, bounds: Bounds) -> bool:
        least = bounds.least[group]
        if least is None or least != bounds.greatest[group] or len(least.encode()) >= LEAST_CUT:
            return False
        told = self.metadata.row_group(group).column(self._places[name]).statistics
        return bool(told.has_null_count and told.null_count == 0)

    def of_time(self, start: int, end: int) -> Mask:
        """The row groups that can hold rows of `[start, end)`."""
        if self._times is None:
            return np.ones(len(self.rows), bool)
        return (self._times[1] >= start) & (self._times[0] < end)

    def of_texts(self, column: str, texts: Collection[str]) -> Mask:
        """The row groups that can hold rows with one of these in a column."""
        found = np.zeros(len(self.rows), bool)
        for text in texts:
            key = column, text
            held = self._held.get(key)
            if held is None:
                held = self._texts[column].hold(text)
                if len(self._held) < MOST_HELD:
                    self._held[key] = held
            found |= held
        return found

    def of_series(self, series_ids: npt.NDArray[np.int64]) -> Mask:
        """The row groups that can hold rows of one of these series, which are in order."""
        first = np.searchsorted(series_ids, self._ids[0])
        return np.searchsorted(series_ids, self._ids[1], "right") > first
