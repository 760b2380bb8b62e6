"""How many report over time: the picture of an absence."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros

NAMES = ("namespace", "workload", "node", "job", "instance")

# Of a DaemonSet's pod that one node lacks, the nodes that have one; else series. What a scraper
# makes itself and what tells of API objects are no sign of life: see `naming`.
REPORTING = """
WITH own AS (
    SELECT series_id, CASE WHEN $daemon THEN node ELSE CAST(series_id AS VARCHAR) END AS counted
    FROM series
    WHERE cluster = $cluster
      AND ($namespace IS NULL OR namespace = $namespace)
      AND ($workload IS NULL OR (workload = $workload AND pod IS NOT NULL))
      AND ($node IS NULL OR $daemon OR node = $node)
      AND ($job IS NULL OR job = $job)
      AND ($instance IS NULL OR instance = $instance)
      AND ($whole OR NOT regexp_full_match(metric, '(up|scrape_.*)'))
      AND (($node IS NULL AND $workload IS NULL) OR NOT starts_with(metric, 'kube_'))
)
SELECT (epoch_us(s.time) - $start_us) // $step_us AS "column", count(DISTINCT counted) AS reporting
FROM samples s JOIN own USING (series_id)
WHERE s.date >= $first_day AND s.date <= $last_day AND s.time >= $start AND s.time < $end
  AND s.cluster = $cluster
GROUP BY 1
"""


def reporting(
    snapshot: Snapshot, anomaly: Mapping[str, Any], between: TimeRange, step: timedelta
) -> npt.NDArray[np.float32]:
    """How many of the thing's series, or pods, have a sample in each column; 0 where none has.

    Args:
        snapshot: where the samples are.
        anomaly: a row of the detector `absence`.
        between: the range.
        step: width of a column.
    """
    names = {name: anomaly.get(name) for name in NAMES}
    params: dict[str, object] = {
        **names,
        "cluster": anomaly["cluster"],
        "daemon": names["workload"] is not None and names["node"] is not None,
        "whole": not any(names.values()),
        "first_day": between.start.date(),
        "last_day": between.end.date(),
        "start": between.start,
        "end": between.end,
        "start_us": to_micros(between.start),
        "step_us": step // MICROSECOND,
    }
    cells = run(snapshot, REPORTING, params, between).rows
    counts = np.zeros(-(-(between.end - between.start) // step), np.float32)
    counts[cells.column("column").to_numpy()] = cells.column("reporting").to_numpy()
    return counts
