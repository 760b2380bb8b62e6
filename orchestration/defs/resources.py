"""What assets are handed: the settings and the lake."""

from dataclasses import dataclass

import dagster as dg

from lake import Lake
from orchestration.opening import open_lake
from orchestration.settings import Settings


@dataclass(frozen=True)
class LakeResource:
    """Opens the lake of the settings in the process that needs it.

    A plain object, without Dagster configuration: that is stored and shown with every run, and the
    settings hold secrets. Each process of Dagster loads the definitions, and so the settings, anew.
    """

    settings: Settings

    def open(self) -> Lake:
        """The lake."""
        return open_lake(self.settings)


LakeParam = dg.ResourceParam[LakeResource]
"""How an asset or check asks for it."""
