"""What the workloads of clusters did: one row a cluster, of all its pods."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from detectors import Panel
from detectors.siblings import combined
from lake import TimeRange
from lake.snapshot import Snapshot
from orchestration.steps.panels import read_panel
from orchestration.steps.siblings.members import Members


@dataclass(frozen=True, slots=True)
class Rows:
    """What the clusters' workloads did: a panel each of columns, and of their trailing means."""

    plain: Panel
    steady: Panel


def read_rows(
    snapshot: Snapshot, own: Members, between: TimeRange, step: timedelta
) -> tuple[Rows, Panel]:
    """The rows of a block of members over the range, by one query; and its series.

    Every row is there, without data where there is none.
    """
    panel = read_panel(snapshot, own.infos(), between, step)
    order = np.argsort(own.series_id, kind="stable")
    spot = order[np.searchsorted(own.series_id, panel.series_id, sorter=order)]
    by_row = np.argsort(spot, kind="stable")
    counter = own.table.column("counter").to_numpy(zero_copy_only=False)[own.first]
    plain, steady = combined(panel.values[by_row], own.row[spot[by_row]], counter.astype(np.bool_))
    made = [Panel(values, panel.start, panel.step, own.row_id) for values in (plain, steady)]
    return Rows(*made), panel
