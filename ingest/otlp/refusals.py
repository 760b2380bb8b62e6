"""What of a request was not stored, counted, with the rules that it broke."""

from collections import Counter

from ingest.outcome import Refusal

MAX_RULES = 3
"""Shown to the sender; more of them would tell it nothing new."""


REASON = "otlp"
"""Under which they are counted in `/metrics`: the receiver never saw them."""


class Refusals:
    """Counts what is refused; the sender is told the number and the first few rules.

    Attributes:
        count: data points or records refused.
        by_cluster: the same by cluster and reason.
    """

    def __init__(self) -> None:
        self.count = 0
        self.by_cluster: Counter[tuple[str, str]] = Counter()
        self._rules: dict[str, None] = {}

    def add(self, rule: str, cluster: str, count: int = 1, reason: str = REASON) -> None:
        """Refuse `count` data points or records of a cluster ("" if it is not known)."""
        self.count += count
        if count:
            self.by_cluster[cluster, reason] += count
        if count and len(self._rules) < MAX_RULES:
            self._rules[rule] = None

    def message(self, more: Refusal | None = None) -> str:
        """The rules broken, `more` being what the receiver refused; empty if none was."""
        rules = list(self._rules)
        if more is not None:
            rules.append(more.message)
        return "; ".join(rules)
