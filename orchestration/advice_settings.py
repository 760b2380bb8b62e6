"""Settings of advice: which is given, from how much history, when it is given again."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.node_advice_settings import NodeAdviceSettings
from orchestration.placement_settings import PlacementSettings
from orchestration.rightsizing_settings import RightsizingSettings
from orchestration.setting_advice_settings import SettingAdviceSettings

AdviserName = Literal["rightsizing", "nodes", "settings", "placement"]
"""Of `orchestration.steps.advice.advisers.ADVISERS`."""

HOURS_A_MONTH = 730.0
"""Cloud providers' month, a twelfth of a year."""

GIB = 1024.0**3


class PriceSettings(BaseModel):
    """What capacity costs, in any one currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_core_hour: float | None = Field(None, ge=0.0, description="a core for an hour")
    memory_gib_hour: float | None = Field(None, ge=0.0, description="a GiB of memory for an hour")
    gpu_hour: float | None = Field(None, ge=0.0, description="a GPU for an hour")

    def month(self, cores: float = 0.0, memory_bytes: float = 0.0, gpus: float = 0.0) -> float:
        """What that costs in a month; a part whose price is unknown costs nothing.

        >>> PriceSettings(cpu_core_hour=0.03).month(cores=2.0, memory_bytes=1e9)
        43.8
        """
        hour = cores * (self.cpu_core_hour or 0.0)
        hour += memory_bytes / GIB * (self.memory_gib_hour or 0.0) + gpus * (self.gpu_hour or 0.0)
        return round(hour * HOURS_A_MONTH, 6)

    @property
    def known(self) -> bool:
        """Whether any is."""
        return (self.cpu_core_hour, self.memory_gib_hour, self.gpu_hour) != (None, None, None)


class AdviceSettings(BaseModel):
    """What is advised, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resident: bool = Field(
        True, description="the server does it, in a thread; else Dagster's schedule"
    )
    every: timedelta = Field(
        timedelta(hours=1), ge=timedelta(minutes=5), description="how often advice is worked out"
    )
    leave_out: tuple[AdviserName, ...] = Field((), description="advisers that are not asked")
    history: timedelta = Field(
        timedelta(days=14), ge=timedelta(days=1), description="how far back is looked"
    )
    change: float = Field(
        0.1,
        gt=0.0,
        description="a proposal that moves by less than this share is the same advice, and is not "
        "written again",
    )
    reopen: float = Field(
        0.5,
        gt=0.0,
        description="what was accepted or dismissed is asked again where the proposal moves by "
        "more than this share",
    )
    rightsizing: RightsizingSettings = Field(default_factory=RightsizingSettings)
    nodes: NodeAdviceSettings = Field(
        default_factory=NodeAdviceSettings, description="which nodes could be emptied"
    )
    settings: SettingAdviceSettings = Field(
        default_factory=SettingAdviceSettings, description="settings that deserve a look"
    )
    prices: PriceSettings = Field(
        default_factory=PriceSettings, description="unset = savings are told without costs"
    )
    placement: PlacementSettings = Field(
        default_factory=PlacementSettings, description="of jobs that need GPUs"
    )
