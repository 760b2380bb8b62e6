"""A believable history of a fleet, with faults of known truth: the generator behind the demo."""

from __future__ import annotations

from ingest.simulation.fault import Fault
from ingest.simulation.simulation import Chunk, Simulation, simulate

__all__ = ["Chunk", "Fault", "Simulation", "simulate"]
