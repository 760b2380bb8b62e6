"""What senders say of metric families: kind, unit and help, by cluster."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ingest.series import kind_by_name

KINDS = {
    1: "counter",
    2: "gauge",
    3: "histogram",
    4: "gaugehistogram",
    5: "summary",
    6: "info",
    7: "stateset",
}
"""Prometheus' `MetricMetadata.MetricType`, without 0 (unknown)."""

PART_SUFFIXES = ("_total", "_count", "_sum", "_bucket")
"""What a series' name has beyond its family's."""

MAX_OF_CLUSTER, MAX_CLUSTERS = 10_000, 1_000
"""Descriptions kept of one cluster, and clusters that any are kept of."""

MAX_NAME, MAX_UNIT, MAX_HELP = 256, 64, 1024
"""Characters: what has a longer name or unit is not kept, a longer help text is cut."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a sender says of a metric family. `kind` is Prometheus' number for it."""

    family: str
    kind: int
    help: str
    unit: str


class Families:
    """Descriptions of metric families. What is told of no cluster (None) stands in for all.

    The first such word stays: senders that differ would have each other's series written at every
    turn. Not thread-safe: the catalogue that owns it holds its lock.
    """

    def __init__(self) -> None:
        self._known: dict[str | None, dict[str, Metadata]] = {}

    def learn(
        self, metadata: Sequence[Metadata], clusters: Sequence[str | None]
    ) -> list[tuple[str | None, str]]:
        """Take notice; gives the (cluster, family) whose series are worth writing again."""
        return [
            (cluster, one.family)
            for cluster in clusters
            for one in metadata
            if self._learn(cluster, one)
        ]

    def _learn(self, cluster: str | None, metadata: Metadata) -> bool:
        """Keep a description; whether more than its help text is new."""
        if len(metadata.family) > MAX_NAME or len(metadata.unit) > MAX_UNIT:
            return False
        if cluster not in self._known and len(self._known) >= MAX_CLUSTERS:
            return False
        of_cluster = self._known.setdefault(cluster, {})
        known = of_cluster.get(metadata.family)
        if known == metadata or (known is not None and cluster is None):
            return False
        if known is None and len(of_cluster) >= MAX_OF_CLUSTER:
            return False
        of_cluster[metadata.family] = replace(metadata, help=metadata.help[:MAX_HELP])
        return known is None or (known.kind, known.unit) != (metadata.kind, metadata.unit)

    def forget(self, cluster: str) -> None:
        """The cluster has no series any more."""
        self._known.pop(cluster, None)

    def describe(self, cluster: str, metric: str) -> tuple[str, str | None, str | None]:
        """Kind, unit and help of a metric; its kind by its name where nothing was told."""
        names = (metric, *_family_names(metric))
        for key in [(whose, name) for whose in (cluster, None) for name in names]:
            family = self._known.get(key[0], {}).get(key[1])
            if family is not None and family.kind in KINDS:
                kind = KINDS[family.kind]
                # A histogram's and a summary's parts are counters, whatever the family is called.
                if kind in {"histogram", "summary"}:
                    kind = kind_by_name(metric)
                return kind, family.unit or None, family.help or None
        return kind_by_name(metric), None, None


def members(family: str) -> Iterable[str]:
    """The metrics that may be of a family."""
    return (family + suffix for suffix in ("", *PART_SUFFIXES))


def _family_names(metric: str) -> set[str]:
    return {metric, *(metric.removesuffix(suffix) for suffix in PART_SUFFIXES)}
