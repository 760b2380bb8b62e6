"""Which series a range query is about: rows of the table `series`, found by its conditions."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lake.range_query.pool import Pool
from lake.range_query.question import UnsuitedError
from lake.range_query.row_groups import Codes, Ints, RowGroup

MOST_SERIES = 20_000


@dataclass(frozen=True)
class Series:
    """Some series, in order of their numbers.

    Attributes:
        ids: of each.
        columns: of text: the names that come, and which of them each series has (-1: none);
            `cluster` and `metric` among them.
    """

    ids: Ints
    columns: Mapping[str, Codes]

    def pairs(self) -> list[tuple[str, str, Ints]]:
        """Cluster and metric, and the numbers of the series that have both, in order."""
        clusters, metrics = self.columns["cluster"], self.columns["metric"]
        both = clusters.which * len(metrics.places) + metrics.which
        found = []
        for pair in np.unique(both).tolist():
            cluster, metric = divmod(pair, len(metrics.places))
            found.append((clusters.names[cluster], metrics.names[metric], self.ids[both == pair]))
        return found


def find(
    groups: Iterable[RowGroup],
    columns: Collection[str],
    texts: Mapping[str, Collection[str]],
    series_ids: Collection[int] | None,
    pool: Pool,
) -> Series:
    """The series that satisfy conditions.

    Args:
        groups: row groups of `series`.
        columns: of text, that are wanted beside `cluster` and `metric`.
        texts: the values that are wanted, by column.
        series_ids: the numbers that are wanted; None = all.
        pool: keeps what is read.

    Raises:
        UnsuitedError: there are too many, or one that is not the same in all rows.
    """
    names = sorted({"cluster", "metric", *columns})
    wanted = None if series_ids is None else np.array(sorted(series_ids), np.int64)
    ids: list[Ints] = []
    identities = []
    read: dict[str, list[Codes]] = {name: [] for name in names}
    for group in groups:
        numbers = group.ids(pool)
        kept = np.ones(len(numbers), bool) if wanted is None else np.isin(numbers, wanted)
        for column in ("cluster", "metric"):
            kept &= group.texts(pool, column).which >= 0  # what has none, joins nothing
        for column, values in texts.items():
            kept &= group.texts(pool, column).among(values)
        rows = np.flatnonzero(kept)
        ids.append(numbers[rows])
        identities.append(group.identities(pool)[rows])
        for name in names:
            read[name].append(group.texts(pool, name).take(rows))
    if sum(map(len, ids)) > MOST_SERIES * 8:  # each comes again on other days
        raise UnsuitedError
    joined = {name: Codes.joined(parts) for name, parts in read.items()}
    identity = np.concatenate([*identities, np.zeros(0, np.uint64)])
    return _once(np.concatenate([*ids, np.zeros(0, np.int64)]), identity, joined)


def _once(ids: Ints, identity: npt.NDArray[np.uint64], columns: Mapping[str, Codes]) -> Series:
    unique, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    if len(unique) > MOST_SERIES or (identity[first][inverse] != identity).any():
        raise UnsuitedError  # the view has a row for each thing that is known of a series
    return Series(unique, {name: codes.take(first) for name, codes in columns.items()})
