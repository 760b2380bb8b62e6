"""From resource, scope and attributes to labels.

Of two that become the same label the more special counts: attributes of the data point, then those
of the resource; what names the sender (`job`, `instance`, `otel_scope_…`) is never overwritten.
"""

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue

from ingest.errors import UnsupportedSampleError
from ingest.otlp.limits import NO_LIMITS, Limits
from ingest.otlp.names import label_name
from ingest.otlp.values import text_of, texts

Labels = Mapping[str, str]

SERVICE, SERVICE_NAMESPACE = "service.name", "service.namespace"
INSTANCE = "service.instance.id"
IDENTIFYING = frozenset({SERVICE, SERVICE_NAMESPACE, INSTANCE})
"""Resource attributes that become `job` and `instance`."""

RENAMED = {"hpa": "horizontalpodautoscaler", "job": "job_name"}
"""Kinds whose label kube-state-metrics calls otherwise; `job` is the sender's."""

WITH_NAME = 2
"""Labels beside those already there: the next one, and `__name__`."""

_PREFIX, _SUFFIX = "k8s.", ".name"


def promoted(attribute: str) -> str | None:
    """The label that a resource attribute gives to every series: `k8s.<kind>.name` is `<kind>`.

    These are the labels that kube-state-metrics and the entity columns (`ingest.series`) have.

    >>> [promoted(name) for name in ("k8s.cluster.name", "k8s.pod.name", "k8s.job.name")]
    ['cluster', 'pod', 'job_name']
    >>> promoted("k8s.pod.uid"), promoted("host.name")
    (None, None)
    """
    if not (attribute.startswith(_PREFIX) and attribute.endswith(_SUFFIX)):
        return None
    kind = attribute[len(_PREFIX) : -len(_SUFFIX)]
    if not (kind.isascii() and kind.isalpha()):
        return None
    return RENAMED.get(kind, kind)


def of_attributes(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Labels of a data point; names that collide get both values, in the order of the names.

    Raises:
        UnsupportedSampleError: an attribute whose name gives no label.
    """
    found: dict[str, str] = {}
    pairs = [(one.key, text_of(one.value)) for one in attributes]
    for key, text in sorted(pairs, key=lambda pair: pair[0]):
        name = label_name(key)
        found[name] = f"{found[name]};{text}" if name in found else text
    return found


def of_resource(attributes: Labels) -> tuple[dict[str, str], dict[str, str]]:
    """What a resource gives to its series: labels that yield to the point's, and that do not."""
    weak = {}
    for name, text in attributes.items():
        label = promoted(name)
        if label is not None:
            weak[label] = text
    strong = {}
    if attributes.get(SERVICE):
        namespace = attributes.get(SERVICE_NAMESPACE)
        strong["job"] = f"{namespace}/{attributes[SERVICE]}" if namespace else attributes[SERVICE]
    if attributes.get(INSTANCE):
        strong["instance"] = attributes[INSTANCE]
    return weak, strong


def of_scope(scope: InstrumentationScope) -> dict[str, str]:
    """Labels of the instrumentation scope; one without a name has none."""
    if not scope.name:
        return {}
    found = {"otel_scope_name": scope.name, "otel_scope_version": scope.version}
    for name, text in texts(scope.attributes).items():
        found.setdefault(label_name(f"otel_scope_{name}"), text)
    return found


class SeriesLabels:
    """The labels of one scope's series; what its points have in common is made and checked once.

    Args:
        attributes: the resource's.
        scope: of the metrics.
        limits: what a series may have.

    Raises:
        UnsupportedSampleError: no series can have these labels.
    """

    def __init__(
        self, attributes: Labels, scope: InstrumentationScope, limits: Limits = NO_LIMITS
    ) -> None:
        limits.check_attributes(len(scope.attributes))
        for one in scope.attributes:
            limits.check_name(one.key)
        self._limits = limits
        weak, strong = of_resource(attributes)
        strong = of_scope(scope) | strong
        self._weak, self._strong = (
            {name: text for name, text in of.items() if text} for of in (weak, strong)
        )
        both = self._weak | self._strong
        limits.check_attributes(len(both))
        _check(both, limits)

    def of(self, attributes: Sequence[KeyValue]) -> dict[str, str]:
        """Labels of a data point, `__name__` not among them.

        Raises:
            UnsupportedSampleError: an attribute whose name gives no label, or what is too much.
        """
        self._limits.check_attributes(len(attributes))
        for one in attributes:
            self._limits.check_name(one.key)
        own = of_attributes(attributes)
        _check(own, self._limits)
        found = self._weak | own | self._strong
        found.pop("__name__", None)
        return {name: text for name, text in found.items() if text}


def _check(labels: Labels, limits: Limits) -> None:
    for name, text in labels.items():
        limits.check_name(name)
        limits.check_value(name, text)


def target_info(attributes: Labels, limits: Limits = NO_LIMITS) -> dict[str, str] | None:
    """Labels of `target_info`: what is known of the sender and is not on its series.

    None where nothing else is known, or nothing would join it to its series. What a label cannot
    hold is left out (a Java process' command line), and what is too much.
    """
    weak, strong = of_resource(attributes)
    joins = {name: text for name, text in (weak | strong).items() if text}
    rest: dict[str, str] = {}
    for name in sorted(attributes):
        if name in IDENTIFYING or promoted(name) is not None or not attributes[name]:
            continue
        try:
            limits.check_name(name)
            label = label_name(name)
            text = f"{rest[label]};{attributes[name]}" if label in rest else attributes[name]
            limits.check_value(label, text)
            limits.check_attributes(len(rest) + len(joins) + WITH_NAME)
        except UnsupportedSampleError:
            continue  # It is about the sender only, and no reason to refuse its data.
        rest[label] = text
    if not rest or not joins.keys() - {"cluster"}:
        return None
    rest.pop("__name__", None)
    return rest | joins
