"""The grammar of one line of the text (0.0.4) and OpenMetrics (1.0) formats.

The slow half of parsing: a line's series is taken apart only when it is new.
"""

import re

from ingest.errors import ExpositionError
from ingest.families import KINDS, Metadata

Labels = dict[str, str]
"""By name, `__name__` included."""

# Possessive quantifiers (`*+`): no line, however wrong, is gone over more than once.
_QUOTED = rb'"((?:[^"\\]|\\.)*+)"'
SAMPLE = re.compile(
    rb"[ \t]*(?P<series>(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*+)?"
    rb'(?:[ \t]*\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*+")*+)\})?)'
    rb"(?:[ \t]+|(?<=\}))(?P<value>[^ \t{]+)"
    rb"(?:[ \t]+(?P<time>[^ \t#]+))?"
    rb"(?P<exemplar>[ \t]+#[ \t].*)?[ \t]*"
)
_LABEL = re.compile(rb"[ \t]*([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*=[ \t]*" + _QUOTED + rb"[ \t]*(,|\Z)")
_COMMENT = re.compile(rb"#[ \t]+(HELP|TYPE|UNIT)[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]+(.*))?\Z")
_ESCAPE = re.compile(r'\\([\\n"])')
_ESCAPED = {"\\": "\\", "n": "\n", '"': '"'}
_NUMBERS = {name: number for number, name in KINDS.items()}


def labels_of(match: re.Match[bytes], number: int) -> Labels:
    """The labels of a sample line that `SAMPLE` matches.

    >>> labels_of(SAMPLE.fullmatch(b'up{job="a",path="/"} 1'), 1)
    {'__name__': 'up', 'job': 'a', 'path': '/'}

    Raises:
        ExpositionError: they are malformed, or one stands twice, or the name is missing.
    """
    text = match["labels"] or b""
    labels: Labels = {}
    if match["name"]:
        labels["__name__"] = match["name"].decode()
    at = 0
    while text[at:].strip(b" \t"):
        label = _LABEL.match(text, at)
        if label is None:
            raise ExpositionError(number, match.string, f'{text[at:60]!r} is no `name="value"`')
        name = label[1].decode()
        if name in labels:
            raise ExpositionError(number, match.string, f"label {name!r} stands twice")
        try:
            labels[name] = unescape(label[2].decode())
        except UnicodeDecodeError as error:
            raise ExpositionError(
                number, match.string, f"label {name!r} is not UTF-8: {error.reason}"
            ) from error
        at = label.end()
    if not labels.get("__name__"):
        raise ExpositionError(number, match.string, "the metric has no name")
    return labels


def unescape(text: str) -> str:
    r"""A label value or help text without its escapes; a backslash before others stands for itself.

    >>> unescape(r"C:\\dir\d \"x\"")
    'C:\\dir\\d "x"'
    """
    return _ESCAPE.sub(lambda found: _ESCAPED[found[1]], text) if "\\" in text else text


def describe(line: bytes, known: Metadata | None = None) -> Metadata | None:
    """What a comment says of a metric family, added to what is known of it; None = nothing.

    >>> describe(b"# TYPE node_load1 gauge")
    Metadata(family='node_load1', kind=2, help='', unit='')
    >>> describe(b"# any other remark") is None
    True

    Args:
        line: begins with `#`.
        known: what an earlier comment said of the same family; ignored if it was another.
    """
    match = _COMMENT.match(line)
    if match is None:
        return None
    family, text = match[2].decode(), (match[3] or b"").decode(errors="replace")
    if known is None or known.family != family:
        known = Metadata(family, 0, "", "")
    kind, about, unit = known.kind, known.help, known.unit
    if match[1] == b"HELP":
        about = unescape(text)
    elif match[1] == b"UNIT":
        unit = text.strip()
    else:
        kind = _NUMBERS.get(text.strip(), 0)
    return Metadata(family, kind, about, unit)


def family_of(line: bytes) -> str | None:
    """The metric family that a comment is about."""
    match = _COMMENT.match(line)
    return None if match is None else match[2].decode()
