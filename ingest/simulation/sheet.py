"""Collects finished series: a label set, a kind, a row of values with NaN where no sample is."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.simulation.catalogue import ClusterSpec
from ingest.simulation.timeline import FloatArray, Timeline

Kind = Literal["counter", "gauge"]


@dataclass
class Sheet:
    """Series in the order they are added; `kinds` maps a metric family to its kind."""

    timeline: Timeline
    labels: list[dict[str, str]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    rows: list[FloatArray] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    def add(
        self,
        name: str,
        kind: Kind,
        cluster: ClusterSpec,
        labels: dict[str, str],
        values: FloatArray,
    ) -> None:
        """Add one series.

        Args:
            name: Metric name.
            kind: Kind of the family.
            cluster: Gives the external labels `cluster`, `cloud` and `region`.
            labels: All other labels.
            values: One value an instant, NaN where the scrape found none, `[n]`.
        """
        self.labels.append(
            {
                "__name__": name,
                "cluster": cluster.name,
                "cloud": cluster.cloud,
                "region": cluster.region,
                **labels,
            }
        )
        self.kinds[name] = kind
        self.rows.append(values)
        self.offsets.append(self._scrape_offset(cluster.name, labels))

    def matrix(self) -> FloatArray:
        """All values, `[series, n]`."""
        return np.stack(self.rows)

    def scrape_offsets(self) -> NDArray[np.int64]:
        """Milliseconds after each grid instant at which a series is scraped, `[series]`."""
        return np.array(self.offsets, dtype=np.int64)

    def _scrape_offset(self, cluster: str, labels: dict[str, str]) -> int:
        # As in Prometheus: the moment of a target's scrape within the interval is a hash of it.
        target = f"{cluster}/{labels['job']}/{labels.get('instance', '')}"
        return zlib.crc32(target.encode()) % (1000 * int(self.timeline.step_seconds))
