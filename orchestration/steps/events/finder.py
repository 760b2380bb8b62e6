"""The finder of events: counts once, puts them to every test, gives rows."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lake import TimeRange
from lake.query import run
from lake.timerange import MICROSECOND
from orchestration.steps.anomaly_rows import Row
from orchestration.steps.events import parts
from orchestration.steps.events.counting import LOG, OPA
from orchestration.steps.events.lines import Lines
from orchestration.steps.events.memory import Memory
from orchestration.steps.events.parts import Found
from orchestration.steps.events.rows import rows
from orchestration.steps.events.view import View, is_line, streams, view
from orchestration.steps.look import Look

HEARD = """
SELECT DISTINCT cluster, epoch_us(time) // $step_us AS "column" FROM samples
WHERE date >= $first_day AND date <= $last_day AND time >= $start AND time < $end
  AND list_contains($clusters, cluster)
"""


class EventFinder:
    """Finds what events tell; remembers counts and templates between looks.

    Of a look it counts the history, too, as far as it has not done so before. Neither the memory
    nor how a range is cut into looks changes what is found, but where late events come.
    """

    detectors: tuple[str, ...] = (parts.RATE, parts.DENIALS, parts.FIRST)

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._lines = Lines()

    def find(self, look: Look) -> list[Row]:
        """The intervals of the range, as rows of `anomalies`, by start."""
        if self._memory is None or self._memory.step != look.settings.step:
            self._memory, self._lines = Memory(look.settings.step), Lines()
        seen = view(look, self._memory)
        if seen.frame.is_empty():
            return []
        return rows(self._found(seen, look), seen, look)

    def _found(self, seen: View, look: Look) -> list[Found]:
        settings = look.settings
        plain = seen.frame.filter(~is_line())
        every = streams(plain, seen)
        source = every.labels["source"]
        decisions = every.only((source == OPA).to_numpy())
        warnings = every.only((~source.is_in([OPA, LOG])).to_numpy())
        found = parts.rates(seen, warnings, settings, seen.first, seen.end)
        found += parts.denied(seen, decisions, settings)
        found += parts.stopped(seen, every, settings, _awake(seen, look))
        found += parts.news(seen, plain, settings)
        if len(plain) == len(seen.frame):
            return found
        for begin, first, end in seen.pieces(seen.period):
            lines, new = self._lines.of_period(seen, begin, end)
            found += parts.rates(seen, streams(lines, seen), settings, first, end)
            found += parts.lines_news(seen, lines, new, begin, settings)
        return found


def _awake(seen: View, look: Look) -> parts.Awake:
    """Whether a cluster's samples came: what has fallen silent altogether is no event's business.

    Nor is a time at which we were down ourselves.
    """

    def columns(clusters: Sequence[str], end: int) -> npt.NDArray[np.bool_]:
        between = TimeRange(seen.moment(max(0, end - seen.history)), seen.moment(end))
        params = {
            "step_us": seen.step // MICROSECOND,
            "start": between.start,
            "end": between.end,
            "first_day": between.start.date(),
            "last_day": between.end.date(),
            "clusters": sorted(set(clusters)),
        }
        number = {cluster: row for row, cluster in enumerate(sorted(set(clusters)))}
        there = np.zeros((len(number), end), np.bool_)
        for row in run(look.snapshot, HEARD, params, between).rows.to_pylist():
            there[number[row["cluster"]], row["column"] - seen.origin] = True
        return there[[number[cluster] for cluster in clusters]]

    return columns
