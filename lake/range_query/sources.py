"""What a range query may read: a table, the names of its columns, and who qualifies them."""

from dataclasses import dataclass

from lake.range_query.question import BUCKET_NUMBERS, UnsuitedError
from lake.rollups.aggregate import HOUR, SLOT
from lake.schema import ENTITY_COLUMNS, SAMPLES, SAMPLES_1H, SAMPLES_5M

IDENTITY = frozenset({"cluster", "metric", "series_id"})
OF_ROWS = {
    "samples": IDENTITY | {"time", "value"},
    "metrics": IDENTITY | {"time", "value", *ENTITY_COLUMNS},
    "buckets": IDENTITY | {"time", "avg", *BUCKET_NUMBERS},
}
OF_SERIES = IDENTITY | frozenset(ENTITY_COLUMNS)

OTHERS = frozenset({"date", "labels", "kind", "unit", "help", "first_seen", "last_seen"})
"""Columns of these that no range query reads."""

ROLLED_UP = {SLOT: SAMPLES_5M.name, HOUR: SAMPLES_1H.name}
"""Length of a bucket to the table that has just such ones."""


@dataclass(frozen=True, slots=True)
class Source:
    """What stands behind FROM.

    Attributes:
        table: whose rows are read.
        joined: with the rows of `series`.
        columns: by what may stand before the dot.
    """

    table: str
    joined: bool
    columns: dict[str, frozenset[str]]

    @property
    def qualifies_twice(self) -> bool:
        """Whether some columns are of two tables."""
        return len(self.columns) > 1

    def knows(self, name: str) -> bool:
        """Whether a column is called so."""
        return any(name in names for names in self.columns.values())

    def may_know(self, name: str) -> bool:
        """Whether a column or all of a row may be called so, and not only by an output."""
        return name in OTHERS or name in self.columns or self.knows(name)

    def column(self, name: str, of: str | None = None) -> str:
        """The name, if it is of a column.

        Raises:
            UnsuitedError: it is not, or of one that is not for range queries.
        """
        known = self.knows(name) if of is None else name in self.columns.get(of, ())
        if not known:
            raise UnsuitedError
        return name


def source_of(name: str, step: int | None, alias: str | None, of_series: str | None) -> Source:
    """The source of these names.

    Args:
        name: of the view.
        step: of `buckets`, in microseconds.
        alias: that stands for it.
        of_series: what `series` is called, where it is joined.

    Raises:
        UnsuitedError: it is none of a range query.
    """
    if name not in OF_ROWS or (name == "buckets" and step not in ROLLED_UP):
        raise UnsuitedError
    if of_series is not None and name == "metrics":
        raise UnsuitedError  # it has those columns twice
    # What a macro gives has no name of its own.
    columns = {alias or ("" if name == "buckets" else name): OF_ROWS[name]}
    if of_series is not None:
        if of_series in columns:
            raise UnsuitedError
        columns[of_series] = OF_SERIES
    table = SAMPLES.name if step is None else ROLLED_UP[step]
    return Source(table, name == "metrics" or of_series is not None, columns)
