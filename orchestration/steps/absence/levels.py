"""What can fall silent as one, from the whole cluster down to a single series.

Each level groups the series of its own columns; a group is heard when any of its series is. The
further down, the more patient: what explains a silence has to be known before what it explains.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.absence import Groups

Int32 = npt.NDArray[np.int32]

MINUTE = timedelta(minutes=1)

HEARD = ~pl.col("made_by_scraper")
TOLD = HEARD & pl.col("chosen")


@dataclass(frozen=True, slots=True)
class Level:
    """One kind of thing that falls silent.

    Attributes:
        name: of the level.
        keys: columns that name a thing of it.
        parent: columns that name those among which it comes and goes.
        members: which series tell of it.
        patience: on top of what its rhythm allows: a scrape or two more than of those above it.
        part_of: for a part of a larger thing that goes on reporting, the columns that name that.
    """

    name: str
    keys: tuple[str, ...]
    parent: tuple[str, ...]
    members: pl.Expr
    patience: timedelta
    part_of: tuple[str, ...] | None = None


_ALL = pl.col("cluster").is_not_null()
_TARGET = pl.col("instance").is_not_null()
_POD = HEARD & ~pl.col("of_objects") & pl.col("pod").is_not_null()
_STAYS = TOLD & _TARGET & pl.col("own") & ~pl.col("roams")

LEVELS: tuple[Level, ...] = (
    Level("cluster", ("cluster",), (), _ALL, 0 * MINUTE),
    Level("node", ("cluster", "on"), ("cluster",), pl.col("on").is_not_null(), 2 * MINUTE),
    Level(
        "workload",
        ("cluster", "namespace", "workload"),
        ("cluster", "namespace"),
        _POD & pl.col("workload").is_not_null(),
        2 * MINUTE,
    ),
    Level("job", ("cluster", "job"), ("cluster",), HEARD & pl.col("job").is_not_null(), 3 * MINUTE),
    Level(
        "daemon",
        ("cluster", "namespace", "workload", "on"),
        ("cluster", "namespace", "workload"),
        _POD & pl.col("daemon") & pl.col("on").is_not_null(),
        4 * MINUTE,
    ),
    Level(
        "target", ("cluster", "job", "instance"), ("cluster", "job"), HEARD & _TARGET, 5 * MINUTE
    ),
    Level(
        "metric of job",
        ("cluster", "job", "metric"),
        ("cluster", "job"),
        TOLD & pl.col("job").is_not_null() & pl.col("own"),
        7 * MINUTE,
        part_of=("cluster", "job"),
    ),
    Level(
        "metric of target",
        ("cluster", "job", "instance", "metric"),
        ("cluster", "job", "metric"),
        _STAYS,
        8 * MINUTE,
        part_of=("cluster", "job", "instance"),
    ),
    Level(
        "series",
        ("cluster", "job", "instance", "metric", "series_id"),
        ("cluster", "job", "metric"),
        _STAYS & pl.col("pod").is_null() & pl.col("workload").is_null(),
        9 * MINUTE,
        part_of=("cluster", "job", "instance"),
    ),
)
"""From the top."""

TARGETS = next(number for number, level in enumerate(LEVELS) if level.name == "target")

SCRAPES = pl.col("made_by_scraper") & _TARGET
"""What a scraper makes of a target itself, whether that answers or not."""

FIRST_EXPLAINED_BY_A_JOB = ("node", "workload")
"""Above `job`, and yet silent because a job is: kubelets that nobody scrapes any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """The things of one level.

    Attributes:
        level: which.
        names: a row a thing, with the level's keys.
        groups: the known series, by thing.
        parent: number of each thing's parent.
        parents: how many there are.
    """

    level: Level
    names: pl.DataFrame
    groups: Groups
    parent: npt.NDArray[np.int64]
    parents: int

    @property
    def count(self) -> int:
        """How many."""
        return self.names.height

    @classmethod
    def of(cls, level: Level, series: pl.DataFrame) -> "Things":
        """Those of placed series."""
        names = series.filter(level.members).select(level.keys).unique(maintain_order=True)
        code = code_of(level.members, names, series)
        parents = names.select(level.parent or ("cluster",)).unique(maintain_order=True)
        parent = _codes(names, parents)
        groups = Groups.of(code, names.height)
        return cls(level, names, groups, parent.astype(np.int64), parents.height)

    def name(self, thing: int) -> Mapping[str, object]:
        """The keys of one."""
        return self.names.row(thing, named=True)


def code_of(members: pl.Expr, names: pl.DataFrame, series: pl.DataFrame) -> Int32:
    """The thing of each series, by its place in `names`; -1 = none of these."""
    code = _codes(series, names)
    member = series.select(of=members.fill_null(value=False))["of"].to_numpy()
    return np.where(member, code, -1).astype(np.int32)


def _codes(rows: pl.DataFrame, names: pl.DataFrame) -> Int32:
    keys = names.columns
    numbered = names.with_row_index("code")
    found = rows.select(keys).join(
        numbered, on=keys, how="left", nulls_equal=True, maintain_order="left"
    )
    return found["code"].cast(pl.Int32).fill_null(-1).to_numpy()
