"""What a relabelling rule may say: the fields, defaults and refusals of `relabel_config`.

Expressions are matched by RE2, as in Prometheus: the same syntax, and time linear in the text, so
that no label from outside can make a rule hang. Python's `re` has neither.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias

import re2
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from ingest.label_name import LabelName
from ingest.series import LABEL_NAME

Action: TypeAlias = Literal[
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
]

MATCH_ALL: Final = "(.*)"
WHOLE_MATCH: Final = "$1"
SEPARATOR: Final = ";"

NAMES_REMEMBERED: Final = 10_000
"""Label names, over all rules, of which it is known how they match; about 2 MB."""

RULES_REMEMBERED: Final = 1_000
"""Expressions and templates that are kept as compiled; they come from settings only."""

_ON_NAMES = frozenset({"labeldrop", "labelkeep"})
_EQUAL = frozenset({"keepequal", "dropequal"})
_CASE = frozenset({"lowercase", "uppercase"})
_PLAIN_TARGET = _EQUAL | _CASE | {"hashmod"}

# A label name in which `$1`, `${1}` and `${name}` stand for parts of it.
_NAME_TEMPLATE = re.compile(r"(?:[a-zA-Z_]|\$\w|\$\{\w+\})(?:\w|\$\w|\$\{\w+\})*\Z", re.ASCII)
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,7})\Z")
_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))")

# One byte, which may be half a character: RE2 for C++ has it, Go's has not.
_ONE_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")

_QUIET = re2.Options()
_QUIET.log_errors = False

Groups: TypeAlias = tuple[str | None, ...]
"""What an expression matched: the whole, then each group; None = it took no part."""


class RelabelRule(BaseModel):
    """One rule.

    Names follow the data model that is stored: `[a-zA-Z_][a-zA-Z0-9_]*` (what Prometheus calls
    `metric_name_validation_scheme: legacy`).
    """

    # YAML reads `replacement: 1` as a number; Prometheus takes it as text.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    source_labels: tuple[LabelName, ...] = Field(
        (), description="labels whose values, joined, are looked at; an absent one is empty"
    )
    separator: str = Field(SEPARATOR, description="what stands between the joined values")
    regex: Annotated[str, BeforeValidator(lambda text: "" if text is None else text)] = Field(
        MATCH_ALL,
        description="RE2 expression that all of the value (for `labelmap`, `labeldrop` and "
        "`labelkeep`: of a label's name) has to match",
    )
    modulus: int = Field(0, ge=0, lt=1 << 64, description="for `hashmod`: number of values")
    target_label: str = Field(
        "", description="label that is written or compared; `replace` may use `$1` in it"
    )
    replacement: str = Field(
        WHOLE_MATCH,
        description="what is written; `$1`, `${1}`, `${name}` are groups of the match, `$$` is `$`",
    )
    action: Annotated[
        Action, BeforeValidator(lambda text: text.lower() if isinstance(text, str) else text)
    ] = Field("replace", description="what is done; see docs/relabelling.md")

    @model_validator(mode="after")
    def _check(self) -> "RelabelRule":
        _compile(self.regex)
        problem = next((rule for broken, rule in _refusals(self) if broken), None)
        if problem is not None:
            raise ValueError(f"action {self.action}: {problem}")
        return self

    def match(self, text: str) -> Groups | None:
        """The groups, if the expression matches all of the text."""
        return (text, text) if self.regex == MATCH_ALL else _match(self.regex, text)

    def match_name(self, name: str) -> Groups | None:
        """The same for the name of a label, remembered: they are few."""
        return _match_remembered(self.regex, name)

    def name(self, groups: Groups) -> str:
        """The label to write, of a match; it may be no valid name."""
        return _expand(self.target_label, self.regex, groups)

    def value(self, groups: Groups) -> str:
        """What to write, of a match."""
        return _expand(self.replacement, self.regex, groups)


def _refusals(rule: RelabelRule) -> Iterator[tuple[bool, str]]:
    """What Prometheus refuses when it loads a rule, in its order: (is it so, what is wrong)."""
    action, target = rule.action, rule.target_label
    named = bool(LABEL_NAME.match(target))
    not_a_name = f"target_label {target!r} is not [a-zA-Z_][a-zA-Z0-9_]*"
    yield action == "hashmod" and not rule.modulus, "modulus is not set"
    yield action in _PLAIN_TARGET | {"replace"} and not target, "target_label is not set"
    yield action == "replace" and not named and not _NAME_TEMPLATE.match(target), not_a_name
    yield action in _PLAIN_TARGET and not named, not_a_name
    yield action in _CASE and rule.replacement != WHOLE_MATCH, "takes no replacement"
    yield (
        action == "labelmap" and not _NAME_TEMPLATE.match(rule.replacement),
        f"replacement {rule.replacement!r} makes no label name",
    )
    shared = rule.modulus or rule.separator != SEPARATOR or rule.replacement != WHOLE_MATCH
    yield (
        action in _EQUAL and bool(shared or rule.regex != MATCH_ALL),
        "takes source_labels and target_label, and nothing else",
    )
    yield (
        action in _ON_NAMES and bool(shared or rule.source_labels or target),
        "takes regex, and nothing else",
    )


@lru_cache(maxsize=RULES_REMEMBERED)
def _compile(regex: str) -> Any:
    if _ONE_BYTE.search(regex):
        raise ValueError(r"regex has \C, which is not understood")
    try:
        # Alone first: `a)|(b` would be sound within the anchors, and undo them.
        re2.compile(regex, _QUIET)
        return re2.compile(f"^(?s:{regex})$", _QUIET)
    except re2.error as error:
        (reason,) = error.args
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"regex {regex!r} is not understood: {text}") from error


def _match(regex: str, text: str) -> Groups | None:
    # As bytes, which RE2 works on: its wrapper spends long on counting characters.
    found = _compile(regex).search(text.encode())
    if found is None:
        return None
    groups = (found[0], *found.groups())
    return tuple(None if group is None else group.decode() for group in groups)


_match_remembered = lru_cache(maxsize=NAMES_REMEMBERED)(_match)


@lru_cache(maxsize=RULES_REMEMBERED)
def _template(text: str, regex: str) -> tuple[str | int, ...]:
    """Take apart as Go's `Regexp.Expand` does: text, and the numbers of groups to put in.

    >>> _template("a${1}b$x_$$", "(.)(?P<x_>.)")
    ('a', 1, 'b', 2, '$')
    """
    names: Mapping[str, int] = _compile(regex).groupindex
    parts: list[str | int] = []
    end = 0
    for reference in _REFERENCE.finditer(text):
        parts.append(text[end : reference.start()])
        end = reference.end()
        name = reference["braced"] or reference["bare"]
        if name is None:
            parts.append("$")
        elif _NUMBER.match(name):
            parts.append(int(name))
        elif name in names:
            parts.append(names[name])
    parts.append(text[end:])
    return tuple(part for part in parts if part != "")


def _expand(template: str, regex: str, groups: Groups) -> str:
    """The text of a template; a group that took no part, or is not there, is nothing."""
    return "".join(
        part if isinstance(part, str) else (groups[part] or "")
        for part in _template(template, regex)
        if isinstance(part, str) or part < len(groups)
    )
