"""Who gives advice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings, AdviserName
from orchestration.steps.advice.advice import Advice, Followed
from orchestration.steps.advice.nodes import adviser as nodes
from orchestration.steps.advice.placement import follow as placement_follow
from orchestration.steps.advice.placement.adviser import advise_pools
from orchestration.steps.advice.rightsizing import adviser
from orchestration.steps.advice.rightsizing.follow import follow
from orchestration.steps.advice.settings import adviser as settings
from orchestration.steps.advice.settings import follow as settings_follow

Row = dict[str, Any]

Advise = Callable[[Snapshot, datetime, AdviceSettings], Sequence[Advice]]
"""All advice of one adviser, from what is in a snapshot and not later than a time."""

Follow = Callable[[Snapshot, Sequence[Row], datetime, AdviceSettings], Mapping[str, Followed]]
"""What became of rows of `advice` (parsed, see `rows`), by `advice_id`; unknown ones are left
out. It is asked of those that are open, accepted or applied."""


@dataclass(frozen=True, slots=True)
class Adviser:
    """One adviser; `follow` where it can tell what came of its advice."""

    advise: Advise
    follow: Follow | None = None


ADVISERS: Mapping[AdviserName, Adviser] = {
    "rightsizing": Adviser(adviser.advise, follow),
    "nodes": Adviser(nodes.advise, nodes.follow),
    "settings": Adviser(settings.advise, settings_follow.follow),
    "placement": Adviser(advise_pools, placement_follow.follow),
}
"""By name, which is the column `adviser`."""
