"""Tier 0: every series, every tick, a few fields of state each."""

from detectors.online.level_state import LevelState
from detectors.online.online_level import OnlineLevel
from detectors.online.rule import Rule

__all__ = ["LevelState", "OnlineLevel", "Rule"]
