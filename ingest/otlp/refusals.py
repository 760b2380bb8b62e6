"""What of a request was not stored, counted, with the rules that it broke."""

from collections import Counter

from ingest.errors import (
    BadRequestError,
    ClusterForbiddenError,
    ClusterMissingError,
    InvalidEventError,
    UnsupportedSampleError,
)
from ingest.outcome import Refusal

MAX_RULES = 3
"""Shown to the sender; more of them would tell it nothing new."""


REASON = "otlp"
"""Under which they are counted in `/metrics`: the receiver never saw them."""

UNNAMED = "its resource (`OTEL_RESOURCE_ATTRIBUTES=k8s.cluster.name=…` names one)"
"""What names no cluster, with what its sender can do about it."""

LONGEST_RULE = 1_000
"""Characters that a sender is told of a rule."""

LONGEST_CLUSTER = 256
"""Characters; longer names are not kept as keys of counters."""


class Refusals:
    """Counts what is refused; the sender is told the number and the first few rules.

    Attributes:
        count: data points or records refused.
        by_cluster: the same by cluster and reason.
        cause: the first of them that is about a cluster: where nothing is stored, the answer.
    """

    def __init__(self) -> None:
        self.count = 0
        self.by_cluster: Counter[tuple[str, str]] = Counter()
        self.cause: ClusterMissingError | ClusterForbiddenError | None = None
        self._rules: dict[str, None] = {}

    def add(self, rule: str, cluster: str, count: int = 1, reason: str = REASON) -> None:
        """Refuse `count` data points or records of a cluster ("" if it is not known)."""
        self.count += count
        if count:
            self.by_cluster[cluster[:LONGEST_CLUSTER], reason] += count
        if count and len(self._rules) < MAX_RULES:
            self._rules[rule[:LONGEST_RULE]] = None

    def refuse(self, about: str, error: BadRequestError, cluster: str, count: int = 1) -> None:
        """Refuse by the rule of an error; `about` says what broke it."""
        if isinstance(error, ClusterMissingError | ClusterForbiddenError) and self.cause is None:
            self.cause = error
        general = isinstance(error, UnsupportedSampleError | InvalidEventError)
        self.add(f"{about}: {error}", cluster, count, REASON if general else error.reason)

    def message(self, more: Refusal | None = None) -> str:
        """The rules broken, `more` being what the receiver refused; empty if none was."""
        rules = list(self._rules)
        if more is not None:
            rules.append(more.message)
        return "; ".join(rules)
