"""What assets are handed: the settings and the lake."""

import dagster as dg

from lake import Lake, utc_now
from orchestration.settings import Settings


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the lake of the settings in the process that needs it.

    Settings travel as JSON: Dagster hands resources to other processes.
    """

    settings_json: str

    @property
    def settings(self) -> Settings:
        """The settings."""
        return Settings.model_validate_json(self.settings_json)

    def open(self) -> Lake:
        """The lake."""
        return Lake.open(self.settings.lake_dir, clock=utc_now)
