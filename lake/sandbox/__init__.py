"""SQL from outside runs in a process of its own, which can be killed and may run out of memory.

DuckDB's own limits do not hold for all that SQL can do: `SELECT length(repeat('x', 2000000000))`
is computed while it is planned, takes gigabytes past the limit and does not hear of a timeout. So
a query goes to a worker (`lake/sandbox/worker.py`), one at a time each, over pipes
(`lake/sandbox/frames.py`). The worker writes the answer in the format asked for, so that the
process that serves only passes the pieces on, at the pace of whoever reads them.

Workers are kept warm: to start one takes half a second, a query through one a few milliseconds more
than without. None is started before the first query, and all end with this process.
"""

from lake.sandbox.frames import PIECE_BYTES
from lake.sandbox.job import Job
from lake.sandbox.pool import KEPT_WORKERS, Answer, Pool, shared
from lake.sandbox.process import Worker

__all__ = ["KEPT_WORKERS", "PIECE_BYTES", "Answer", "Job", "Pool", "Worker", "shared"]
