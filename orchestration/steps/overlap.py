"""Two detectors' anomalies side by side: which both raise, which one alone, and who is first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from lake.schema import ENTITY_COLUMNS
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.carry_on import touches


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far one detector's anomalies are also another's.

    Attributes:
        both: rows of the first that a row of the second is about, too.
        alone: rows of the first that none is.
        later: by how much the second begins after the first, the median; None without any shared.
            Below zero it is first.
    """

    both: int
    alone: int
    later: timedelta | None

    @property
    def share(self) -> float | None:
        """Of the first's rows; None where it has none."""
        total = self.both + self.alone
        return self.both / total if total else None


def overlap(first: Sequence[Row], second: Sequence[Row], gap: timedelta) -> Overlap:
    """Compare rows of `anomalies`.

    Two rows are about the same if they are of one series; or one is of an entity, and the other of
    it or a series of it; and if they lie no further apart than the gap.
    """
    # A series' row can be about what rows of the same series are, and those of entities, which are
    # few; only an entity's may be about anything in its cluster.
    of_series: dict[tuple[str, int], list[Row]] = defaultdict(list)
    of_entities: dict[str, list[Row]] = defaultdict(list)
    of_cluster: dict[str, list[Row]] = defaultdict(list)
    for row in second:
        of_cluster[row["cluster"]].append(row)
        if row["series_id"] is None:
            of_entities[row["cluster"]].append(row)
        else:
            of_series[row["cluster"], row["series_id"]].append(row)
    lags = []
    for row in first:
        near = of_cluster[row["cluster"]]
        if row["series_id"] is not None:
            near = of_series[row["cluster"], row["series_id"]] + of_entities[row["cluster"]]
        same = [one for one in near if touches(one, row, gap) and about_the_same(row, one)]
        if same:
            lags.append(min(other["start"] for other in same) - row["start"])
    return Overlap(len(lags), len(first) - len(lags), median(lags) if lags else None)


def about_the_same(row: Row, other: Row) -> bool:
    """Whether one row is about what the other is about, or about a part of it."""
    if row["series_id"] is not None and other["series_id"] is not None:
        return bool(row["series_id"] == other["series_id"])
    return _within(row, other) or _within(other, row)


def _within(row: Row, whole: Row) -> bool:
    """Whether all that names the whole names the row, too."""
    named = list(_named(whole))
    return (
        whole["series_id"] is None
        and bool(named)
        and all(row[column] == name for column, name in named)
    )


def _named(row: Row) -> Iterable[tuple[str, str]]:
    return ((column, row[column]) for column in ENTITY_COLUMNS if row.get(column) is not None)
