"""SQL from outside: what is refused writes and reads nothing, what is allowed runs."""

from pathlib import Path

import duckdb
import pytest

from lake import Lake, Limits
from lake.errors import QueryError, QueryNotAllowedError
from lake.functions import FUNCTIONS, TABLE_FUNCTIONS
from lake.guard import MOST_TOKENS, check_select
from lake.macros import MACROS

HERE = Path(__file__).parent


def queries(name):
    """The queries of a file: one a line, `---` before a remark, lines that start with `-- ` none.

    `-- nothing ---` is one: a comment that is all of the query.
    """
    found = []
    for line in (HERE / name).read_text("utf-8").split("\n"):
        sql, remark, _ = line.partition(" --- ")
        if remark or (line and not line.startswith("-- ")):
            found.append(sql)
    return found


ESCAPES = queries("escapes.sql")
ANALYST = queries("analyst_queries.sql")


def filled(sql, places):
    for name, path in places.items():
        sql = sql.replace("{" + name + "}", str(path))
    return sql


@pytest.fixture(scope="module")
def written(tmp_path_factory, make_samples):
    lake = Lake.open(tmp_path_factory.mktemp("written"))
    lake.samples.append(make_samples([1, 2, 3]))
    return lake


@pytest.fixture(scope="module")
def places(written):
    (file,) = written.snapshot().tables["samples"].files
    folder = written.root / "samples"
    loose = folder / "loose.parquet"
    loose.write_bytes(Path(file.path).read_bytes())
    return {
        "root": written.root,
        "file": file.path,
        "log": folder / "_delta_log" / f"{0:020d}.json",
        "loose": loose,
    }


def test_there_are_many_of_both_and_none_twice():
    assert len(ESCAPES) >= 150
    assert len(ANALYST) >= 80
    for each in (ESCAPES, ANALYST):
        assert sorted(set(each)) == sorted(each)


@pytest.mark.parametrize("sql", ESCAPES)
def test_refused(places, sql):
    with pytest.raises(QueryError) as refusal:
        check_select(filled(sql, places))
    assert isinstance(refusal.value, QueryNotAllowedError) or "Parser Error" in str(refusal.value)


def test_refused_statements_leave_the_lake_alone(written, places):
    secret_rows = written.sql("SELECT 42 AS secret")
    before = {path: path.stat().st_mtime_ns for path in written.root.rglob("*")}
    for sql in ESCAPES:
        with pytest.raises(QueryError):
            written.query_guarded(filled(sql, places), Limits(seconds=2))
    assert {path: path.stat().st_mtime_ns for path in written.root.rglob("*")} == before
    assert secret_rows.num_rows == 1


@pytest.mark.parametrize("sql", ANALYST)
def test_allowed(written, sql):
    assert check_select(sql) == sql
    assert written.query_guarded(sql, Limits()).rows.num_columns > 0


def test_refusals_name_the_rule_and_what_was_found(written):
    with pytest.raises(
        QueryNotAllowedError, match="'read_text' is not allowed: send one SELECT over"
    ):
        check_select("SELECT * FROM read_text('/etc/passwd')")


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT FROM WHERE", "SELECT (", "\x00", "SELECT '"])
def test_what_does_not_parse_is_a_query_error(sql):
    with pytest.raises(QueryError):
        check_select(sql)


@pytest.mark.parametrize("depth", [100, 900, 5_000, 50_000])
def test_deep_nesting_is_an_answer_not_a_crash(written, depth):
    sql = f"SELECT {'(' * depth}1{' + 1)' * depth} AS x"
    try:
        rows = written.query_guarded(sql, Limits()).rows
    except QueryError:
        assert depth > 100
    else:
        assert rows.to_pylist() == [{"x": depth + 1}]


LONG = {
    "list": "SELECT 1 WHERE 1 IN (" + ",".join(["1"] * 500_000) + ")",
    "set operations": " UNION ALL ".join(["SELECT 1"] * 60_000),
    "common tables": "WITH " + ",".join(f"c{i} AS (SELECT 1)" for i in range(40_000)) + " SELECT 1",
    "joins": "SELECT 1 FROM " + ",".join(["samples"] * 100_000),
}


@pytest.mark.parametrize("sql", LONG.values(), ids=LONG)
def test_a_query_whose_tree_would_not_fit_is_refused_before_it_is_built(sql):
    with pytest.raises(QueryNotAllowedError, match=f"at most {MOST_TOKENS} are read"):
        check_select(sql)


def test_long_lists_and_long_texts_are_read(written):
    values = ",".join(map(str, range(10_000)))
    rows = written.query_guarded(
        f"SELECT count(*) AS n FROM samples WHERE value IN ({values})", Limits()
    ).rows
    assert rows.to_pylist() == [{"n": 3}]
    text = "x" * 900_000
    assert check_select(f"SELECT '{text}'")


def test_more_tables_are_those_that_are_named():
    sql = "SELECT * FROM lake_files"
    assert check_select(sql, {"lake_files"}) == sql
    with pytest.raises(QueryNotAllowedError, match="'lake_files' is not allowed"):
        check_select(sql)
    with pytest.raises(QueryNotAllowedError, match=r"stored\.lake_files"):
        check_select("SELECT * FROM stored.lake_files", {"lake_files"})


# The engine's own catalogue.


def catalogue(kinds):
    kinds = ", ".join(f"'{kind}'" for kind in kinds)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() "
            f"WHERE function_type IN ({kinds})"
        ).fetchall()
    return {name for (name,) in rows}


def refused():
    """Section name to the functions that are refused in it, from the file with the reasons."""
    sections, section = {}, set()
    for line in (HERE / "refused_functions.txt").read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            section |= {name.lower() for name in line.split()}
    return sections


@pytest.mark.parametrize(
    ("section", "allowed", "kinds"),
    [
        ("functions", FUNCTIONS, ("scalar", "aggregate", "window", "macro")),
        ("table functions", TABLE_FUNCTIONS, ("table", "table_macro")),
    ],
)
def test_every_function_of_the_engine_is_judged(section, allowed, kinds):
    """What a new DuckDB brings is refused, and fails here until it is judged."""
    known, not_allowed = catalogue(kinds), refused()[section]
    assert len(known) > 100
    assert known - allowed - not_allowed == set(), "judge these"
    assert allowed & not_allowed == set()
    assert (allowed | not_allowed) - known == set(), "these are gone"


def test_our_macros_hide_no_function_of_the_engine():
    kinds = ("scalar", "aggregate", "window", "macro")
    assert set(MACROS) & catalogue(kinds) == set()


@pytest.mark.parametrize("name", sorted(refused()["functions"]))
def test_a_refused_function_is_refused_however_it_is_written(name):
    quoted = f'"{name}"'
    for call in (f"{quoted}()", f"{quoted}(1)", f"main.{quoted}('x')", f"{quoted.upper()}(1, 2)"):
        for sql in (f"SELECT {call}", f"SELECT {call} OVER ()", f"SELECT [{call} FOR i IN [1]]"):
            with pytest.raises(QueryNotAllowedError):
                check_select(sql)


@pytest.mark.parametrize("name", sorted(refused()["table functions"]))
def test_a_refused_table_function_is_refused_however_it_is_written(name):
    for call in (f"{name}()", f'"{name}"(1)', f"main.{name}('x')", f"{name.upper()}((SELECT 1))"):
        for sql in (f"SELECT * FROM {call}", f"SELECT (FROM {call})", f"FROM samples, {call} t"):
            with pytest.raises(QueryNotAllowedError):
                check_select(sql)
