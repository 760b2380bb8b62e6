import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from lake import Lake, TimeRange
from lake.errors import FileDamagedError
from lake.query import run
from lake.schema import SERIES, TABLES

YEAR_START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICRO = timedelta(microseconds=1)


def count(snapshot, between=None, where="true"):
    sql = f"SELECT count(*) AS n FROM samples WHERE {where}"
    return run(snapshot, sql, between=between).rows.to_pylist()[0]["n"]


def days_of_one_series(lake, make_samples, n_days):
    """One file a day."""
    seen = {"first_seen": [YEAR_START], "last_seen": [YEAR_START]}
    known = {"cluster": ["eu"], "metric": ["up"], "series_id": [1], **seen}
    columns = [pa.array(known.get(f.name, [None]), f.type) for f in SERIES.schema]
    lake.series.append(pa.table(columns, names=SERIES.schema.names))
    lake.samples.append(make_samples(range(n_days), start=YEAR_START + DAY / 2, step=DAY))
    return lake


@pytest.fixture(scope="module")
def year(tmp_path_factory, make_samples):
    """A lake of a year, only to be read."""
    return days_of_one_series(Lake.open(tmp_path_factory.mktemp("year")), make_samples, 365)


def test_a_snapshot_does_not_change(lake, make_samples):
    lake.samples.append(make_samples([1]))
    snapshot = lake.snapshot()
    lake.samples.append(make_samples([2, 3]))
    assert (count(snapshot), count(lake.snapshot())) == (1, 3)
    lake.samples.replace(make_samples([4, 5]), "cluster = 'eu'")
    assert (count(snapshot), count(lake.snapshot())) == (1, 2)
    assert snapshot.versions["samples"] == 1


def test_versions_name_every_table(lake):
    assert lake.snapshot().versions == dict.fromkeys(TABLES, 0)
    assert lake.query("SELECT 1").versions == lake.snapshot().versions


def test_readers_never_see_half_a_write(lake, make_samples):
    """Every write is of 100 rows over two days; every replacement is of all rows by 100 others."""
    done, counts = threading.Event(), []

    def write():
        for i in range(10):
            rows = make_samples([i] * 100, start=YEAR_START + DAY - timedelta(seconds=50))
            if i % 4 == 3:
                lake.samples.replace(rows, "cluster = 'eu'")
            else:
                lake.samples.append(rows)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reader = Lake.open(lake.root)
    while not done.is_set():
        counts.append(count(reader.snapshot()))
    writer.join()
    assert {n % 100 for n in counts} == {0}
    assert count(reader.snapshot()) == 300


def days(first, last):
    return TimeRange(YEAR_START + first * DAY, YEAR_START + last * DAY)


@pytest.mark.parametrize(
    ("between", "files"),
    [
        pytest.param(None, 365, id="no range"),
        pytest.param(days(0, 365), 365, id="all"),
        pytest.param(days(10, 11), 1, id="one day"),
        pytest.param(days(10, 17), 7, id="a week, its end excluded"),
        pytest.param(days(400, 410), 0, id="after all"),
        pytest.param(days(-9, 0), 0, id="before all"),
        pytest.param(days(10, 10.4), 0, id="the day, before its only sample"),
        pytest.param(days(10.6, 11), 0, id="the day, after its only sample"),
        pytest.param(
            TimeRange(YEAR_START + 10.5 * DAY, YEAR_START + 10.5 * DAY + MICRO), 1, id="its instant"
        ),
    ],
)
def test_a_range_leaves_files_out(year, between, files):
    assert len(year.snapshot().tables["samples"].within(between)) == files
    assert count(year.snapshot(), between) == files


def test_tables_without_a_day_are_always_read(lake, make_samples):
    between = days(0, 1)
    tables = lake.snapshot().tables
    assert tables["series"].within(between) == tables["series"].files


def test_files_of_one_day_are_left_out_by_statistics(lake, make_samples, noon):
    lake.samples.append(make_samples([1]))
    lake.samples.append(make_samples([2], start=noon + timedelta(hours=6)))
    evening = TimeRange(noon + timedelta(hours=5), noon + timedelta(hours=7))
    assert [file.first.hour for file in lake.snapshot().tables["samples"].within(evening)] == [18]


def test_statistics_of_replaced_files_are_not_trusted_to_the_microsecond(lake, make_samples, noon):
    """Delta truncates a maximum to milliseconds: the file holds a later row than it says."""
    at = noon + timedelta(microseconds=700)
    lake.samples.append(make_samples([1]))
    lake.samples.replace(make_samples([2], start=at), "cluster = 'eu'")
    between = TimeRange(noon + timedelta(microseconds=500), noon + timedelta(seconds=1))
    assert count(lake.snapshot(), between, "time > '2026-03-01 12:00:00.0005+00'") == 1


def file_of(lake, day):
    return Path(next(file.path for file in lake.samples.files()[1] if file.day == day))


@pytest.mark.parametrize("view", ["samples", "metrics"])
def test_a_date_filter_opens_only_that_day(lake, make_samples, view):
    """Another day's file is no Parquet any more; without pruning the query could not run."""
    days_of_one_series(lake, make_samples, 10)
    file_of(lake, date(2025, 1, 7)).write_bytes(b"garbage")
    snapshot = lake.snapshot()
    sql = f"SELECT value FROM {view} WHERE date = '2025-01-03'"
    assert run(snapshot, sql).rows.num_rows == 1
    with pytest.raises(FileDamagedError, match="2025-01-07"):
        run(snapshot, f"SELECT count(DISTINCT value) FROM {view} WHERE value >= 0")
    assert count(snapshot, days(0, 6)) == 6


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('{root}/../../../../../../etc/passwd')",
        "SELECT * FROM read_text('{root}-neighbour/secret.csv')",
        "COPY (SELECT 1) TO '{root}-neighbour/out.csv'",
        "ATTACH '{root}-neighbour/x.db'",
        "EXPORT DATABASE '{root}-neighbour/dump'",
        "LOAD httpfs",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "SELECT * FROM local_variable",
        "SELECT * FROM '{root}/samples/loose.parquet'",
        "SELECT * FROM read_text('{root}/samples/_delta_log/00000000000000000000.json')",
        "COPY (SELECT 1) TO '{root}/samples/out.parquet'",
        "EXPORT DATABASE '{root}/dump'",
    ],
)
def test_a_locked_connection_reaches_nothing_but_its_files(lake, make_samples, sql):
    """Also where the guard is passed by."""
    local_variable = make_samples()
    assert local_variable.num_rows
    neighbour = Path(f"{lake.root}-neighbour")
    neighbour.mkdir()
    (neighbour / "secret.csv").write_text("secret\n")
    lake.samples.append(make_samples())
    (file,) = lake.samples.files()[1]
    (lake.samples.folder / "loose.parquet").write_bytes(Path(file.path).read_bytes())
    before = set(lake.root.rglob("*"))
    with lake.snapshot().connect(locked=True) as connection:
        assert connection.execute("SELECT count(*) FROM samples").fetchone() == (1,)
        with pytest.raises(duckdb.Error):
            connection.execute(sql.format(root=lake.root)).fetchall()
    assert [path.name for path in neighbour.iterdir()] == ["secret.csv"]
    assert set(lake.root.rglob("*")) == before
