"""Files of samples that are larger than memory: Parquet and CSV, read by DuckDB in batches."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from lake.errors import FileFormatError
from lake.external import READERS, TIME_NAMES
from lake.views import identifier, quote

MEMORY = "512MB"
"""Of DuckDB's own buffers: enough for the row groups of two threads."""


PANDAS_INDEX = "__index_level_"
"""Begins the names of columns in which pandas keeps numbers of rows in Parquet: no labels."""


class SampleFile:
    """A file of samples, in its own order.

    Args:
        path: Parquet or CSV, by its name's ending.

    Attributes:
        labels: all its other columns; their values are text, of CSV as it stands in the file.

    Raises:
        FileFormatError: it is no such file, or has no column of time or no `value`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        reader = next((r for end, r in READERS.items() if path.name.lower().endswith(end)), None)
        if reader is None:
            raise FileFormatError(str(path), f"is not one of {', '.join(READERS)}")
        if not path.is_file():
            raise FileFormatError(str(path), "does not exist")
        self._is_parquet = reader == "read_parquet"
        self._source = f"{reader}({quote(str(path))})"
        try:
            relation = self._connect().sql(f"SELECT * FROM {self._source} LIMIT 0")
        except duckdb.Error as error:
            raise FileFormatError(str(path), f"cannot be read: {error}") from error
        columns = dict(zip(relation.columns, map(str, relation.types), strict=True))
        time = next((name for name in TIME_NAMES if name in columns), None)
        if time is None:
            raise FileFormatError(
                str(path), f"has no column 'timestamp' or 'time', only {', '.join(columns)}"
            )
        if "value" not in columns:
            raise FileFormatError(str(path), f"has no column 'value', only {', '.join(columns)}")
        self._time = time
        self._types = columns
        self.labels = [
            name
            for name in columns
            if name not in {time, "value"} and not name.startswith(PANDAS_INDEX)
        ]
        if not self._is_parquet and self.labels:
            # A number that is read and written again is another text: 007, 1.10, 0.50.
            types = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in self.labels)
            self._source = f"{reader}({quote(str(path))}, header = true, types = {{{types}}})"

    def rows(self) -> int | None:
        """How many there are; None where only reading them would tell."""
        if not self._is_parquet:
            return None
        found = self._connect().execute(f"SELECT count(*) FROM {self._source}").fetchone()
        return int(found[0]) if found else 0

    def batches(self, skip: int, rows: int) -> Iterator[pa.Table]:
        """The rows after the first `skip`, about `rows` at a time.

        Returns:
            `timestamp` (µs, UTC; times without a zone are UTC), `value` (float64) and the labels.

        Raises:
            FileFormatError: what follows cannot be read.
        """
        picked = [f"CAST({identifier(self._time)} AS TIMESTAMPTZ) AS timestamp"]
        picked.append("CAST(value AS DOUBLE) AS value")
        picked += [f"{self._text(name)} AS {identifier(name)}" for name in self.labels]
        query = f"SELECT {', '.join(picked)} FROM {self._source} OFFSET {skip}"
        held: list[pa.RecordBatch] = []
        n_held = 0
        try:
            for batch in self._connect().sql(query).to_arrow_reader(rows):
                held.append(batch)
                n_held += batch.num_rows
                if n_held >= rows:
                    yield pa.Table.from_batches(held)
                    held, n_held = [], 0
        except (duckdb.Error, pa.ArrowException) as error:
            raise FileFormatError(str(self.path), f"cannot be read: {error}") from error
        if held:
            yield pa.Table.from_batches(held)

    def _text(self, label: str) -> str:
        """The SQL of a label's values as text; null stays null."""
        name = identifier(label)
        text = f"CAST({name} AS VARCHAR)"
        if not self._is_parquet or self._types[label] not in {"DOUBLE", "FLOAT"}:
            return text
        # As Prometheus writes the last bucket.
        return f"CASE WHEN isinf({name}) THEN if({name} > 0, '+Inf', '-Inf') ELSE {text} END"

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        connection.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY}'")
        return connection
