"""What maintenance aims at, as data: sizes, ages, how long what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from lake.table_properties import GRACE
from lake.timerange import DAY


@dataclass(frozen=True, slots=True)
class CompactionPolicy:
    """When files are merged, and how large they get.

    Attributes:
        target_bytes: a merged file is cut when it is about so large.
        fan_in: runs of one level that are merged into one of the next.
        close_after: a day is merged into its final files so long after it ended.
        settle_after: late rows of such a day are merged into them when they have been left alone
            for so long, or when there are many.
        memory_bytes: what sorting may use; it goes to disk beyond.
    """

    target_bytes: int = 128 << 20
    fan_in: int = 8
    close_after: timedelta = timedelta(hours=1)
    settle_after: timedelta = timedelta(days=1)
    memory_bytes: int = 512 << 20


@dataclass(frozen=True, slots=True)
class Keep:
    """How many days of a table are kept, by cluster; None = for ever.

    >>> Keep(400, {"lab": 30}).cutoffs(date(2026, 3, 1))
    (datetime.date(2025, 1, 25), {'lab': datetime.date(2026, 1, 30)})
    """

    days: int | None = None
    clusters: Mapping[str, int | None] = field(default_factory=dict)

    def cutoffs(self, today: date) -> tuple[date, dict[str, date]]:
        """The first day that is kept: of most clusters, and of those that have their own."""
        return _cutoff(self.days, today), {
            cluster: _cutoff(days, today) for cluster, days in self.clusters.items()
        }


def _cutoff(days: int | None, today: date) -> date:
    if days is None or days > (today - date.min).days:
        return date.min
    return today - days * DAY


@dataclass(frozen=True, slots=True)
class Policy:
    """All of maintenance.

    Attributes:
        compaction: of the files of a day.
        keep: by table, how long; a table that is absent is kept for ever.
        grace: files that were taken out of a table, and what was written but never committed, stay
            so long: for queries that are at it, and for `AS OF`.
    """

    compaction: CompactionPolicy = field(default_factory=CompactionPolicy)
    keep: Mapping[str, Keep] = field(default_factory=dict)
    grace: timedelta = GRACE


def is_closed(day: date, now: datetime, policy: CompactionPolicy) -> bool:
    """Whether a day is over, and late samples of its last minutes have come."""
    return (now - policy.close_after).date() > day
