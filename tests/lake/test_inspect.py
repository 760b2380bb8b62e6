"""What a lake consists of, as rows and as SQL; and who may see it."""

from datetime import timedelta

import pytest

from lake import Lake, Limits
from lake.errors import QueryNotAllowedError
from lake.inspect import CLOSED, FILES, TABLES, _level, inspected, lake_files, lake_tables
from lake.maintenance import levels


@pytest.fixture
def written(lake, make_samples, noon):
    """Two days; the second has two files of two clusters."""
    lake.samples.append(make_samples([1.0] * 100))
    lake.samples.append(make_samples([1.0] * 10, start=noon + timedelta(days=1)))
    lake.samples.append(make_samples([1.0] * 20, start=noon + timedelta(days=1), cluster="us"))
    return lake


def test_files(written, noon):
    snapshot = written.snapshot()
    rows = lake_files(snapshot)
    assert rows.schema == FILES
    assert rows["table_name"].to_pylist() == ["samples"] * 3
    assert rows["rows"].to_pylist()[0] == 100
    assert sorted(rows["rows"].to_pylist()[1:]) == [10, 20]
    paths = [str(written.root / path) for path in rows["path"].to_pylist()]
    assert paths == [file.path for file in snapshot.tables["samples"].files]
    assert rows["first_time"][0].as_py() == noon
    assert rows["last_time"][0].as_py() == noon + timedelta(seconds=99)
    clusters = {(row["first_cluster"], row["last_cluster"]) for row in rows.to_pylist()}
    assert clusters == {("eu", "eu"), ("us", "us")}
    assert set(rows["level"].to_pylist()) == {0}


def test_tables(written, noon):
    rows = lake_tables(written.snapshot())
    assert rows.schema == TABLES
    by_name = {row["table_name"]: row for row in rows.to_pylist()}
    assert set(by_name) == set(written.tables)
    samples = by_name["samples"]
    size = sum(file.size for file in written.samples.files()[1])
    assert samples["version"] == 3
    assert (samples["files"], samples["small_files"], samples["days"]) == (3, 3, 2)
    assert (samples["rows"], samples["bytes"]) == (130, size)
    assert samples["bytes_per_row"] == pytest.approx(size / 130)
    assert (samples["first_time"], samples["last_time"].date()) == (
        noon,
        (noon + timedelta(days=1)).date(),
    )
    assert samples["hottest_date"] == (noon + timedelta(days=1)).date()
    assert samples["hottest_files"] == 2


def test_an_empty_lake_has_its_tables_and_no_file(lake):
    assert lake_files(lake.snapshot()).num_rows == 0
    rows = lake_tables(lake.snapshot()).to_pylist()
    assert {row["rows"] for row in rows} == {0}
    assert {row["bytes_per_row"] for row in rows} == {None}


HOT = "SELECT date, count(*) AS files FROM lake_files GROUP BY date ORDER BY files DESC"


def test_as_sql(written):
    expected = [2, 1]
    assert written.sql(HOT)["files"].to_pylist() == expected
    assert written.query_guarded(HOT, Limits()).rows["files"].to_pylist() == expected
    joined = """
        SELECT t.files = count(*) AS same FROM Lake_Tables t JOIN "lake_files" USING (table_name)
        WHERE table_name = 'samples' GROUP BY t.files
    """
    assert written.query_guarded(joined, Limits()).rows.to_pylist() == [{"same": True}]
    with_samples = "SELECT (SELECT count(*) FROM samples) = (SELECT sum(rows) FROM lake_files) AS x"
    assert written.query_guarded(with_samples, Limits()).rows.to_pylist() == [{"x": True}]


@pytest.mark.parametrize("name", ["lake_files", "lake_tables", '"LAKE_FILES"'])
def test_callers_of_some_clusters_have_no_such_tables(written, name):
    with pytest.raises(QueryNotAllowedError, match="lake_"):
        written.query_guarded(f"SELECT * FROM {name}", Limits(), clusters=["eu"])


def test_a_query_that_does_not_name_them_pays_nothing(written):
    assert inspected("SELECT * FROM samples", written.snapshot()) == {}


def test_they_are_of_the_snapshot(written, make_samples):
    snapshot = written.snapshot()
    written.samples.append(make_samples())
    assert lake_files(snapshot).num_rows == 3
    assert lake_files(Lake.open(written.root).snapshot()).num_rows == 4


def test_levels_are_compactions_own():
    assert levels.FINAL == CLOSED
    for level in range(CLOSED + 1):
        name = levels.prefix(12, level, "0123abcd") + "00001.parquet"
        assert _level(f"s3://b/samples/date=2026-03-01/{name}") == level
