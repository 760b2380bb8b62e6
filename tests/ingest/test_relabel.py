"""Relabelling is Prometheus', action by action, and refuses the rules that Prometheus refuses."""

import hashlib
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ingest.relabel import apply
from ingest.relabel_rule import RelabelRule
from tests.patience import SOON

RULES = TypeAdapter(tuple[RelabelRule, ...])
ABC = {"a": "foo", "b": "bar", "c": "baz"}
DROPPED = None


def rules(text):
    """Rules as an operator writes them."""
    return RULES.validate_python(yaml.safe_load(text))


def one(**fields):
    return (RelabelRule(**fields),)


# What goes in, the rules, what of it changes (None = dropped).
CASES = {
    "replace adds a label": (
        ABC,
        "[{source_labels: [a], regex: f(.*), target_label: d, replacement: 'ch${1}-ch${1}'}]",
        {"d": "choo-choo"},
    ),
    "each rule sees what the one before left": (
        ABC,
        """
        - {source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}
        - {source_labels: [c, a], regex: '(b).*b(.*)ba(.*)', target_label: d,
           replacement: $1$2$2$3}
        """,
        {"a": "boobam", "d": "boooom"},
    ),
    "what is dropped is not looked at again": (
        {"a": "foo"},
        """
        - {source_labels: [a], regex: .*o.*, action: drop}
        - {source_labels: [a], regex: f(.*), target_label: d, replacement: ch$1-ch$1}
        """,
        DROPPED,
    ),
    "drop on a match": (ABC, "[{source_labels: [a], regex: .*o.*, action: drop}]", DROPPED),
    "drop without one": (ABC, "[{source_labels: [a], regex: no-match, action: drop}]", {}),
    "the whole value has to match": (ABC, "[{source_labels: [a], regex: f|o, action: drop}]", {}),
    "an alternative that is the whole": (
        ABC,
        "[{source_labels: [a], regex: x|foo, action: drop}]",
        DROPPED,
    ),
    "keep without a match": (ABC, "[{source_labels: [a], regex: none, action: keep}]", DROPPED),
    "keep on a match": (ABC, "[{source_labels: [a], regex: f.*, action: keep}]", {}),
    "keep by an absent label": (ABC, "[{source_labels: [z], regex: .+, action: keep}]", DROPPED),
    "an absent label is empty": (ABC, "[{source_labels: [z], regex: '', action: drop}]", DROPPED),
    "an empty expression in YAML": (ABC, "[{source_labels: [z], regex: , action: drop}]", DROPPED),
    "keep without sources": (ABC, "[{action: keep}]", {}),
    "drop without sources drops all": (ABC, "[{action: drop}]", DROPPED),
    "a group inside": (
        {"a": "abc"},
        "[{source_labels: [a], regex: .*(b).*, target_label: d, replacement: $1}]",
        {"d": "b"},
    ),
    "no match, no replacement": (
        {"a": "boo"},
        "[{source_labels: [a], regex: f, target_label: b, replacement: bar}]",
        {},
    ),
    "hashmod": (
        ABC,
        "[{source_labels: [c], target_label: d, modulus: 1000, action: hashmod}]",
        {"d": "976"},
    ),
    "hashmod of two lines": (
        {"a": "foo\nbar"},
        "[{source_labels: [a], target_label: b, modulus: 1000, action: hashmod}]",
        {"b": "734"},
    ),
    "labelmap copies": (
        {"a": "foo", "b1": "bar", "b2": "baz"},
        "[{regex: (b.*), replacement: 'bar_${1}', action: labelmap}]",
        {"bar_b1": "bar", "bar_b2": "baz"},
    ),
    "labelmap takes a prefix off": (
        {"a": "foo", "__meta_my_bar": "aaa", "__meta_my_baz": "bbb", "__meta_other": "ccc"},
        "[{regex: __meta_(my.*), action: labelmap}]",
        {"my_bar": "aaa", "my_baz": "bbb"},
    ),
    "labelmap onto a label that is there": (
        {"a": "old", "x_a": "new"},
        "[{regex: x_(.+), action: labelmap}]",
        {"a": "new"},
    ),
    "labelmap of two onto one: the later name wins": (
        {"a_x": "1", "b_x": "2"},
        "[{regex: '._(x)', action: labelmap}]",
        {"x": "2"},
    ),
    "labelmap of two onto one: what was written wins over what came": (
        {"b_x": "2"},
        """
        - {target_label: a_x, replacement: '1'}
        - {regex: '._(x)', action: labelmap}
        """,
        {"a_x": "1", "x": "1"},
    ),
    "labelmap does not map what it made": (
        {"x_x_a": "1"},
        "[{regex: x_(.+), action: labelmap}]",
        {"x_a": "1"},
    ),
    "labelmap to what is no name": (
        {"x_1": "a", "x_y": "b"},
        "[{regex: x_(.+), action: labelmap}]",
        {"y": "b"},
    ),
    "a target from the value": (
        {"a": "some-name-value"},
        "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', replacement: '${2}', "
        "target_label: '${1}'}]",
        {"name": "value"},
    ),
    "a group that is not there is nothing": (
        {"a": "some-name-value"},
        "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', replacement: '${3}', "
        "target_label: '${1}'}]",
        {},
    ),
    "a target that is no name is skipped": (
        {"a": "some-name-0"},
        """
        - {source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${3}'}
        - {source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${2}'}
        - {source_labels: [a], regex: 'some-([^-]+)(-[^,]+)', target_label: '${2}'}
        """,
        {},
    ),
    "tags of a discovery": (
        {"tags": "path:/secret,job:some-job,label:foo=bar"},
        """
        - {source_labels: [tags], regex: '(?:.+,|^)path:(/[^,]+).*', target_label: __path__}
        - {source_labels: [tags], regex: '(?:.+,|^)job:([^,]+).*', target_label: job}
        - {source_labels: [tags], regex: '(?:.+,|^)label:([^=]+)=([^,]+).*',
           replacement: '${2}', target_label: '${1}'}
        """,
        {"__path__": "/secret", "job": "some-job", "foo": "bar"},
    ),
    "a label dropped, then written (prometheus#12283)": (
        {"port_name": "foo", "port": "9091"},
        """
        - {regex: ^port_name$, action: labeldrop}
        - {source_labels: [port], regex: (.+), replacement: metrics, target_label: port_name}
        - {source_labels: [port_name], regex: ^metrics$, action: keep}
        """,
        {"port_name": "metrics"},
    ),
    "labelkeep": (
        {"a": "foo", "b1": "bar", "b2": "baz"},
        "[{regex: (b.*), action: labelkeep}]",
        {"a": ""},
    ),
    "labeldrop": (
        {"a": "foo", "b1": "bar", "b2": "baz"},
        "[{regex: (b.*), action: labeldrop}]",
        {"b1": "", "b2": ""},
    ),
    "case": (
        {"foo": "bAr123Foo"},
        """
        - {source_labels: [foo], action: uppercase, target_label: upper}
        - {source_labels: [foo], action: lowercase, target_label: lower}
        """,
        {"lower": "bar123foo", "upper": "BAR123FOO"},
    ),
    "case as Go has it, one character for one": (
        {"foo": "İΑΣ ßᾳé"},
        """
        - {source_labels: [foo], action: uppercase, target_label: upper}
        - {source_labels: [foo], action: lowercase, target_label: lower}
        """,
        {"lower": "iασ ßᾳé", "upper": "İΑΣ ßᾼÉ"},
    ),
    "case of nothing removes": ({"b": "x"}, "[{action: lowercase, target_label: b}]", {"b": ""}),
    "keepequal, equal": (
        {"p": "1", "q": "1"},
        "[{source_labels: [p], action: keepequal, target_label: q}]",
        {},
    ),
    "keepequal, not": (
        {"p": "1", "q": "2"},
        "[{source_labels: [p], action: keepequal, target_label: q}]",
        DROPPED,
    ),
    "dropequal, equal": (
        {"p": "1", "q": "1"},
        "[{source_labels: [p], action: dropequal, target_label: q}]",
        DROPPED,
    ),
    "dropequal, not": (
        {"p": "1", "q": "2"},
        "[{source_labels: [p], action: dropequal, target_label: q}]",
        {},
    ),
    "two that are absent are equal": (
        ABC,
        "[{source_labels: [y], action: dropequal, target_label: z}]",
        DROPPED,
    ),
    "a dot is any character, a line end too": (
        {"a": "line1\nline2"},
        "[{source_labels: [a], regex: line1.*line2, target_label: d, replacement: 'match${1}'}]",
        {"d": "match"},
    ),
    "groups by name": (
        {"a": "line1\nline2"},
        """
        - {source_labels: [a], regex: '(line1).*(?<second>line2)', target_label: 'x_${1}',
           replacement: 'val_${second}'}
        - {source_labels: [a], regex: '(line1).*(?P<second>line2)', target_label: y_$1,
           replacement: val_$second}
        """,
        {"x_line1": "val_line2", "y_line1": "val_line2"},
    ),
    "a name goes as far as it can": (
        ABC,
        "[{source_labels: [a], target_label: d, replacement: 'x$1y$1-$1_'}]",
        {"d": "xfoo-"},
    ),
    "dollars": (
        ABC,
        "[{source_labels: [a], target_label: d, replacement: '$$1 $ ${ ${} ${1 $-$1 $01 ${0}'}]",
        {"d": "$1 $ ${ ${} ${1 $-foo  foo"},
    ),
    "a constant": ({"a": "x"}, "[{target_label: b, replacement: eu-1}]", {"b": "eu-1"}),
    "a constant over a label": ({"a": "x"}, "[{target_label: a, replacement: y}]", {"a": "y"}),
    "an empty constant removes": (ABC, "[{target_label: a, replacement: ''}]", {"a": ""}),
    "a copy of an absent label removes": (
        ABC,
        "[{source_labels: [z], target_label: a}]",
        {"a": ""},
    ),
    "a number is text": ({"a": "5"}, "[{source_labels: [a], regex: 5, action: drop}]", DROPPED),
    "another separator": (
        ABC,
        "[{source_labels: [a, b], separator: '/', target_label: job}]",
        {"job": "foo/bar"},
    ),
    "no separator": (
        ABC,
        "[{source_labels: [a, b], separator: '', target_label: job}]",
        {"job": "foobar"},
    ),
    "absent ones leave their separators": (
        ABC,
        "[{source_labels: [z, a, y], target_label: job}]",
        {"job": ";foo;"},
    ),
    "an address and a port": (
        {"address": "10.0.0.1:80", "port": "9090"},
        r"[{source_labels: [address, port], regex: '(.+?)(\:\d+)?;(\d+)', target_label: address, "
        "replacement: '$1:$3'}]",
        {"address": "10.0.0.1:9090"},
    ),
    "a group that took no part is nothing": (
        {"address": "host;9090"},
        r"[{source_labels: [address], regex: '(.+?)(\:\d+)?;(\d+)', target_label: d, "
        "replacement: '<$2>'}]",
        {"d": "<>"},
    ),
    "the metric's name": (
        {"__name__": "http_requests_total"},
        "[{source_labels: [__name__], regex: '.*_total$', target_label: type, "
        "replacement: counter}]",
        {"type": "counter"},
    ),
    "the name can be rewritten": (
        {"__name__": "old_x", "cluster": "c"},
        "[{source_labels: [__name__, cluster], regex: 'old_(.*);c', target_label: __name__, "
        "replacement: 'new_$1'}]",
        {"__name__": "new_x"},
    ),
    "classes that Python does not know": (
        {"a": "abé"},
        r"[{source_labels: [a], regex: '[[:lower:]]+\pL\z', action: drop}]",
        DROPPED,
    ),
    r"\d, \w and \s are of ASCII": (
        {"a": "٣é"},
        r"[{source_labels: [a], regex: '(\d|\w|\s)*', action: drop}]",
        {},
    ),
    "$ is the very end": ({"a": "x\n"}, "[{source_labels: [a], regex: x, action: drop}]", {}),
    "characters, not bytes": (
        {"a": "zürich-é"},
        "[{source_labels: [a], regex: '(.{6})-(.)', target_label: b, replacement: '$2$1'}]",
        {"b": "ézürich"},
    ),
    "actions in capitals": (ABC, "[{source_labels: [a], regex: foo, action: Drop}]", DROPPED),
    "no rules": (ABC, "[]", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    labels, text, changes = CASES[name]
    before = dict(labels)
    got = apply(rules(text), labels)
    assert labels == before, "what came is not changed"
    if changes is DROPPED:
        assert got is None
    else:
        assert got == {k: v for k, v in {**labels, **changes}.items() if v}
        assert list(got) == sorted(got)


REFUSED = {
    "replace without a target": {},
    "replace to what is no name": {"target_label": "a-b"},
    "replace to a number": {"target_label": "0${3}"},
    "replace to a minus": {"target_label": "-${3}"},
    "replace to a name in UTF-8": {"target_label": "utf-8.label"},
    "hashmod without modulus": {"action": "hashmod", "target_label": "a"},
    "hashmod without a target": {"action": "hashmod", "modulus": 2},
    "hashmod to a template": {"action": "hashmod", "modulus": 2, "target_label": "$1"},
    "a modulus below zero": {"action": "hashmod", "modulus": -1, "target_label": "a"},
    "a modulus of 65 bits": {"action": "hashmod", "modulus": 1 << 64, "target_label": "a"},
    "lowercase without a target": {"action": "lowercase"},
    "lowercase to a template": {"action": "lowercase", "target_label": "${3}"},
    "uppercase with a replacement": {
        "action": "uppercase",
        "target_label": "a",
        "replacement": "x",
    },
    "labelmap to no name": {"action": "labelmap", "replacement": "-$1"},
    "labelmap to nothing": {"action": "labelmap", "replacement": ""},
    "labeldrop with sources": {"action": "labeldrop", "source_labels": ["a"]},
    "labeldrop with a target": {"action": "labeldrop", "target_label": "a"},
    "labelkeep with a separator": {"action": "labelkeep", "separator": ","},
    "labelkeep with a modulus": {"action": "labelkeep", "modulus": 1},
    "labelkeep with a replacement": {"action": "labelkeep", "replacement": "x"},
    "keepequal without a target": {"action": "keepequal", "source_labels": ["a"]},
    "keepequal with a regex": {"action": "keepequal", "target_label": "a", "regex": "x"},
    "dropequal with a separator": {"action": "dropequal", "target_label": "a", "separator": ","},
    "dropequal with a modulus": {"action": "dropequal", "target_label": "a", "modulus": 2},
    "dropequal with a replacement": {
        "action": "dropequal",
        "target_label": "a",
        "replacement": "x",
    },
    "an unknown action": {"action": "rename", "target_label": "a"},
    "an empty action": {"action": "", "target_label": "a"},
    "an unknown field": {"target_label": "a", "sources": ["b"]},
    "a source that is no name": {"target_label": "a", "source_labels": ["a-b"]},
    "an open bracket": {"target_label": "a", "regex": "("},
    "a closing one": {"target_label": "a", "regex": "a)|(b"},
    "two stars": {"target_label": "a", "regex": "a**"},
    "look-ahead": {"target_label": "a", "regex": "a(?=b)"},
    "look-behind": {"target_label": "a", "regex": "(?<!a)b"},
    "a back reference": {"target_label": "a", "regex": r"(a)\1"},
    "a possessive": {"target_label": "a", "regex": "a*+"},
    "an atomic group": {"target_label": "a", "regex": "(?>a)"},
    "half a character": {"target_label": "a", "regex": r"\C"},
    "too many repeats": {"target_label": "a", "regex": "a{1001}"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_at_load(name):
    with pytest.raises(ValidationError):
        RelabelRule(**REFUSED[name])


@pytest.mark.parametrize(
    ("template", "valid"),
    [
        ("-label", False),
        ("label", True),
        ("label${1}", True),
        ("${1}label", True),
        ("${1}", True),
        ("${", False),
        ("$", False),
        ("${}", False),
        ("foo${", False),
        ("$1", True),
        ("asd$2asd", True),
        ("-foo${1}bar-", False),
        ("bar.foo${1}bar", False),
        ("_${1}_", True),
        ("foo${bar}foo", True),
        ("1$1", False),
        ("a\n", False),
    ],
)
def test_templates_of_names(template, valid):
    fields = {"action": "labelmap", "replacement": template}
    if valid:
        assert RelabelRule(**fields).replacement == template
    else:
        with pytest.raises(ValidationError, match="makes no label name"):
            RelabelRule(**fields)


def test_rules_are_values():
    text = "[{source_labels: [a], regex: 'x(.*)', target_label: b}]"
    assert rules(text) == rules(text)
    assert len({*rules(text), *rules(text)}) == 1
    dumped = [rule.model_dump(mode="json") for rule in rules(text)]
    assert RULES.validate_python(dumped) == rules(text)
    with pytest.raises(ValidationError):
        rules(text)[0].regex = "y"


def test_a_pod_in_its_whole_way():
    """The rules that Prometheus' documentation has for pods, each kind once."""
    text = """
    - {source_labels: [port_name], regex: .*-metrics, action: keep}
    - {source_labels: [label_name], regex: "", action: drop}
    - {source_labels: [phase], regex: Succeeded|Failed, action: drop}
    - {source_labels: [scheme], target_label: __scheme__, regex: "(https?)", action: replace}
    - {regex: label_(.+), action: labelmap}
    - {source_labels: [namespace, label_name], separator: /, target_label: job}
    - {source_labels: [pod, container, port_name], separator: ':', target_label: instance}
    - {target_label: cluster, replacement: dev-us-central-0}
    - {source_labels: [instance], target_label: __tmp_hash, modulus: 3, action: hashmod}
    - {source_labels: [__tmp_hash], regex: '[012]', action: keep}
    - {regex: __tmp_hash|label_.*|port_name, action: labeldrop}
    """
    labels = {
        "port_name": "http-metrics",
        "label_name": "loki",
        "phase": "Running",
        "namespace": "logs",
        "pod": "loki-0",
        "container": "loki",
    }
    assert apply(rules(text), labels) == {
        "cluster": "dev-us-central-0",
        "container": "loki",
        "instance": "loki-0:loki:http-metrics",
        "job": "logs/loki",
        "name": "loki",
        "namespace": "logs",
        "phase": "Running",
        "pod": "loki-0",
    }
    assert apply(rules(text), {**labels, "phase": "Failed"}) is None


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,4}", fullmatch=True)


@given(st.dictionaries(NAMES, TEXT.filter(bool), max_size=6))
def test_the_default_rule_copies(labels):
    """The short way for `(.*)` and the long way are one."""
    short = one(source_labels=("a", "b"), target_label="out")
    long = one(source_labels=("a", "b"), target_label="out", regex="((?:.*))")
    assert apply(short, labels) == apply(long, labels)


@given(TEXT, st.integers(1, (1 << 64) - 1))
def test_hashmod_is_the_end_of_md5(text, modulus):
    rule = one(source_labels=("a",), target_label="h", modulus=modulus, action="hashmod")
    whole = int(hashlib.md5(text.encode()).hexdigest(), 16)
    assert apply(rule, {"a": text})["h"] == str((whole & ((1 << 64) - 1)) % modulus)


@given(TEXT, TEXT)
def test_any_replacement_and_value_come_out(text, template):
    got = apply(one(source_labels=("a",), target_label="b", replacement=template), {"a": text})
    assert got is not None
    if "$" not in template:
        assert got.get("b", "") == template


def test_no_label_makes_a_rule_hang():
    """Python's `re` would take longer than the universe has."""
    start = time.monotonic()
    rule = one(source_labels=("a",), regex="(a|aa|a*)*b", action="keep")
    assert apply(rule, {"a": "a" * 50_000}) is None
    with pytest.raises(ValidationError):
        RelabelRule(action="labelmap", replacement="a$a" * 20_000 + "-")
    assert time.monotonic() - start < SOON
