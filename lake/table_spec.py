"""What a table of the lake is: columns, order, and which column of time gives its day."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import SchemaError


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its columns without `date`, its sort order, and its column of time.

    Attributes:
        name: name of the folder and of the view.
        schema: columns in order, `date` excluded.
        sort: rows of a file are ordered by these, so that statistics prune.
        day_of: the timestamp column whose UTC day is the partition `date`; None = unpartitioned.
    """

    name: str
    schema: pa.Schema
    sort: tuple[str, ...]
    day_of: str | None

    @property
    def stored_schema(self) -> pa.Schema:
        """Columns as the Delta table has them, `date` first where the table is partitioned."""
        if self.day_of is None:
            return self.schema
        return pa.schema([pa.field("date", pa.date32(), nullable=False), *self.schema])

    @property
    def partition_by(self) -> list[str]:
        """Delta's partition columns."""
        return [] if self.day_of is None else ["date"]

    def conform(self, rows: pa.Table) -> pa.Table:
        """Rows with exactly this table's columns, in order; dictionaries stay dictionaries.

        Raises:
            SchemaError: a column is missing, unknown, of another type, or null where it may not be.
        """
        unknown = [name for name in rows.column_names if name not in self.schema.names]
        if unknown:
            raise SchemaError(self.name, f"unknown column {unknown[0]!r}")
        columns = []
        for field in self.schema:
            if field.name not in rows.column_names:
                raise SchemaError(self.name, f"column {field.name!r} is missing")
            column = rows.column(field.name)
            if not field.nullable and column.null_count:
                raise SchemaError(self.name, f"column {field.name!r} has nulls and must not")
            columns.append(_cast(self.name, field, column))
        return pa.table(columns, names=self.schema.names)

    def sorted(self, rows: pa.Table) -> pa.Table:
        """Rows in this table's sort order."""
        plain = pa.table([_decode(rows.column(name)) for name in self.sort], names=list(self.sort))
        order = pc.sort_indices(plain, sort_keys=[(name, "ascending") for name in self.sort])
        return rows.take(order)


def _decode(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Arrow cannot sort by dictionaries."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _cast(table: str, field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type) and column.type.value_type == field.type:
        return column
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            table, f"column {field.name!r} is {column.type}, not {field.type}"
        ) from error
