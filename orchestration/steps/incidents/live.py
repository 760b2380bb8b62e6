"""Incidents as they happen: brought up to date after each tick that changed something."""

from datetime import datetime

from lake import Lake, TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import IncidentSettings
from orchestration.steps.incidents.update import Updated, update
from orchestration.steps.models import Detected


class Live:
    """Groups what each tick has found.

    Args:
        lake: where anomalies are and incidents go.
        detection: how metrics are read.
        settings: what belongs together.
    """

    def __init__(
        self, lake: Lake, detection: DetectionSettings, settings: IncidentSettings
    ) -> None:
        self._lake = lake
        self._detection = detection
        self._settings = settings
        self._seen: int | None = None
        self.open = 0
        """Incidents that were open the last time."""

    def after(self, done: Detected, now: datetime) -> Updated | None:
        """Group what a tick has found; None where there is nothing new to group.

        Args:
            done: what the tick did.
            now: the time.
        """
        if done.scored is None:
            return None
        version = self._lake.anomalies.files()[0]
        if version == self._seen and not self.open:
            return None
        # Also what ended a while ago: an open incident is resolved when it has been quiet.
        between = TimeRange(done.scored.start - self._settings.gap, done.scored.end)
        updated = update(self._lake, self._detection, self._settings, between, now)
        self._seen, self.open = version, updated.open
        return updated
