"""How much CPU and memory containers need, and what that risks: arrays in, arrays out.

What a container used is held as counts in bins of a logarithmic scale, of any number of pods and
minutes; the highest values are held beside them, exactly.
"""

from detectors.rightsizing.bins import GROWTH, NOTHING, bins_of, edges
from detectors.rightsizing.cpu import CpuRequests, cpu_requests
from detectors.rightsizing.memory import MemoryLimits, chance_above, memory_limits, rising
from detectors.rightsizing.usage import Usage

__all__ = [
    "GROWTH",
    "NOTHING",
    "CpuRequests",
    "MemoryLimits",
    "Usage",
    "bins_of",
    "chance_above",
    "cpu_requests",
    "edges",
    "memory_limits",
    "rising",
]
