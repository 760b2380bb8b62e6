"""The lake as it was: at a version, at a time, in a snapshot that was read before."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import Lake, Limits, connect
from lake.commit_times import SKEW, CommitTimes
from lake.errors import AsOfError, QueryError, VersionGoneError
from lake.schema import TABLES
from lake.snapshot_id import SnapshotId

COUNT = "SELECT count(*) AS n FROM samples"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)


def count(lake, as_of=None, sql=COUNT):
    return lake.sql(sql, as_of=as_of).to_pylist()[0]["n"]


def say(table, version, moment, delete=False):
    """Let a version have been committed at another time, or its log be cleaned up."""
    path = table.folder / "_delta_log" / f"{version:020d}.json"
    if delete:
        path.unlink()
        return
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"]["timestamp"] = int(moment.timestamp() * 1000)
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")


@pytest.fixture
def grown(tmp_path, make_samples):
    """Version n of samples has n rows, and was committed n steps after LONG_AGO; so with events."""
    lake = Lake.open(tmp_path / "lake")
    for n in range(1, 6):
        lake.samples.append(make_samples([n], start=LONG_AGO + n * STEP))
    for table in lake.tables.values():
        for version in range(table.version() + 1):
            say(table, version, LONG_AGO + version * STEP)
    return Lake.open(tmp_path / "lake")


@pytest.mark.parametrize("version", range(6))
def test_a_version_of_a_table(grown, version):
    assert count(grown, {"samples": version}) == version


def test_a_result_names_its_snapshot_and_that_gives_the_same_rows(grown, make_samples):
    before = grown.query(COUNT)
    assert before.snapshot_id == "1-5" + ".0" * (len(TABLES) - 1)
    grown.samples.append(make_samples([1, 2, 3]))
    again = [
        grown.query(COUNT, as_of=as_of)
        for as_of in (before.snapshot_id, SnapshotId.parse(before.snapshot_id), before.versions)
    ]
    assert [each.rows for each in again] == [before.rows] * 3
    assert {each.snapshot_id for each in again} == {before.snapshot_id}
    assert count(grown) == 8


def test_strangers_and_notebooks_see_the_past_too(grown):
    result = grown.query_guarded(COUNT, Limits(), as_of="1-2.0")
    assert result.rows.to_pylist() == [{"n": 2}]
    assert result.snapshot_id == "1-2.0" + "._" * (len(TABLES) - 2)
    with connect(grown.root, as_of={"samples": 3}) as connection:
        assert connection.execute(COUNT).fetchone() == (3,)


@pytest.mark.parametrize(
    ("moment", "rows"),
    [
        pytest.param(LONG_AGO - STEP, 0, id="before the table"),
        pytest.param(LONG_AGO, 0, id="its first instant"),
        pytest.param(LONG_AGO + 2 * STEP, 2, id="at a commit"),
        pytest.param(LONG_AGO + 2 * STEP - timedelta(milliseconds=1), 1, id="just before"),
        pytest.param(LONG_AGO + 2.5 * STEP, 2, id="between commits"),
        pytest.param(LONG_AGO + 99 * STEP, 5, id="after all"),
    ],
)
def test_a_time(grown, moment, rows):
    assert count(grown, moment) == rows
    assert count(grown, moment.isoformat()) == rows
    assert count(grown, moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")) == rows


def test_tables_that_are_younger_than_the_time_are_empty(grown):
    snapshot = grown.snapshot(LONG_AGO - STEP)
    assert snapshot.id == "1-_" + "._" * (len(TABLES) - 1)
    assert set(snapshot.versions.values()) == {-1}
    assert grown.sql("SELECT * FROM metrics, events", as_of=snapshot.id).num_rows == 0


def test_commits_of_one_instant_are_seen_together(grown):
    for version in (2, 3, 4):
        say(grown.samples, version, LONG_AGO + 2 * STEP)
    assert count(grown, LONG_AGO + 2 * STEP) == 4


def test_clocks_that_differ_give_the_first_crossing_whatever_came_later(tmp_path, make_samples):
    """Two writers in turn, one 20 s behind: the answer does not depend on the table's length."""
    lake = Lake.open(tmp_path / "lake")
    for n in range(1, 41):
        lake.samples.append(make_samples([n]))
    behind = timedelta(seconds=20)
    told = [LONG_AGO + n * timedelta(seconds=5) - (n % 2) * behind for n in range(41)]
    for version, moment in enumerate(told):
        say(lake.samples, version, moment)
    for second in range(0, 200, 3):
        moment = LONG_AGO + timedelta(seconds=second)
        first_later = next((v for v in range(41) if told[v] > moment), 41)
        for newest in range(max(first_later, 1), 41):
            times = CommitTimes(lake.samples.store)
            assert times.version_at(moment, newest) == (first_later - 1 if first_later else None)
    assert behind <= SKEW


def test_times_are_found_with_few_reads(grown):
    class Counted:
        reads = 0

        def read(self, path):
            self.reads += 1
            version = int(Path(path).stem)
            moment = int((LONG_AGO + version * STEP).timestamp() * 1000)
            if version < 5_000:
                return None
            return json.dumps({"commitInfo": {"timestamp": moment}}).encode()

    store = Counted()
    times = CommitTimes(store)
    assert times.version_at(LONG_AGO + 77_777.5 * STEP, 100_000) == 77_777
    assert times.version_at(LONG_AGO, 100_000) is None
    assert store.reads < 100


@pytest.mark.parametrize(
    ("as_of", "rule"),
    [
        ("yesterday", "neither a time"),
        ("2-1.1", "newer version"),
        ("1-" + ".".join("1" * 30), "newer version"),
        ({"nowhere": 1}, "is no table"),
        (datetime(2026, 1, 1), "no time zone"),  # noqa: DTZ001 - what is refused
        (datetime(9000, 1, 1, tzinfo=UTC), "in the future"),
        ({"samples": 77}, "no such version.*versions 0 to 5"),
        ("1-77", "no such version"),
    ],
)
def test_a_past_that_is_not_there_is_refused(grown, as_of, rule):
    with pytest.raises(AsOfError, match=rule):
        grown.snapshot(as_of)


def test_a_version_whose_log_is_gone_says_which_are_there(tmp_path, make_samples):
    lake = Lake.open(tmp_path / "lake")
    for n in range(1, 30):
        lake.samples.append(make_samples([n]))
    lake.samples.delta().create_checkpoint()
    lake.samples.append(make_samples([30]))
    for version in range(29):
        say(lake.samples, version, LONG_AGO, delete=True)
    lake = Lake.open(tmp_path / "lake")
    with pytest.raises(VersionGoneError, match="versions 29 to 30 can be read") as refusal:
        lake.snapshot({"samples": 3})
    assert (refusal.value.table, refusal.value.oldest, refusal.value.newest) == ("samples", 29, 30)
    with pytest.raises(VersionGoneError, match="log of that time"):
        lake.snapshot(LONG_AGO)
    assert count(lake, {"samples": 29}) == 29


def test_a_version_whose_files_are_gone_says_which_are_there(grown, make_samples):
    rows = make_samples([1, 2], start=LONG_AGO)
    grown.samples.replace(rows, "cluster = 'eu'")
    first = Path(grown.samples.files(1)[1][0].path)
    first.unlink()
    with pytest.raises(VersionGoneError, match=r"vacuum.*versions 6 to 6"):
        grown.sql(COUNT, as_of={"samples": 3})
    with pytest.raises(VersionGoneError):
        grown.query_guarded("SELECT value FROM samples", Limits(), as_of={"samples": 3})
    assert count(grown, {"samples": 6}) == count(grown) == 2


def test_what_a_query_does_not_need_may_be_gone(grown, make_samples):
    grown.samples.append(make_samples([9], start=LONG_AGO + timedelta(days=40)))
    grown.samples.replace(make_samples([1], start=LONG_AGO), "date < '2026-02-01'")
    Path(grown.samples.files(1)[1][0].path).unlink()
    later = "SELECT count(*) AS n FROM samples WHERE date > '2026-02-01'"
    assert count(grown, {"samples": 6}, later) == 1
    with pytest.raises(VersionGoneError):
        count(grown, {"samples": 6})


@pytest.mark.parametrize("run", ["trusted", "guarded"])
def test_one_mention_may_be_of_another_past(grown, run):
    sql = """
        WITH old AS (SELECT count(*) AS n FROM samples AT (VERSION => 2) WHERE samples.value > 0)
        SELECT (SELECT n FROM old) AS two, count(*) AS five,
               (SELECT count(*) FROM samples AT (TIMESTAMP => '2026-01-01 00:31')) AS three,
               (SELECT count(*) FROM samples AT (VERSION => '1-1')) AS one,
               (SELECT count(*) FROM samples AS s AT (VERSION => 2) JOIN samples AT (VERSION => 4)
                USING (time)) AS both,
               (SELECT count(*) FROM metrics AT (VERSION => '1-4.0')) AS none,
               (SELECT count(*) FROM samples AT (VERSION => 3) WHERE value >= 3) AS pruned
        FROM samples"""
    rows = grown.sql(sql) if run == "trusted" else grown.query_guarded(sql, Limits()).rows
    (row,) = rows.to_pylist()
    assert row == {
        "two": 2, "five": 5, "three": 3, "one": 1, "both": 2, "none": 0, "pruned": 1,
    }  # fmt: skip


def test_a_past_of_parameters(grown):
    sql = "SELECT count(*) AS n FROM samples AT (VERSION => $v) WHERE value <= $most"
    assert grown.sql(sql, {"v": 4, "most": 3}).to_pylist() == [{"n": 3}]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("metrics AT (VERSION => 2)", "reads several"),
        ("samples AT (VERSION => 99)", "no such version"),
        ("samples AT (TIMESTAMP => '9000-01-01')", "in the future"),
        ("samples AT (VERSION => 'x')", "neither a time"),
    ],
)
@pytest.mark.parametrize("run", ["trusted", "guarded"])
def test_a_wrong_at_clause(grown, source, rule, run):
    sql = f"SELECT * FROM {source}"
    with pytest.raises(AsOfError, match=rule):
        grown.sql(sql) if run == "trusted" else grown.query_guarded(sql, Limits())


def test_a_common_table_of_a_tables_name_has_no_past(grown):
    """AT is of tables alone: DuckDB looks past the CTE, and so do we."""
    sql = "WITH samples AS (SELECT 1 AS n) SELECT count(*) AS n FROM samples AT (VERSION => 2)"
    assert grown.sql(sql).to_pylist() == [{"n": 2}]


def test_callers_of_some_clusters_see_no_others_in_the_past(grown, make_samples):
    grown.samples.append(make_samples([1], cluster="us"))
    sql = f"SELECT count(*) AS n FROM samples AT (VERSION => {grown.samples.version()})"
    rows = grown.query_guarded(sql, Limits(), clusters=["us"]).rows
    assert rows.to_pylist() == [{"n": 1}]


def test_unknown_names_stay_the_engines_to_refuse(grown):
    with pytest.raises(QueryError):
        grown.sql("SELECT * FROM nowhere AT (VERSION => 2)")


def test_ids_stay_readable():
    """Tables are added at the end: an id of today names the same tables for ever."""
    of_today = ["samples", "series", "events", "anomalies", "objects", "samples_5m", "samples_1h"]
    assert list(TABLES)[: len(of_today)] == of_today
    parsed = SnapshotId.parse("1-1.2.3.4.5.6.7").versions
    assert [parsed[name] for name in of_today] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("text", ["", "1", "1-", "1-x", "1-1..2", "1-1.", "-1-2", "1-1 ", "1-¹"])
def test_what_is_no_id(text):
    assert not SnapshotId.looks_like_one(text)
    with pytest.raises(AsOfError, match="no snapshot id"):
        SnapshotId.parse(text)


def test_the_same_text_may_be_asked_again_however_it_names_the_past(grown):
    sql = "SELECT count(*) AS n FROM samples AT/* then */(VERSION => 2)"
    once = grown.sql(sql)
    assert once == grown.sql("SELECT count(*) AS n FROM samples AT (VERSION => 2)")
    assert grown.sql(sql) == once
