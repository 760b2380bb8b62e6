import shutil

import pytest

from lake import Lake, Limits, TimeRange, connect
from lake.errors import LakeFolderError, LakeNotFoundError, QueryError
from lake.schema import ADDED_LATER, TABLES
from lake.snapshot_id import SnapshotId


def test_opening_twice_keeps_the_rows(lake, make_samples):
    lake.samples.append(make_samples())
    assert Lake.open(lake.root).sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("opener", [lambda root: Lake.open(root, create=False), connect])
def test_a_folder_without_a_lake_is_refused_and_left_alone(tmp_path, opener):
    with pytest.raises(LakeNotFoundError, match="fleetlake up"):
        opener(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("name", sorted(ADDED_LATER))
def test_a_lake_from_before_a_table_was_added_is_read_as_it_is(lake, make_samples, name, create):
    lake.samples.append(make_samples())
    shutil.rmtree(lake.root / name)
    old = Lake.open(lake.root, create=create)
    assert old.sql(f"SELECT count(*) AS n FROM {name}").to_pylist() == [{"n": 0}]
    assert old.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 1}]
    versions = str(SnapshotId(old.snapshot().versions)).split("-")[1].split(".")
    assert versions[list(TABLES).index(name)] == ("0" if create else "_")
    assert (lake.root / name).exists() == create


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "it's",
        'say "hi"',
        "a=b",
        "st*r",
        "qu?estion",
        "ha#sh",
        "ünï",
        "{a;b,c}",
        "<x@y:1>",
    ],
)
def test_a_lake_may_lie_in_a_folder_of_an_odd_name(tmp_path, make_samples, noon, name):
    lake = Lake.open(tmp_path / name / "lake")
    lake.samples.append(make_samples([1, 2]))
    lake.samples.replace(make_samples([3]), "cluster = 'eu'")
    sql = "SELECT cluster, CAST(date AS VARCHAR) AS date, value FROM samples"
    expected = [{"cluster": "eu", "date": "2026-03-01", "value": 3.0}]
    assert lake.sql(sql, between=TimeRange.of_day(noon.date())).to_pylist() == expected
    assert connect(lake.root).execute("SELECT count(*) FROM samples").fetchone() == (1,)
    assert lake.query_guarded(sql, Limits()).rows.to_pylist() == expected
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("cluster=zz", "partition of a column"),
        ("Date=2020-01-01", "partition of a column"),
        ("per%20cent", "'%'"),
        ("x[1]", "'\\['"),
        ("up^", "misreads"),
        ("a|b", "misreads"),
        ("back\\slash", "misreads"),
    ],
)
def test_a_folder_that_readers_would_misread_is_refused(tmp_path, name, rule):
    with pytest.raises(LakeFolderError, match=rule) as refusal:
        Lake.open(tmp_path / name / "lake")
    assert refusal.value.part == name
    assert list(tmp_path.iterdir()) == []


def test_sql_takes_parameters(lake, make_samples):
    lake.samples.append(make_samples([1, 2, 3]))
    found = lake.sql("SELECT value FROM samples WHERE value > $least", {"least": 2})
    assert found.column("value").to_pylist() == [3]


@pytest.mark.parametrize(
    "sql",
    [
        "SELEC 1",
        "SELECT * FROM nowhere",
        "SELECT nowhere FROM samples",
        "SELECT value + date FROM samples",
    ],
)
def test_wrong_sql_is_a_query_error(lake, sql):
    with pytest.raises(QueryError):
        lake.sql(sql)


def test_connect_gives_a_notebook_every_view(lake, make_samples):
    lake.samples.append(make_samples())
    with connect(lake.root) as connection:
        views = ("samples", "series", "events", "anomalies", "metrics")
        counts = [connection.execute(f"SELECT count(*) FROM {v}").fetchone()[0] for v in views]
        assert counts == [1, 0, 0, 0, 0]
        with pytest.raises(QueryError):
            connection.execute("INSERT INTO samples SELECT * FROM samples")


def test_a_folder_that_is_taken_away_is_noticed(lake, make_samples):
    lake.samples.append(make_samples())
    assert lake.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 1}]
    shutil.rmtree(lake.root)
    with pytest.raises(LakeNotFoundError):
        lake.sql("SELECT count(*) AS n FROM samples")
