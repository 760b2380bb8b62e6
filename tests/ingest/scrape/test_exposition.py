"""The parser against prometheus_client's, against its own rendering, and against garbage."""

import math
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from ingest.errors import ExpositionError
from ingest.scrape.exposition import NO_TIME, Parser, has_more_than

REAL = Path(__file__).parents[4] / "shared" / "data" / "exposition"


def parser():
    return Parser(lambda labels: tuple(sorted(labels.items())))


def points(found):
    bits = [struct.pack(">d", value) for value in found.values]
    return list(zip(found.series, bits, found.time_ms.tolist(), strict=True))


def oracle(read, body):
    found = []
    for family in read(body):
        for one in family.samples:
            labels = {"__name__": one.name, **dict(one.labels)}
            at = NO_TIME if one.timestamp is None else round(float(one.timestamp) * 1000)
            value = struct.pack(">d", float(one.value))
            found.append((tuple(sorted(labels.items())), value, at))
    return found


@pytest.mark.parametrize(
    ("name", "read", "is_openmetrics"),
    [
        ("prometheus__alltypes.237mfs.prom.txt", text, False),
        ("prometheus__1histogram.om.txt", openmetrics, True),
        ("insights-operator__metrics", text, False),
    ],
)
def test_real_dumps_are_read_as_the_library_reads_them(name, read, is_openmetrics):
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    body = path.read_bytes()
    one = parser()
    found = one.parse(body, is_openmetrics)
    assert sorted(points(found)) == sorted(oracle(read, body.decode()))
    assert len(found.series) > 10
    assert points(one.parse(body, is_openmetrics)) == points(found), "from the cache the same"


EVERYTHING = """\
# HELP http_requests The number.\\nOf \\\\ requests.
# TYPE http_requests counter
# UNIT http_requests requests
http_requests_total{path="/a b",quote="\\"}{,=",back="\\\\",line="\\n"} 1.5 1700000000.123
http_requests_total{path="/"} 2 # {trace_id="a b"} 0.5 1700000000
http_requests_bucket{le="+Inf"} +Inf # {} 1
bare NaN
negative -Inf -1
spaced { a = "b" , c = "d" , } 7
# EOF
"""


def test_every_part_of_the_grammar():
    one = parser()
    for _ in range(2):
        found = one.parse(EVERYTHING.encode(), True)
        assert [dict(series).get("__name__") for series in found.series] == [
            "http_requests_total", "http_requests_total", "http_requests_bucket", "bare",
            "negative", "spaced",
        ]  # fmt: skip
        assert dict(found.series[0]) == {
            "__name__": "http_requests_total",
            "path": "/a b",
            "quote": '"}{,=',
            "back": "\\",
            "line": "\n",
        }
        assert dict(found.series[5]) == {"__name__": "spaced", "a": "b", "c": "d"}
        assert found.time_ms.tolist() == [
            1_700_000_000_123, NO_TIME, NO_TIME, NO_TIME, -1000, NO_TIME
        ]  # fmt: skip
        assert found.values.tolist()[:3] == [1.5, 2, math.inf]
        assert math.isnan(found.values[3])
        assert (found.exemplars, found.ended) == (2, True)
    (family,) = one.metadata.values()
    assert (family.kind, family.unit) == (1, "requests")
    assert family.help == "The number.\nOf \\ requests."


def test_times_of_text_are_milliseconds():
    found = parser().parse(b"up 1 1700000000123\r\n\tup\t2\t\n# EOF\nup 3\n", False)
    assert found.time_ms.tolist() == [1_700_000_000_123, NO_TIME, NO_TIME]
    assert found.values.tolist() == [1, 2, 3]
    assert not found.ended


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("up", "is no sample"),
        ("up one", "value 'one' is wrong"),
        ("up 1_000", "value '1_000' is wrong"),
        ("up 1 x", "time 'x' is wrong"),
        ("up 1 1e3", "time '1e3' is wrong"),
        ("up 1 99999999999999999999", "time '99999999999999999999' is wrong"),
        ("up 1 2 3", "is no sample"),
        ('up{a="b} 1', "is no sample"),
        ('up{a="b"', "is no sample"),
        ('up{a=b"} 1', "is no sample"),
        ('up{a="b" c="d"} 1', "is no `name="),
        ('up{"a"="b"} 1', "is no `name="),
        ('up{a="b",a="c"} 1', "'a' stands twice"),
        ('up{__name__="down"} 1', "'__name__' stands twice"),
        ('{a="b"} 1', "no name"),
        ("1up 1", "is no sample"),
        ("<html>", "is no sample"),
        ('up{a="\xff"} 1', "not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(line, rule):
    body = b"# a remark\nfine 1\n\nfine 2\n" + line.encode("latin-1") + b"\nfine 3\n"
    one = parser()
    for _ in range(2):
        with pytest.raises(ExpositionError, match="line 5") as refusal:
            one.parse(body, False)
        assert rule in str(refusal.value)


def test_nothing_stands_after_the_end():
    one = parser()
    one.parse(b"up 1\n# EOF\n\n", True)
    for more in (b"up 2", b"down 2", b"# HELP up x"):
        with pytest.raises(ExpositionError, match=r"line 3 .* after # EOF"):
            one.parse(b"up 1\n# EOF\n" + more, True)


def test_comments_that_change_for_ever_fill_no_memory(monkeypatch):
    monkeypatch.setattr("ingest.scrape.exposition.MAX_COMMENTS", 10)
    one = parser()
    for number in range(100):
        one.parse(f"# HELP m{number} x\nm{number} 1\n".encode(), False)
    assert len(one.metadata) <= 10
    one.forget()
    assert len(one) == 0


NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,10}", fullmatch=True)
LABEL_NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True).filter(
    lambda name: name != "__name__"
)
VALUES = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
SAMPLES = st.tuples(
    NAMES,
    st.dictionaries(LABEL_NAMES, VALUES, max_size=4),
    st.floats(allow_nan=False),
    st.none() | st.integers(-(10**12), 10**13),
    st.booleans(),
)


def escaped(value):
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def rendered(sample, is_openmetrics):
    name, labels, value, at, exemplar = sample
    inner = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    line = name + (f"{{{inner}}}" if labels else "") + f" {value!r}"
    if at is not None:
        line += f" {at // 1000}.{at % 1000:03}" if is_openmetrics and at >= 0 else (
            f" {at / 1000!r}" if is_openmetrics else f" {at}"
        )  # fmt: skip
    return line + (' # {trace="x y"} 1 2' if exemplar else "")


@given(st.lists(SAMPLES, max_size=8), st.booleans())
def test_parse_undoes_render(samples, is_openmetrics):
    body = "".join(rendered(one, is_openmetrics) + "\n" for one in samples) + "# EOF\n"
    one = parser()
    expected = [
        (
            tuple(sorted({**labels, "__name__": name}.items())),
            struct.pack(">d", value),
            NO_TIME if at is None else at,
        )
        for name, labels, value, at, _ in samples
    ]
    for _ in range(2):
        found = one.parse(body.encode(), is_openmetrics)
        assert points(found) == expected
        assert found.exemplars == sum(exemplar for *_, exemplar in samples)


PIECES = st.sampled_from(
    [b"up", b" ", b"1", b"{", b"}", b'"', b"\\", b"=", b",", b"#", b"# EOF", b"# TYPE up gauge",
     b"\n", b"\t", b"a", b"\xff", b"nan", b"1e999", b"_", b"-", b"\r", b"\x00"]
)  # fmt: skip


@given(st.lists(st.binary(max_size=20) | PIECES, max_size=30), st.booleans())
def test_garbage_gives_samples_or_our_error(pieces, is_openmetrics):
    one = parser()
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(points(one.parse(b"".join(pieces), is_openmetrics)))
        except ExpositionError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1], "with a warm cache the same"


def outcome(one, body, is_openmetrics):
    try:
        found = one.parse(body, is_openmetrics)
    except ExpositionError:
        return "refused"
    return points(found), found.exemplars, found.ended


BLANK = st.sampled_from([" ", " ", "  ", "\t", " \t", "\t ", ""])
NUMBER = st.sampled_from(["5", "1.5", "NaN", "+Inf", "2000", "1_0", "x", "#", ""])


@st.composite
def lines(draw):
    series = draw(st.sampled_from(["a", "b", 'a{x="1"}', 'a {x="1"}', 'a{x="1 2",y="a 5"}', "#"]))
    parts = [draw(BLANK), series, draw(BLANK), draw(NUMBER), draw(BLANK), draw(NUMBER)]
    exemplar = draw(st.sampled_from(["", "", " # {} 1", '\t#\t{id="a"} 1 2', " # ", " #"]))
    return "".join(parts) + exemplar + draw(BLANK) + draw(st.sampled_from(["", "", "\r"]))


@given(st.lists(lines(), max_size=4).map("\n".join), st.booleans())
@settings(max_examples=500)
def test_a_text_reads_the_same_whether_its_series_are_known_or_not(body, is_openmetrics):
    one = parser()
    one.parse(b'a 1\nb 1\na{x="1"} 1\na{x="1 2",y="a 5"} 1\n', is_openmetrics)
    first = outcome(parser(), body.encode(), is_openmetrics)
    for _ in range(2):
        assert outcome(one, body.encode(), is_openmetrics) == first


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("a  5", NO_TIME),
        ("a 5 ", NO_TIME),
        ("a\t5", NO_TIME),
        ("a 5\t2000", 2000),
        ("a 5  2000 ", 2000),
        ("a\t5 2000", 2000),
        ("a 5 \r", NO_TIME),
        ("a 5 2000 # {} 1", 2000),
        ("a 5\t#\t{} 1", NO_TIME),
        ('a 1\na {x="1"} 5', NO_TIME),
    ],
)
def test_blanks_of_every_kind_are_read_from_the_cache_too(line, at):
    one = parser()
    for _ in range(3):
        found = one.parse(f"{line}\n".encode(), False)
        assert (found.values.tolist()[-1], found.time_ms.tolist()[-1]) == (5.0, at)


@given(
    st.lists(st.sampled_from(["a 1", "# x", "", " ", "\t\r", " a 2", "#"])).map("\n".join),
    st.integers(0, 5),
)
def test_samples_are_counted_before_they_are_parsed(body, most):
    assert has_more_than(most, body.encode()) == (
        len(parser().parse(body.encode(), False).series) > most
    )
