"""The open data lake: Delta tables, pinned snapshots, SQL.

from lake import connect
connect("fleetlake-data/lake").sql("SELECT cluster, count(*) FROM samples GROUP BY 1")
"""

from lake.clock import Clock, utc_now
from lake.commit import CommitKey
from lake.connection import Limits
from lake.errors import LakeError
from lake.lake import Lake
from lake.notebook import connect
from lake.snapshot import Snapshot
from lake.timerange import TimeRange

__all__ = [
    "Clock",
    "CommitKey",
    "Lake",
    "LakeError",
    "Limits",
    "Snapshot",
    "TimeRange",
    "connect",
    "utc_now",
]
