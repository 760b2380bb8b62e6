"""Parquet and CSV files: columns of time, value, metric and labels."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ingest.catalogue import Catalogue
from ingest.errors import InvalidLabelsError
from ingest.files.chunk import CHUNK, Chunk, wrong_time
from ingest.samples import SampleBatch
from ingest.series import identify
from lake.errors import FileFormatError
from lake.file_stream import SampleFile

# Columns of ours beside the file's: a leading double underscore keeps clear of its names.
NUMBER, ROW = "__series", "__row"

LabelSet = tuple[str | None, ...]


class TableReader:
    """Reads `timestamp` (or `time`), `value`, `metric` (or `__name__`); all else is labels.

    Args:
        path: a Parquet or CSV file.
        catalogue: where its series get their numbers.
        latest: a later time is wrong.
        cluster: cluster of rows that name none.
        metric: metric name of rows that name none.
        rows: rows of a chunk.

    Raises:
        FileFormatError: a column is missing.
    """

    def __init__(
        self,
        path: Path,
        catalogue: Catalogue,
        latest: datetime,
        cluster: str | None = None,
        metric: str | None = None,
        rows: int = CHUNK,
    ) -> None:
        self.lacking: set[str] = set()
        self._path = path
        self._file = SampleFile(path)
        self._labels = self._file.labels
        if metric is None and not {"metric", "__name__"} & set(self._labels):
            raise FileFormatError(str(path), "has no column 'metric', and no metric name was given")
        self._catalogue = catalogue
        self._latest = latest
        self._cluster = cluster
        self._metric = metric
        self._rows = rows
        self._total = self._file.rows()
        self._numbers: dict[LabelSet, int] = {}

    def chunks(self, skip: int) -> Iterator[Chunk]:
        """See `Reader`. Rows without a value are left out."""
        done = skip
        for table in self._file.batches(skip, self._rows):
            batch = self._batch(table, done)
            done += table.num_rows
            yield Chunk(batch, done, self._share(done))
        # What only reading tells is known for the next time.
        self._total = done
        if done == skip:
            yield Chunk(SampleBatch(*_nothing()), done, 1.0)

    def _share(self, done: int) -> float:
        return min(1.0, done / self._total) if self._total else 0.0

    def _batch(self, table: pa.Table, before: int) -> SampleBatch:
        frame = pl.DataFrame(table).with_row_index(ROW, before + 1).drop_nulls("value")
        if frame["timestamp"].null_count():
            row = frame.filter(pl.col("timestamp").is_null())[ROW][0]
            raise FileFormatError(str(self._path), f"row {row} has no time")
        time_ms = frame["timestamp"].dt.epoch("ms").to_numpy()
        if (wrong := wrong_time(time_ms, self._latest)) is not None:
            place, rule = wrong
            row, value = frame[ROW][place], frame["value"][place]
            raise FileFormatError(str(self._path), f"row {row} ({value}) {rule}")
        return SampleBatch(self._numbered(frame), time_ms, frame["value"].to_numpy())

    def _numbered(self, frame: pl.DataFrame) -> npt.NDArray[np.int32]:
        """The series of each row."""
        if not self._labels:
            return np.full(frame.height, self._number(()), np.int32)
        sets = frame.select(self._labels).unique(maintain_order=True)
        numbers = [self._number(row) for row in sets.iter_rows()]
        sets = sets.with_columns(pl.Series(NUMBER, numbers, pl.Int32))
        joined = frame.join(
            sets, on=self._labels, how="left", nulls_equal=True, maintain_order="left"
        )
        return joined[NUMBER].to_numpy()

    def _number(self, row: LabelSet) -> int:
        number = self._numbers.get(row)
        if number is None:
            labels = self._named(dict(zip(self._labels, row, strict=True)))
            number = self._catalogue.number(identify(labels.items(), self._cluster))
            self._numbers[row] = number
        return number

    def _named(self, row: Mapping[str, str | None]) -> dict[str, str]:
        """The labels of a row, its metric name among them."""
        labels = {name: value for name, value in row.items() if value}
        column = labels.pop("metric", None)
        if "cluster" not in labels:
            self.lacking.add("cluster")
        name = labels.get("__name__") or column
        if not name:
            self.lacking.add("metric")
            name = self._metric
        if not name:
            raise InvalidLabelsError(labels, "the row has no metric name")
        return {**labels, "__name__": name}


def _nothing() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float64)
