"""Detectors that remember normal behaviour and measure the distance to the nearest of it."""

from detectors.memory.entity_memory import EntityMemory
from detectors.memory.window_memory import WindowMemory

__all__ = ["EntityMemory", "WindowMemory"]
