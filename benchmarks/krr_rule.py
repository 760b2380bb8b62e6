"""Robusta KRR's simple strategy, as its documentation has it: the rival of `advice.py`."""

from __future__ import annotations

import numpy as np

PERCENTILE = 95
BUFFER = 1.15
OOM_BUMP = 1.25
LEAST_CORES = 0.01
LEAST_BYTES = 100 * 1024.0**2
POINTS = 100


def cpu_request(cpu: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The 95th percentile of each pod, of a container's pods the highest; no limit.

    Args:
        cpu: cores `[pods, columns]`, NaN = no data.
        first: of each container its first pod, ascending.
    """
    of_pods = np.nanpercentile(cpu, PERCENTILE, axis=1)
    return np.maximum(np.fmax.reduceat(of_pods, first), LEAST_CORES)


def memory(used: np.ndarray, first: np.ndarray, killed_at: np.ndarray) -> np.ndarray:
    """Request and limit: the highest of all pods and 15 %, or what killed one and 25 %.

    Args:
        used: bytes `[pods, columns]`, NaN = no data.
        first: of each container its first pod, ascending.
        killed_at: the limit at which a container was killed, NaN = it was not.
    """
    highest = np.fmax.reduceat(np.nanmax(used, axis=1), first)
    return np.maximum(np.fmax(highest * BUFFER, killed_at * OOM_BUMP), LEAST_BYTES)
