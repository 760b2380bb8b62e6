"""Settings of the advice on settings: over which time it looks, and what it leaves out."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SettingKind = Literal[
    "setting_cpu_limit",
    "setting_cpu_request",
    "setting_hpa_maximum",
    "setting_hpa_minimum",
    "setting_balance",
    "setting_retries",
    "setting_spread",
]


class SettingAdviceSettings(BaseModel):
    """Which settings deserve a look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    history: timedelta = Field(
        timedelta(days=3),
        ge=timedelta(days=1),
        description="how far back, at most; not further than `advice.history`",
    )
    leave_out: tuple[SettingKind, ...] = Field((), description="kinds that are not advised")
