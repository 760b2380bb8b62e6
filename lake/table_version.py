"""One table at one version, and which of its files a reader needs."""

from collections.abc import Collection
from dataclasses import dataclass

from lake.clusters import may_hold
from lake.errors import TableDamagedError
from lake.files import TableFile
from lake.pruning.conditions import ALWAYS, Condition, choose, within
from lake.timerange import TimeRange


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One table at one version: its files by day, then path.

    Attributes:
        version: Delta's.
        files: of this version.
        problem: why they are not known; to ask for them raises it.
    """

    version: int
    files: tuple[TableFile, ...]
    problem: TableDamagedError | None = None

    def within(self, between: TimeRange | None) -> tuple[TableFile, ...]:
        """The files that can hold rows of the range, by partition day and log statistics."""
        if self.problem is not None:
            raise self.problem
        return self.files if between is None else tuple(choose(self.files, within(between)))

    def needed(
        self, condition: Condition = ALWAYS, clusters: Collection[str] | None = None
    ) -> list[TableFile]:
        """The files that can hold rows which satisfy the condition, of these clusters."""
        if self.problem is not None:
            raise self.problem
        chosen = list(self.files) if condition == ALWAYS else choose(self.files, condition)
        if clusters is None:
            return chosen
        return [file for file in chosen if may_hold(file, clusters)]
