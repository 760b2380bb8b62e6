"""Which family a metric belongs to: one look into a dictionary, after the first time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detectors.families.family import Family

PLAIN = re.compile(r"[A-Za-z0-9_:]+")
"""A name in which no character means anything else to a regular expression."""

MOST_KEPT = 100_000
"""Names whose candidates are kept; a fleet has thousands."""

Candidates = tuple[Family, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Override:
    """What somebody says of metrics, instead of what their families do.

    Attributes:
        metrics: regular expression of whole names.
        labels: as of `Family`.
        changes: fields of `Family` to other values; the others stay.
    """

    metrics: str
    labels: tuple[tuple[str, str], ...]
    changes: Mapping[str, Any]

    def of(self, family: Family) -> Family:
        """The family as changed."""
        return replace(
            family,
            name=f"{family.name} (settings)",
            labels=self.labels + family.labels,
            **self.changes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Families in order; of those that match a series, the first counts.

    The last has to match every metric without conditions on labels, so that each has a family.
    Of overrides, too, the first that matches counts.

    >>> rest = Family("rest", (".*",))
    >>> failed = Family("failed", ("requests_total",), (("code", "5.."),), direction="above")
    >>> lookup = Lookup((failed, rest))
    >>> lookup.of("requests_total", {"code": "503"}).name, lookup.of("requests_total", {}).name
    ('failed', 'rest')
    >>> lookup.labels
    ('code',)
    """

    families: Sequence[Family]
    overrides: Sequence[Override] = ()
    labels: tuple[str, ...] = field(init=False)
    _plain: dict[str, list[int]] = field(init=False)
    _patterns: list[tuple[int, re.Pattern[str]]] = field(init=False)
    _known: dict[str, Candidates] = field(init=False, default_factory=dict)
    _values: dict[tuple[str, str], bool] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        plain: dict[str, list[int]] = {}
        patterns = []
        for place, family in enumerate(self.families):
            for metric in family.metrics:
                if PLAIN.fullmatch(metric):
                    plain.setdefault(metric, []).append(place)
                else:
                    patterns.append((place, re.compile(metric)))
        object.__setattr__(self, "_plain", plain)
        object.__setattr__(self, "_patterns", patterns)
        conditions = [one.labels for one in self.families] + [one.labels for one in self.overrides]
        asked = {name for labels in conditions for name, _ in labels}
        object.__setattr__(self, "labels", tuple(sorted(asked)))

    def candidates(self, metric: str) -> Candidates:
        """The families that a metric's series may belong to, in order; the last takes all."""
        known = self._known.get(metric)
        if known is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            known = self._known[metric] = self._overridden(metric, self._find(metric))
        return known

    def _overridden(self, metric: str, found: Candidates) -> Candidates:
        out: list[Family] = []
        for override in self.overrides:
            if re.fullmatch(override.metrics, metric):
                out += map(override.of, found)
                if not override.labels:
                    return tuple(out)
        return (*out, *found)

    def _find(self, metric: str) -> Candidates:
        places = set(self._plain.get(metric, ()))
        places.update(place for place, each in self._patterns if each.fullmatch(metric))
        found: list[Family] = []
        for place in sorted(places):
            found.append(self.families[place])
            if not self.families[place].labels:
                break
        return tuple(found)

    def of(self, metric: str, labels: Mapping[str, str | None]) -> Family:
        """The family of a series. Of its labels, those in `self.labels` are looked at."""
        for family in self.candidates(metric):
            if not family.labels or self._matches(family, labels):
                return family
        raise AssertionError(f"no family takes {metric!r}")  # bug: the last family takes all

    def _matches(self, family: Family, labels: Mapping[str, str | None]) -> bool:
        return all(self._value(each, labels.get(name) or "") for name, each in family.labels)

    def _value(self, pattern: str, value: str) -> bool:
        key = pattern, value
        found = self._values.get(key)
        if found is None:
            if len(self._values) >= MOST_KEPT:
                self._values.clear()
            found = self._values[key] = re.fullmatch(pattern, value) is not None
        return found

    def ignored(self, metrics: Iterable[str]) -> list[str]:
        """Of these metrics, those no series of which is scored."""
        return [
            metric
            for metric in metrics
            if not any(family.scored for family in self.candidates(metric))
        ]

    def labelled(self, metrics: Iterable[str]) -> list[str]:
        """Of these metrics, those whose family depends on labels."""
        return [metric for metric in metrics if self.candidates(metric)[0].labels]
