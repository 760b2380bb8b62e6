"""Detectors that others wrote are tried by the laws before they are used."""

import json

from detectors.catalogue import is_ours
from detectors.checks import require_lawful as try_laws
from orchestration.detection_settings import DetectorSettings
from orchestration.steps.models import unfitted

_lawful: set[str] = set()
"""What has been tried in this process: parameters and all. A forest takes seconds."""


def require_lawful(chosen: DetectorSettings) -> None:
    """Refuse a detector that breaks a law of `detectors.checks` with the parameters it is given.

    Our own are known to be lawful.

    Raises:
        LawBrokenError: it breaks that law.
        DetectorsError, SettingsError: it cannot be made; see `unfitted`.
    """
    if is_ours(chosen.name):
        unfitted(chosen)
        return
    key = json.dumps([chosen.name, chosen.by, chosen.parameters], sort_keys=True, default=str)
    if key not in _lawful:
        try_laws(lambda: unfitted(chosen))
        _lawful.add(key)
