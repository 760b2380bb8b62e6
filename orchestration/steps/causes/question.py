"""What is asked: when something broke, where it shows, and what there is to know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

WINDOW = timedelta(minutes=5)
"""How long after it began an incident is looked at, unless that is said: what comes later is the
fault's spread, or its repair."""

LEAST_COLUMNS = 3
"""An incident is looked at for at least so many of the metrics' steps."""

LONGEST_REST = timedelta(days=1)
"""Where no more than that is after the beginning, and no more than before, the file may end with
the incident: a second look takes all of it. More is no incident, but what came after."""

SHORT_REST = 0.25
"""Where the rows after the beginning span less than this share of those before, somebody has cut
the file to the incident, and that is how long it is said to be."""


@dataclass(frozen=True, slots=True)
class Question:
    """What `rank_file` is asked.

    Attributes:
        files: of metrics; several are one table.
        by: the column whose values are ranked.
        at: when it began, or was noticed.
        baseline: metrics of a time when all was well; else what is before `at` in `files`.
        symptom: an entity, or entity:metric, where it shows.
        graph: a file with `source` calling `target`.
        events: a file of events, among them changes.
        logs: a file with pod and body.
        traces: a file of spans.
        lasting: how long the incident is; None = see `WINDOW`.
    """

    files: Sequence[Path]
    by: str
    at: datetime
    baseline: Path | None = None
    symptom: str | None = None
    graph: Path | None = None
    events: Path | None = None
    logs: Path | None = None
    traces: Path | None = None
    lasting: timedelta | None = None
