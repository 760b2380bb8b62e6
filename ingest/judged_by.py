"""The settings that the records of a log were judged by: replay must read them the same way.

Relabelling, pairs of replicas and the default cluster decide what of a logged request is stored and
under which labels. They may have changed between a crash and the next start. So they are kept
beside the log, and the log is replayed, and flushed, under those that were in force.
"""

import json
import logging
from pathlib import Path

from pydantic import ValidationError

from ingest.settings import IngestSettings
from lake.disk import replace_file

logger = logging.getLogger(__name__)

FIELDS = ("default_cluster", "relabel", "ha")


class JudgedBy:
    """What an earlier process judged by, and whether today's settings differ.

    Args:
        folder: the receiver's.
        settings: today's.
    """

    def __init__(self, folder: Path, settings: IngestSettings) -> None:
        self._path = folder / "rules.json"
        self._today = _text(settings)
        self.settings = settings
        self._stored = self._path.read_text("utf-8") if self._path.exists() else None
        self.changed = self._stored not in {None, self._today}
        if self._stored is None:
            return
        try:
            earlier = IngestSettings.model_validate_json(self._stored)
        except ValidationError:
            logger.warning("rules of the log not read", extra={"path": str(self._path)})
        else:
            kept = {name: getattr(earlier, name) for name in FIELDS}
            self.settings = settings.model_copy(update=kept)

    def save(self) -> None:
        """From now on, what is logged is judged by today's settings."""
        if self._stored != self._today:
            replace_file(self._path, self._today.encode())
            self._stored = self._today


def _text(settings: IngestSettings) -> str:
    return json.dumps(settings.model_dump(mode="json", include=set(FIELDS)), sort_keys=True)
