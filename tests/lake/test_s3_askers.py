"""What a lake in a bucket tells to those who only ask, and what it keeps to itself."""

import duckdb
import pytest

from lake import Lake, Limits
from lake.errors import LakeFolderError, QueryError


@pytest.fixture(scope="module")
def read_lake(server, make_samples):
    """One sample, for tests that change nothing: to make a lake in a bucket takes a second."""
    lake = Lake.open(f"{server.url}/read/lake", storage_options=server.options)
    lake.samples.append(make_samples([1]))
    return lake


@pytest.fixture(scope="module")
def others_file(server, make_samples):
    """A file of another lake in the same bucket."""
    other = Lake.open(f"{server.url}/other", storage_options=server.options)
    other.samples.append(make_samples([9]))
    (file,) = other.samples.files()[1]
    return file.path


def test_it_says_by_what_it_reads(read_lake, lake):
    assert lake.reader == "file"
    assert read_lake.reader == "arrow"  # httpfs cannot be had where the tests run
    with pytest.raises(LakeFolderError, match="no folder"):
        _ = read_lake.root


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_parquet('{other}')",
        "SELECT * FROM read_parquet('{url}/series/*/*.parquet')",
        "SELECT * FROM read_text('{url}/samples/_delta_log/00000000000000000000.json')",
        "SELECT * FROM glob('s3://lakes/**')",
        "COPY samples TO '{url}/samples/stolen.parquet'",
        "LOAD httpfs",
        "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    ],
)
def test_a_locked_connection_reads_the_snapshot_and_nothing_else(
    read_lake, object_store, others_file, sql
):
    before = object_store.keys()
    with read_lake.snapshot().connect(locked=True) as connection:
        assert connection.execute("SELECT value FROM samples").fetchall() == [(1.0,)]
        object_store.requests.clear()
        with pytest.raises((duckdb.Error, OSError)):
            connection.execute(sql.format(other=others_file, url=read_lake.store.url)).fetchall()
        assert object_store.requests == []
    assert object_store.keys() == before


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM duckdb_secrets()", "SELECT getenv('AWS_SECRET_ACCESS_KEY')"]
)
def test_guarded_sql_does_not_come_by_the_keys(read_lake, sql):
    with pytest.raises(QueryError):
        read_lake.query_guarded(sql, Limits())


def test_keys_are_shown_nowhere(read_lake, object_store):
    secret = object_store.options["secret_access_key"]
    shown = [repr(read_lake.store), repr(read_lake.store.s3), str(read_lake.snapshot())]
    assert not any(secret in text for text in shown)
    with read_lake.snapshot().connect(locked=True) as connection:
        settings = connection.execute("SELECT * FROM duckdb_settings()").fetchall()
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM duckdb_secrets()").fetchall()
    assert secret not in str(settings)
