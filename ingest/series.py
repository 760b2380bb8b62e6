"""Identity of a series: its canonical labels, its id, and the columns that name its entity."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import xxhash

from ingest.errors import ClusterMissingError, InvalidLabelsError

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")

# First label present wins. The right-hand sides are the names that kube-state-metrics, cAdvisor,
# Istio and the workload mixins use for the same thing.
ENTITY_LABELS: dict[str, tuple[str, ...]] = {
    "namespace": ("namespace", "destination_workload_namespace", "exported_namespace"),
    "workload": (
        "workload",
        "destination_workload",
        "deployment",
        "statefulset",
        "daemonset",
        "job_name",
    ),
    "pod": ("pod", "exported_pod"),
    "container": ("container", "exported_container"),
    "node": ("node", "exported_node"),
    "service": ("service", "destination_service_name", "exported_service"),
    "job": ("job",),
    "instance": ("instance",),
}

# Pod names carry their owner: <deployment>-<replicaset hash>-<5>, <statefulset>-<ordinal>,
# <daemonset>-<5>. Kubernetes draws hashes from this alphabet (no vowels), so names stay whole.
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_POD_OWNER = (
    re.compile(rf"(?P<owner>.+)-{_SAFE}{{6,10}}-{_SAFE}{{5}}\Z"),
    re.compile(r"(?P<owner>.+)-\d{1,4}\Z"),
    re.compile(rf"(?P<owner>.+)-{_SAFE}{{5}}\Z"),
)

_COUNTER_SUFFIXES = ("_total", "_count", "_sum", "_bucket")


@dataclass(frozen=True, slots=True)
class Series:
    """One series: who it is and what it is about. `labels` are sorted and hold `__name__`."""

    cluster: str
    metric: str
    series_id: int
    labels: tuple[tuple[str, str], ...]
    entity: Mapping[str, str]

    def __str__(self) -> str:
        inner = ", ".join(f'{k}="{v}"' for k, v in self.labels if k != "__name__")
        return f"{self.metric}{{{inner}}}"


def identify(pairs: Iterable[tuple[str, str]], default_cluster: str | None = None) -> Series:
    """The series that a set of labels names.

    Labels with an empty value are the same as absent ones, as in Prometheus. `cluster` is part of
    the identity: where no label gives it, `default_cluster` does.

    >>> identify([("__name__", "up"), ("job", "node"), ("cluster", "eu-1")]).metric
    'up'
    >>> a = identify([("cluster", "c"), ("__name__", "up")])
    >>> b = identify([("__name__", "up")], default_cluster="c")
    >>> a.series_id == b.series_id
    True

    Raises:
        InvalidLabelsError: no metric name, a malformed or repeated label name.
        ClusterMissingError: no cluster.
    """
    labels: dict[str, str] = {}
    for name, value in pairs:
        if name in labels:
            raise InvalidLabelsError(_show(labels), f"label {name!r} stands twice")
        if not LABEL_NAME.match(name):
            raise InvalidLabelsError(
                _show(labels), f"label name {name!r} is not [a-zA-Z_][a-zA-Z0-9_]*"
            )
        if value:
            labels[name] = value
    metric = labels.get("__name__")
    if metric is None:
        raise InvalidLabelsError(
            _show(labels), "label __name__ is missing: every series needs a metric name"
        )
    if not METRIC_NAME.match(metric):
        raise InvalidLabelsError(
            _show(labels), f"metric name {metric!r} is not [a-zA-Z_:][a-zA-Z0-9_:]*"
        )
    if "cluster" not in labels:
        if default_cluster is None:
            raise ClusterMissingError(f"series {_show(labels)}")
        labels["cluster"] = default_cluster
    canonical = tuple(sorted(labels.items()))
    return Series(
        cluster=labels["cluster"],
        metric=metric,
        series_id=series_id(canonical),
        labels=canonical,
        entity=entity_of(labels),
    )


def series_id(canonical: Iterable[tuple[str, str]]) -> int:
    """Signed 64-bit xxh3 of sorted labels. 0xff separates: it occurs in no UTF-8 text."""
    joined = b"\xff".join(part.encode() for pair in canonical for part in pair)
    unsigned = xxhash.xxh3_64_intdigest(joined)
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned


def entity_of(labels: Mapping[str, str]) -> dict[str, str]:
    """The entity columns that labels give; the workload is read off the pod's name if need be.

    >>> entity_of({"pod": "cart-7c9d8f6b54-x2v9k"})["workload"]
    'cart'
    >>> entity_of({"pod": "postgres-0"})["workload"]
    'postgres'
    """
    found = {}
    for column, names in ENTITY_LABELS.items():
        for name in names:
            if name in labels:
                found[column] = labels[name]
                break
    if "workload" not in found and "pod" in found:
        for pattern in _POD_OWNER:
            match = pattern.match(found["pod"])
            if match:
                found["workload"] = match["owner"]
                break
    return found


def kind_by_name(metric: str) -> str:
    """`counter` or `gauge` by Prometheus' naming rules, for metrics that came without metadata."""
    return "counter" if metric.endswith(_COUNTER_SUFFIXES) else "gauge"


def _show(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
