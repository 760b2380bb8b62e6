"""The chart of a departure: what all pods of a workload did, and what its siblings say of that."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from detectors.siblings import Usual
from lake import Lake, TimeRange
from lake.timerange import from_micros
from orchestration.detection_settings import DetectionSettings
from orchestration.steps import budget
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.siblings.members import members
from orchestration.steps.siblings.models import fit, judge
from orchestration.steps.training import Flagged

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SiblingChart:
    """Trailing means of a workload around a departure, and its siblings' band; NaN = no data.

    `bands` are expected, lower and upper; None where the siblings say nothing.
    """

    times: list[datetime]
    actual: Float32
    bands: tuple[Float32, Float32, Float32] | None


def sibling_chart(
    lake: Lake, settings: DetectionSettings, anomaly: Row, between: TimeRange
) -> SiblingChart | None:
    """The workload of a departure in a range; None where it, or all its siblings, are gone.

    What was flagged before is learned here, as the band is to be seen, not to be judged by.
    """
    snapshot = lake.snapshot()
    since = between.start - settings.refit_every - settings.history
    own = members(snapshot, settings, since, workloads=[anomaly["workload"]])
    own = own.of_id(anomaly["series_id"])
    if not own.n_rows:
        return None
    rate = budget.rate_of_series(snapshot, settings, between.start)
    nothing = Flagged({}, "")

    def usual(at: datetime, _: object) -> Usual:
        return fit(snapshot, own, settings, at, nothing, rate)

    judged = judge(snapshot, own, settings, between, usual)
    row = own.row_id.tolist().index(anomaly["series_id"])
    actual = judged.rows.values[row]
    if not np.isfinite(actual).any():
        return None
    times = [from_micros(int(at)) for at in judged.rows.times]
    scores = judged.scores
    bands = [
        band[row] for band in (scores.expected, scores.lower, scores.upper) if band is not None
    ]
    if len(bands) < 3 or not np.isfinite(bands[0]).any():
        return SiblingChart(times, actual, None)
    return SiblingChart(times, actual, (bands[0], bands[1], bands[2]))
