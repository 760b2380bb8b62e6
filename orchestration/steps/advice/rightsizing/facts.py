"""All that is known of containers before anything is proposed, gathered from one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from lake import TimeRange
from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND, to_micros
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.rightsizing.configured import Configured, configured
from orchestration.steps.advice.rightsizing.inventory import (
    CPU,
    MEMORY,
    Inventory,
    take_inventory,
)
from orchestration.steps.advice.rightsizing.remembered import Remembered, remembered
from orchestration.steps.advice.rightsizing.running import RECENT, live
from orchestration.steps.advice.rightsizing.scaled import Scaled, scaled
from orchestration.steps.advice.rightsizing.trouble import Trouble, trouble
from orchestration.steps.advice.rightsizing.usage import SLOT, Used, used, window

Float64 = npt.NDArray[np.float64]

BY_SCHEDULE = ["CronJob", "Job"]
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of `n` containers; arrays are `[n]`, in the order of the inventory.

    Attributes:
        inventory: their names.
        between: the time that was looked at.
        cpu, memory: what they used.
        set_now: requests and limits.
        trouble: kills and throttling.
        scaled: what they are scaled by.
        remembered: what limits did before that.
    """

    inventory: Inventory
    between: TimeRange
    cpu: Used
    memory: Used
    set_now: Configured
    trouble: Trouble
    scaled: Scaled
    remembered: Remembered

    def days(self, of: Used) -> Float64:
        """How long ago each was seen first, within the time looked at; 0 = never."""
        return np.where(of.oldest > 0, (to_micros(self.between.end) - of.oldest) / _DAY, 0.0)

    def history_days(self, of: Used) -> Float64:
        """Days in which each ran; of what runs by schedule, those since its first run."""
        return np.where(self._scheduled, self.days(of), of.ran / _DAY)

    def unseen_days(self, of: Used) -> Float64:
        """For how long each has not been seen; infinite = never."""
        end = to_micros(self.between.end) - SLOT // MICROSECOND
        return np.where(of.newest > 0, np.maximum(end - of.newest, 0) / _DAY, np.inf)

    def gone(self, of: Used) -> npt.NDArray[np.bool_]:
        """Which do not run any more: not within an hour, nor, what runs by schedule, a day."""
        patience = np.where(self._scheduled, _DAY, RECENT // MICROSECOND)
        result: npt.NDArray[np.bool_] = self.unseen_days(of) * _DAY >= patience
        return result

    @property
    def _scheduled(self) -> npt.NDArray[np.bool_]:
        kinds = self.inventory.containers["workload_kind"].is_in(BY_SCHEDULE)
        return kinds.fill_null(value=False).to_numpy()


def gather(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> Facts | None:
    """What is known of all containers; None where there are none.

    Args:
        snapshot: where it is.
        now: what is later is not looked at.
        settings: how far back is looked.
    """
    between = window(now, settings.history)
    own = settings.rightsizing
    # One of which alone nothing could be told does not count alone.
    release = max(own.release_history, own.least_history)
    inventory = take_inventory(snapshot, between.end, settings.history, release)
    if not inventory.containers.height:
        return None
    startup = own.startup
    cpu = used(snapshot, inventory, CPU, between, startup)
    memory = used(snapshot, inventory, MEMORY, between, startup)
    running = live(snapshot, inventory, between)
    return Facts(
        inventory,
        between,
        cpu,
        memory,
        configured(snapshot, inventory, running, between),
        trouble(snapshot, inventory, between),
        scaled(snapshot, inventory, between),
        remembered(snapshot, inventory, now),
    )
