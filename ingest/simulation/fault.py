"""A scripted fault as the truth table knows it: where, when, on which metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Fault:
    """One fault of known truth.

    Attributes:
        name: Slug, unique in a simulation.
        title: One line a person reads.
        kind: What sort of fault: `memory_leak`, `volume_filling`, `bad_rollout`,
            `noisy_neighbour`, `policy_denials` or `exporter_stopped`.
        cluster: The cluster it happens in.
        namespace: The namespace of the culprit; None for a node's fault.
        entities: Label matchers; a series that carries all labels of any one of them may move.
        metrics: Metric names that are certain to move.
        start: First instant of the fault.
        end: First instant after it.
        culprit: What causes it, as an incident names it.
        change: Words of the change that brought it about; None where nobody changed anything.
    """

    name: str
    title: str
    kind: str
    cluster: str
    namespace: str | None
    entities: tuple[dict[str, str], ...]
    metrics: tuple[str, ...]
    start: datetime
    end: datetime
    culprit: str
    change: str | None = None

    def explains(
        self, labels: Mapping[str, str], start: datetime, end: datetime, slack: timedelta
    ) -> bool:
        """Whether an anomaly on a series with `labels` in `[start, end)` is this fault's doing.

        Args:
            labels: The label set of the series, with `cluster`.
            start: Begin of the anomaly; an anomaly may be one instant long.
            end: End of the anomaly.
            slack: How much earlier or later than the fault the anomaly may be seen.
        """
        return (
            labels.get("cluster") == self.cluster
            and start <= self.end + slack
            and end >= self.start - slack
            and self.matches(labels)
        )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series carries all labels of one of the entities, whatever its cluster."""
        return any(
            all(labels.get(key) == value for key, value in entity.items())
            for entity in self.entities
        )
