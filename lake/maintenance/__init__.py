"""Keeping a lake small, quick to open and within its limits, while others write and read it.

Each part is a pure plan (files and the time in, tasks out) and an act. `rounds` has them all; to be
run by one process at a time (`lease`).
"""

from lake.maintenance.compaction import Compacted, compact
from lake.maintenance.deletion import Deleted, delete_cluster
from lake.maintenance.lease import lease
from lake.maintenance.levels import most_files
from lake.maintenance.log import LogState, state, tidy
from lake.maintenance.policy import CompactionPolicy, Keep, Policy
from lake.maintenance.retention import Dropped, retain
from lake.maintenance.rounds import (
    Cleaned,
    Cleaning,
    Merged,
    clean_plan,
    clean_round,
    merge_round,
)
from lake.maintenance.taking_out import take_out
from lake.maintenance.vacuum import Vacuum, vacuum

__all__ = [
    "Cleaned",
    "Cleaning",
    "Compacted",
    "CompactionPolicy",
    "Deleted",
    "Dropped",
    "Keep",
    "LogState",
    "Merged",
    "Policy",
    "Vacuum",
    "clean_plan",
    "clean_round",
    "compact",
    "delete_cluster",
    "lease",
    "merge_round",
    "most_files",
    "retain",
    "state",
    "take_out",
    "tidy",
    "vacuum",
]
