"""Identity of a series: its canonical labels, its id, and the columns that name its entity."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import xxhash

from ingest.entities import entity_of
from ingest.errors import ClusterMissingError, InvalidLabelsError

SEPARATOR = b"\xff"
"""Between the texts of canonical labels: it occurs in no UTF-8."""

_SEPARATOR_TEXT = SEPARATOR.decode("utf-8", "surrogateescape")

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")

_COUNTER_SUFFIXES = ("_total", "_count", "_sum", "_bucket")


@dataclass(frozen=True, slots=True)
class Series:
    """One series: who it is and what it is about. `labels` are sorted and hold `__name__`."""

    cluster: str
    metric: str
    series_id: int
    labels: tuple[tuple[str, str], ...]

    @property
    def canonical(self) -> bytes:
        """Its labels as `ingest.naming` writes them."""
        return b"".join(part.encode() + SEPARATOR for pair in self.labels for part in pair)

    @property
    def entity(self) -> dict[str, str]:
        """What it is about: the entity columns that its labels give."""
        return entity_of(dict(self.labels))

    def __str__(self) -> str:
        return shown(self.labels)


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
    )


def shown(labels: Iterable[tuple[str, str]]) -> str:
    """A series as a person would write it.

    >>> shown([("__name__", "up"), ("job", "node")])
    'up{job="node"}'
    """
    pairs = dict(labels)
    metric = pairs.pop("__name__", "")
    return metric + "{" + ", ".join(f'{name}="{text}"' for name, text in pairs.items()) + "}"


def pairs_of(canonical: bytes) -> Iterator[tuple[str, str]]:
    """The labels that canonical bytes hold."""
    texts = iter(canonical[:-1].decode("utf-8", "surrogateescape").split(_SEPARATOR_TEXT))
    return zip(texts, texts, strict=True)


def series_id(canonical: Iterable[tuple[str, str]]) -> int:
    """Signed 64-bit xxh3 of sorted labels with separators between."""
    return id_of(b"".join(part.encode() + SEPARATOR for pair in canonical for part in pair))


def id_of(canonical: bytes) -> int:
    """The same of labels in canonical bytes, whose last separator does not count."""
    unsigned = xxhash.xxh3_64_intdigest(memoryview(canonical)[:-1])
    return unsigned - (1 << 64) if unsigned >> 63 else unsigned


def kind_by_name(metric: str) -> str:
    """`counter` or `gauge` by Prometheus' naming rules, for metrics that came without metadata."""
    return "counter" if metric.endswith(_COUNTER_SUFFIXES) else "gauge"


def _show(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}"
