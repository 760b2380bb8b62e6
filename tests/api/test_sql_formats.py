"""One query in every format: the same rows, and from which snapshot they are."""

import csv
import io
import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.errors import NotAcceptableError
from api.results.negotiation import MEDIA_TYPES, negotiated
from lake.results import Format

QUERY = """
SELECT 9007199254740993::BIGINT AS big, 'nan'::DOUBLE AS nan, '-inf'::DOUBLE AS low,
       TIMESTAMPTZ '2026-11-23 12:00:00.25+00' AS at, DATE '2026-11-23' AS day,
       MAP {'a': 'b,"c"'} AS labels, 12345678901234567890.12::DECIMAL(38, 2) AS money,
       '\\xFF\\x00'::BLOB AS raw, [{'x': 1, 'y': [2.5, NULL]}] AS deep,
       'line' || chr(10) || '"q"' AS text, '' AS empty, NULL::VARCHAR AS nothing
"""


def ask(running, form, query=QUERY):
    reply = running.http.post("/api/v1/sql", json={"query": query}, params={"format": form})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].split(";")[0] == MEDIA_TYPES[Format(form)]
    return reply


def parsed(form, content):
    """Rows as dictionaries, by a reader that is not ours."""
    if form == "arrow":
        return pa.ipc.open_stream(content).read_all().to_pylist()
    if form == "parquet":
        return pq.read_table(io.BytesIO(content)).to_pylist()
    if form == "ndjson":
        return [json.loads(line) for line in content.decode().splitlines()]
    if form == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    document = json.loads(content)
    return [dict(zip(document["columns"], row, strict=True)) for row in document["rows"]]


def test_values_as_json(shared):
    (row,) = parsed("json", ask(shared, "json").content)
    assert row == {
        "big": 9007199254740993,
        "nan": None,
        "low": None,
        "at": "2026-11-23T12:00:00.250000Z",
        "day": "2026-11-23",
        "labels": {"a": 'b,"c"'},
        "money": 12345678901234567890.12,
        "raw": "/wA=",
        "deep": [{"x": 1, "y": [2.5, None]}],
        "text": 'line\n"q"',
        "empty": "",
        "nothing": None,
    }
    assert [row] == parsed("ndjson", ask(shared, "ndjson").content)


def test_values_as_csv(shared):
    content = ask(shared, "csv").content
    (row,) = parsed("csv", content)
    assert row == {
        "big": "9007199254740993",
        "nan": "NaN",
        "low": "-inf",
        "at": "2026-11-23T12:00:00.250000Z",
        "day": "2026-11-23",
        "labels": '{"a":"b,\\"c\\""}',
        "money": "12345678901234567890.12",
        "raw": "/wA=",
        "deep": '[{"x":1,"y":[2.5,null]}]',
        "text": 'line\n"q"',
        "empty": "",
        "nothing": "",
    }
    assert content.endswith(b'"",\n'), "an empty text is told from null"
    frame = pl.read_csv(content)
    assert frame["big"][0] == 9007199254740993
    assert frame["nan"].is_nan().all()


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_values_as_columns(shared, form):
    (row,) = parsed(form, ask(shared, form).content)
    assert row["big"] == 9007199254740993
    assert row["nan"] != row["nan"]
    assert row["at"].isoformat() == "2026-11-23T12:00:00.250000+00:00"
    assert row["labels"] == [("a", 'b,"c"')]
    assert str(row["money"]) == "12345678901234567890.12"
    assert row["raw"] == b"\xff\x00"
    assert row["deep"] == [{"x": 1, "y": [2.5, None]}]
    assert (row["empty"], row["nothing"]) == ("", None)


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("rows", [0, 1, 20_000])
def test_every_format_gives_every_row_in_order(shared, form, rows):
    content = ask(shared, form, f"SELECT i, 'é' || i AS t FROM range({rows}) t(i)").content
    found = parsed(form, content)
    assert [int(row["i"]) for row in found] == list(range(rows))
    assert [row["t"] for row in found] == [f"é{i}" for i in range(rows)]


@pytest.mark.parametrize("form", list(Format))
def test_every_format_says_what_was_read(running, samples, form):
    running.write(samples(3, cluster="c1"))
    running.service.receiver.flush()
    reply = ask(running, form, "SELECT count(*) AS n FROM samples")
    versions = running.lake.snapshot().versions
    headers = dict(pair.split("=") for pair in reply.headers["x-fleetlake-versions"].split(","))
    assert {name: int(version) for name, version in headers.items()} == versions
    snapshot_id = reply.headers["x-fleetlake-snapshot"]
    assert snapshot_id
    if form in ("arrow", "parquet"):
        opened = pa.ipc.open_stream if form == "arrow" else pq.ParquetFile
        schema = opened(io.BytesIO(reply.content))
        metadata = (schema.schema if form == "arrow" else schema.schema_arrow).metadata
        assert metadata[b"fleetlake.snapshot_id"].decode() == snapshot_id
        assert json.loads(metadata[b"fleetlake.lake_versions"]) == versions
    if form == "json":
        document = reply.json()
        assert document["snapshot_id"] == snapshot_id
        assert document["lake_versions"] == versions
        assert document["types"] == ["int64"]


def test_columns_of_one_name_stay_apart(shared):
    query = "SELECT 1 AS t, 2 AS t"
    assert ask(shared, "json", query).json()["rows"] == [[1, 2]]
    assert parsed("ndjson", ask(shared, "ndjson", query).content) == [{"t": 1, "t_1": 2}]
    assert ask(shared, "csv", query).text == "t,t\n1,2\n"
    assert pa.ipc.open_stream(ask(shared, "arrow", query).content).read_all().num_columns == 2


OUTLANDISH = {
    "TIMESTAMPTZ 'infinity'": "infinity",
    "TIMESTAMP '-infinity'": "-infinity",
    "DATE 'infinity'": "infinity",
    "TIMESTAMPTZ '290000-01-01 00:00:00+00'": "290000-01-01T00:00:00Z",
    "DATE '20000-01-01'": "20000-01-01",
    "TIMESTAMP_S '2026-11-23 12:00:00'": "2026-11-23T12:00:00",
    "TIME '12:00:00.5'": "12:00:00.500000",
    "TIME_NS '12:00:00.000000001'": "12:00:00.000000001",
}


@pytest.mark.parametrize(("expression", "text"), OUTLANDISH.items(), ids=OUTLANDISH)
def test_times_are_never_another_time(shared, expression, text):
    query = f"SELECT {expression} AS x, 1 AS n UNION ALL SELECT NULL, 2 ORDER BY n"
    assert ask(shared, "json", query).json()["rows"] == [[text, 1], [None, 2]]
    assert [row["x"] for row in parsed("csv", ask(shared, "csv", query).content)] == [text, ""]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("INTERVAL '1 month 2 days 90 minutes'", "P1M2DT5400S"),
        ("uuid()::VARCHAR IS NOT NULL", True),
        ("[DATE '2026-11-23']", ["2026-11-23"]),
        ("{'t': TIMESTAMPTZ '2026-11-23 12:00:00+00'}", {"t": "2026-11-23T12:00:00Z"}),
        ("MAP {DATE '2026-11-23': 1}", {"2026-11-23": 1}),
        ("[1::HUGEINT]", [1]),
        ("'a'::ENUM ('a', 'b')", "a"),
        ("['a'::ENUM ('a', 'b')]", ["a"]),
        ("union_value(n := 2)", 2),
    ],
)
def test_odd_types_as_json(shared, expression, text):
    assert ask(shared, "json", f"SELECT {expression}").json()["rows"] == [[text]]


def test_a_type_that_parquet_has_not_is_told_before_the_first_byte(shared, problem):
    reply = shared.http.post(
        "/api/v1/sql", json={"query": "SELECT INTERVAL 1 DAY"}, params={"format": "parquet"}
    )
    assert "cast it" in problem(reply, 400, "bad query")


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV", "csv"),
        ("text/*", "csv"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "json"),
        ("application/json;q=0.1, text/csv;q=0.2", "csv"),
        ("application/json;q=0, */*;q=0.1", "csv"),
        ("*/*;q=0.9, application/vnd.apache.parquet", "parquet"),
        ("application/vnd.apache.arrow.stream, application/json;q=0.9", "arrow"),
        ("application/*;q=0.5, application/json;q=0.1", "arrow"),
        ("application/x-ndjson", "ndjson"),
        ("text/csv;q=nonsense, application/json;q=0.1", "json"),
        ("text/csv; header=present ; q=1", "csv"),
    ],
)
def test_negotiation(accept, form):
    assert negotiated(accept) == form


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "application/json;q=0", "json", ","])
def test_what_nobody_offers_is_not_acceptable(accept, shared, problem):
    with pytest.raises(NotAcceptableError):
        negotiated(accept)
    reply = shared.http.post("/api/v1/sql", json={"query": "SELECT 1"}, headers={"Accept": accept})
    detail = problem(reply, 406, "not acceptable")
    assert all(media in detail for media in MEDIA_TYPES.values())


def test_an_unknown_format_is_invalid_in_the_same_words_either_way(shared, problem):
    got = shared.http.get("/api/v1/sql", params={"query": "SELECT 1", "format": "xml"})
    posted = shared.http.post("/api/v1/sql?format=xml", json={"query": "SELECT 1"})
    told = {problem(reply, 422, "invalid parameters") for reply in (got, posted)}
    assert len(told) == 1
    assert "query.format" in told.pop()


def test_other_methods_are_not_allowed(shared, problem):
    for method in ("PUT", "DELETE", "PATCH"):
        problem(shared.http.request(method, "/api/v1/sql"), 405, "method not allowed")


def test_a_query_in_an_address(shared):
    reply = shared.http.get(
        "/api/v1/sql", params={"query": "SELECT 1 AS x"}, headers={"Accept": "text/csv"}
    )
    assert reply.text == "x\n1\n"
    asked = shared.http.get("/api/v1/sql?query=SELECT 1 AS x&format=csv")
    assert asked.text == reply.text
