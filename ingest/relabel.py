"""Relabelling: rules that drop series and rewrite their labels, as Prometheus' `relabel_config`.

Rules see every label, `__name__` and `cluster` too, and run in order, each on what the one before
left. They are asked once per new series, so clarity wins over speed (about 5 µs a rule).
`ingest/relabel_rule.py` has what a rule may say.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from ingest.relabel_rule import RelabelRule
from ingest.series import LABEL_NAME


class _Labels:
    """Labels while rules change them, in the order that `labelmap` goes through them.

    First those that came, by name, then those that were written, the newest last: it decides
    which wins when several are mapped to one name.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._came = {name: labels[name] for name in sorted(labels) if labels[name]}
        self._written: dict[str, str] = {}

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([*self._came.items(), *self._written.items()])

    def get(self, name: str) -> str:
        return self._written.get(name) or self._came.get(name, "")

    def set(self, name: str, value: str) -> None:
        """An empty value is no label."""
        self._came.pop(name, None)
        if value:
            self._written[name] = value
        else:
            self._written.pop(name, None)

    def done(self) -> dict[str, str]:
        return dict(sorted(self))


def apply(rules: Sequence[RelabelRule], labels: Mapping[str, str]) -> dict[str, str] | None:
    """The labels that the rules make of these; None = the series is dropped.

    What comes out need not name a series: a rule may take `__name__` or `cluster` away.

    >>> rule = RelabelRule(source_labels=("pod",), regex="(.+)-[0-9]+", target_label="app")
    >>> apply([rule], {"__name__": "up", "pod": "db-0"})
    {'__name__': 'up', 'app': 'db', 'pod': 'db-0'}
    >>> apply([RelabelRule(action="drop", source_labels=("pod",), regex="db-.*")], {"pod": "db-0"})
    """
    current = _Labels(labels)
    for rule in rules:
        value = rule.separator.join(map(current.get, rule.source_labels))
        if not _ACTIONS[rule.action](rule, value, current):
            return None
    return current.done()


def _replace(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    groups = rule.match(value)
    if groups is not None:
        target = rule.name(groups)
        if LABEL_NAME.match(target):
            labels.set(target, rule.value(groups))
    return True


def _keep(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    return rule.match(value) is not None


def _drop(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    return rule.match(value) is None


def _keep_equal(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    return labels.get(rule.target_label) == value


def _drop_equal(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    return labels.get(rule.target_label) != value


def _hash_mod(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    digest = hashlib.md5(value.encode(), usedforsecurity=False).digest()
    labels.set(rule.target_label, str(int.from_bytes(digest[8:]) % rule.modulus))
    return True


def _label_map(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    for name, its_value in labels:
        groups = rule.match_name(name)
        if groups is not None:
            target = rule.value(groups)
            # Prometheus sets whatever comes out; here it would refuse the sender's request.
            if LABEL_NAME.match(target):
                labels.set(target, its_value)
    return True


def _label_drop(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    for name, _ in labels:
        if rule.match_name(name) is not None:
            labels.set(name, "")
    return True


def _label_keep(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    for name, _ in labels:
        if rule.match_name(name) is None:
            labels.set(name, "")
    return True


def _lower(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    # Go goes by character: one stays one ('İ' gives 'i', a last 'Σ' is no other).
    labels.set(rule.target_label, "".join(character.lower()[0] for character in value))
    return True


def _upper(rule: RelabelRule, value: str, labels: _Labels) -> bool:
    labels.set(rule.target_label, "".join(map(_upper_character, value)))
    return True


def _upper_character(character: str) -> str:
    # 'ß' has no capital that is one character, and stays; the title form of 'ᾳ' is its capital.
    forms = (character.upper(), character.title(), character)
    return next(form for form in forms if len(form) == 1)


_ACTIONS: Mapping[str, Callable[[RelabelRule, str, _Labels], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hash_mod,
    "labelmap": _label_map,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
    "lowercase": _lower,
    "uppercase": _upper,
}
"""Each changes the labels, and says whether the series is kept."""
