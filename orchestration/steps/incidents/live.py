"""Incidents as they happen: brought up to date after each tick that changed something."""

from collections.abc import Callable
from datetime import datetime

from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps.incidents.kept_topology import KeptTopology
from orchestration.steps.incidents.reads import Reads
from orchestration.steps.incidents.update import Updated, update
from orchestration.steps.kept_feedback import KeptFeedback
from orchestration.steps.models import Detected

AT_ONCE = 25
"""Incidents whose causes are ranked in one turn: all others are told before the next are ranked."""


class Live:
    """Groups what each tick has found.

    Args:
        lake: where anomalies are and incidents go.
        detection: how metrics are read.
        settings: what belongs together.
        feedback: what people said, None = to be kept for this alone.
    """

    def __init__(
        self,
        lake: Lake,
        detection: DetectionSettings,
        settings: IncidentSettings,
        feedback: KeptFeedback | None = None,
    ) -> None:
        self._lake = lake
        self._detection = detection
        self._settings = settings
        self._reads = Reads(KeptTopology().at, (feedback or KeptFeedback()).said)
        self._seen: int | None = None
        self._due: datetime | None = None
        self._heard: int | None = None
        self._hears_until: datetime | None = None

    def after(
        self, done: Detected, now: datetime, stopping: Callable[[], bool] = lambda: False
    ) -> Updated | None:
        """Group what a tick has found; None where there is nothing new, of events neither.

        Args:
            done: what the tick did; one that scored nothing still lets time pass.
            now: the time.
            stopping: whether no further causes are to be ranked, asked before each incident's.
        """
        version, heard = self._lake.anomalies.files()[0], self._lake.events.version()
        is_due = self._due is not None and now >= self._due
        listens = self._hears_until is not None and now < self._hears_until
        if version == self._seen and not is_due and not (listens and heard != self._heard):
            return None
        scored = done.scored or TimeRange(now - self._settings.gap, now)
        between = TimeRange(scored.start - self._settings.gap, max(scored.end, now))
        updated = update(
            self._lake,
            self._detection,
            self._settings,
            between,
            now,
            most_ranked=AT_ONCE,
            stopping=stopping,
            reads=self._reads,
        )
        self._seen, self._due = updated.seen, updated.due
        # As of before: what came meanwhile is looked at by the next.
        self._heard, self._hears_until = heard, updated.hears_until
        return updated
