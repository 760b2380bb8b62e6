"""Files that cannot be read: told by name, with what to do, and the rest stays readable."""

from datetime import timedelta
from pathlib import Path

import pytest

from lake import Lake, Limits
from lake.errors import FileDamagedError, LakeNotFoundError, QueryError, TableDamagedError

DAMAGE = {
    "cut off": lambda content: content[:-20],
    "half": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "foreign": lambda content: b"time,value\n1,2\n" * 50,
    "overwritten": lambda content: content[:4] + bytes(len(content) - 500) + content[-496:],
}


@pytest.fixture
def days(lake, make_samples, noon):
    """Three days, of a file each."""
    for day in range(3):
        start = noon + timedelta(days=day)
        lake.samples.append(make_samples([day] * 500, start=start))
    return lake.samples.files()[1]


@pytest.fixture(params=["trusted", "guarded"])
def ask(request, lake):
    guarded = request.param == "guarded"
    return lambda sql: lake.query_guarded(sql, Limits()).rows if guarded else lake.sql(sql)


@pytest.mark.parametrize("name", [*DAMAGE, "gone"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_damaged_file_is_told_and_other_days_stay_readable(ask, days, noon, which, name):
    path = Path(days[which].path)
    if name == "gone":
        path.unlink()
    else:
        path.write_bytes(DAMAGE[name](path.read_bytes()))
    with pytest.raises(FileDamagedError, match="put it back from a copy") as refusal:
        ask("SELECT sum(value) FROM samples")
    assert (refusal.value.table, refusal.value.path) == ("samples", str(path))
    for day in {0, 1, 2} - {which}:
        start = (noon + timedelta(days=day)).date()
        where = f"time >= '{start}' AND time < '{start + timedelta(days=1)}'"
        rows = ask(f"SELECT sum(value) AS total FROM samples WHERE {where}")
        assert rows.to_pylist() == [{"total": 500.0 * day}]


@pytest.mark.parametrize(
    "sql", ["SELECT error('{path}') FROM samples", "SELECT CAST('{path}' AS INTEGER) FROM samples"]
)
def test_a_query_that_fails_by_itself_is_no_damage(lake, days, sql):
    with pytest.raises(QueryError):
        lake.sql(sql.format(path="a file"))


@pytest.mark.parametrize("content", ["{garbage", "", '{"add": {"path": 5}}\n'])
def test_a_corrupt_log_is_told_and_other_tables_stay_readable(lake, make_samples, content):
    lake.samples.append(make_samples())
    log = lake.events.folder / "_delta_log" / f"{0:020d}.json"
    whole = log.read_text()
    log.write_text(content)
    for create in (True, False):
        again = Lake.open(lake.root, create=create)
        for ask in (again.sql, lambda sql, lake=again: lake.query_guarded(sql, Limits()).rows):
            with pytest.raises(TableDamagedError, match="put the damaged file back") as refusal:
                ask("SELECT * FROM events")
            assert refusal.value.table == "events"
            assert ask("SELECT value FROM samples").num_rows == 1
        with pytest.raises(TableDamagedError):
            again.events.committed_position("app")
    log.write_text(whole)
    assert Lake.open(lake.root).sql("SELECT * FROM events").num_rows == 0


def test_a_table_that_is_gone_is_told(lake, make_samples):
    lake.samples.append(make_samples())
    lake.samples.folder.rename(lake.root / "aside")
    with pytest.raises(LakeNotFoundError):
        Lake.open(lake.root, create=False)
    (lake.root / "aside").rename(lake.samples.folder)
    assert lake.sql("SELECT value FROM samples").num_rows == 1
