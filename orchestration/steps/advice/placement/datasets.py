"""Data sets and where they are cached: Fluid's sizes, and what the caches below it hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.placement import Dataset
from orchestration.placement_settings import GpuPoolSettings, PlacementSettings
from orchestration.steps.advice.placement.read import Line, State

# Least rate that is taken for a transfer: what a cache takes in now and then is none.
SLOWEST = 1e6


class Datasets:
    """What is known of data sets, in all clusters that may be seen.

    Names are `namespace/name`, as Fluid has them.
    """

    def __init__(self, state: State) -> None:
        self._size: dict[str, float] = {}
        self._cached: dict[tuple[str, str], Line] = {}
        for line in state.of("size"):
            name = line.labels.get("dataset", "")
            # The same data may be known to several clusters, to one of them not yet in full.
            self._size[name] = max(self._size.get(name, 0.0), float(line.value[-1]))
        for line in state.of("cached"):
            name = f"{line.labels.get('namespace', '')}/{line.labels.get('fluid_runtime', '')}"
            before = self._cached.get((line.cluster, name))
            if before is None or before.hour[-1] < line.hour[-1]:
                self._cached[line.cluster, name] = line

    @property
    def names(self) -> Sequence[str]:
        """All that have a size."""
        return sorted(self._size)

    def find(self, name: str) -> str | None:
        """The full name of a data set, by it or by what comes after the namespace; None = unknown.

        A short name that two namespaces have is unknown: they are not the same data.
        """
        if name in self._size:
            return name
        found = [one for one in self._size if one.rpartition("/")[2] == name]
        return found[0] if len(found) == 1 else None

    def of(
        self, cluster: str, own: GpuPoolSettings, settings: PlacementSettings
    ) -> Mapping[str, Dataset]:
        """What a cluster has of each."""
        here = [line.filling for (where, _), line in self._cached.items() if where == cluster]
        measured = [rate for rate in here if rate >= SLOWEST]
        bandwidth = own.bandwidth_bytes_per_second or max(
            measured, default=settings.bandwidth_bytes_per_second
        )
        return {
            name: Dataset(size, self._held(cluster, name, size), bandwidth)
            for name, size in self._size.items()
        }

    def _held(self, cluster: str, name: str, size: float) -> float:
        line = self._cached.get((cluster, name))
        return 0.0 if line is None else min(float(line.value[-1]), size)
