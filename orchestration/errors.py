"""What can go wrong where the parts meet, as one small tree.

* OrchestrationError
  * SettingsError      the settings file is unreadable, or a value breaks its rule
  * FilterError        a filter of a listing is wrong (a foreign cursor, a reversed range)
  * NotFoundError      no anomaly has this id
  * DetectFileError    a file that cannot be scored as asked
  * CausesError        a file whose causes cannot be ranked as asked
  * ForecastFileError  a file that cannot be forecast as asked
  * PlacementError     a job that cannot be placed as asked
  * BacktestError      a history that cannot be replayed as asked
  * ChoosingError      a history on which no detector can be chosen
  * AdviceError        advisers that failed
  * PullError          sources that could not be pulled
  * MaintenanceError   tables of the lake that could not be maintained
"""

from collections.abc import Mapping

from orchestration.failures import Failure


class OrchestrationError(Exception):
    """Base of all errors of this package."""


class SettingsError(OrchestrationError):
    """The settings cannot be used."""


class FilterError(OrchestrationError):
    """A filter of a listing is wrong."""


class NotFoundError(OrchestrationError):
    """There is nothing by this name."""


class DetectFileError(OrchestrationError):
    """A file cannot be scored as asked."""


class CausesError(OrchestrationError):
    """The causes in a file cannot be ranked as asked."""


class ForecastFileError(OrchestrationError):
    """A file cannot be forecast as asked."""


class PlacementError(OrchestrationError):
    """A job cannot be placed as asked."""


class BacktestError(OrchestrationError):
    """A history cannot be replayed as asked."""


class ChoosingError(OrchestrationError):
    """Detectors cannot be chosen on this history."""


class PullError(OrchestrationError):
    """Sources that could not be pulled; the others were."""

    def __init__(self, failed: dict[str, str], of: int) -> None:
        self.failed = failed
        told = "; ".join(f"{cluster}: {why}" for cluster, why in sorted(failed.items()))
        super().__init__(f"{len(failed)} of {of} sources could not be pulled: {told}")


class AdviceError(OrchestrationError):
    """Advisers that failed; the others' advice is kept."""

    def __init__(self, failed: Mapping[str, Failure]) -> None:
        self.failed = failed
        told = "; ".join(f"{adviser}: {why}" for adviser, why in sorted(failed.items()))
        super().__init__(f"{len(failed)} advisers failed: {told}")


class MaintenanceError(OrchestrationError):
    """Tables that could not be maintained; the others were."""

    def __init__(self, failed: dict[str, str]) -> None:
        self.failed = failed
        told = "; ".join(f"{table}: {why}" for table, why in sorted(failed.items()))
        super().__init__(f"{len(failed)} parts of the lake could not be maintained: {told}")
