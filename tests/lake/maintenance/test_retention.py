"""Whole days go, of each cluster after its own time, and nothing else does."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import CommitKey, Lake
from lake.files import TableFile
from lake.maintenance.compaction import compact
from lake.maintenance.levels import prefix_of
from lake.maintenance.policy import CompactionPolicy, Keep, Policy
from lake.maintenance.retention import plan, retain
from lake.maintenance.series_retention import cutoffs, retain_series
from lake.schema import SERIES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = CompactionPolicy()
CLUSTERS = ["ap", "eu", "us"]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    commits=st.lists(
        st.lists(st.tuples(st.sampled_from(CLUSTERS), st.integers(0, 5)), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    ),
    days=st.one_of(st.none(), st.integers(1, 6)),
    own=st.dictionaries(st.sampled_from(CLUSTERS), st.one_of(st.none(), st.integers(1, 6))),
    compacted=st.booleans(),
)
def test_exactly_what_is_too_old_goes(
    commits, days, own, compacted, tmp_path_factory, make_samples
):
    lake = Lake.open(tmp_path_factory.mktemp("lake"))
    written = set()
    for number, commit in enumerate(commits):
        for cluster, age in commit:
            written.add((cluster, age))
        lake.samples.append(
            pa.concat_tables(
                make_samples(
                    [number], NOON - timedelta(days=age), cluster=cluster, series_id=number
                )
                for cluster, age in commit
            )
        )
    if compacted:
        compact(lake.samples, POLICY, NOON)
    keep = Keep(days, own)
    retain(lake.samples, keep, NOON, POLICY)
    found = lake.sql(
        "SELECT DISTINCT cluster, (DATE '2026-03-01' - date)::BIGINT AS age FROM samples"
    )
    assert {(row["cluster"], row["age"]) for row in found.to_pylist()} == {
        (cluster, age)
        for cluster, age in written
        if own.get(cluster, days) is None or age <= own.get(cluster, days)
    }
    version = lake.samples.version()
    again = retain(lake.samples, keep, NOON, POLICY)
    assert (again.files, again.rewritten) == (0, 0)
    assert lake.samples.version() == version


def test_a_part_of_a_merged_file_keeps_its_place_in_the_plan(lake, make_samples, later):
    rows = [make_samples([1.0], cluster=cluster) for cluster in CLUSTERS]
    lake.samples.append(pa.concat_tables(rows))
    compact(lake.samples, POLICY, later)
    (before,) = lake.samples.files()[1]
    done = retain(lake.samples, Keep(None, {"eu": 1}), later, POLICY)
    (after,) = lake.samples.files()[1]
    assert (done.files, done.rewritten, done.rows) == (0, 1, 1)
    assert prefix_of(after) == prefix_of(before)
    assert after.modified_ms == before.modified_ms
    assert compact(lake.samples, POLICY, later).merges == 0


def test_files_without_a_row_to_drop_are_not_planned(lake, make_samples):
    lake.samples.append(make_samples([1.0], cluster="zz"))
    lake.samples.append(make_samples([1.0], cluster="eu"))
    today = date(2026, 4, 1)
    (drop,) = plan(lake.samples.files()[1], Keep(None, {"eu": 7}), today)
    assert drop.whole
    assert drop.file.clusters == ("eu", "eu")


def test_rollups_are_told_the_cutoff_before_rows_go(lake, make_samples, later):
    """Else a late sample of a day that is gone would be taken for all of it."""
    lake.samples.append(make_samples())
    retain(lake.samples, Keep(3), later, POLICY)
    cutoff = datetime(2026, 3, 7, tzinfo=UTC)
    assert lake.samples.committed_position("retention") == round(cutoff.timestamp()) * 10**6


def test_positions_survive(lake, make_samples, later):
    lake.samples.append(make_samples(), CommitKey("app", 7))
    assert retain(lake.samples, Keep(1), later, POLICY).files == 1
    assert Lake.open(lake.root).samples.committed_position("app") == 7


@pytest.mark.parametrize("days", [None, 10**9])
def test_for_ever(lake, make_samples, days):
    lake.samples.append(make_samples())
    far = datetime(9999, 1, 1, tzinfo=UTC)
    assert retain(lake.samples, Keep(days), far, POLICY).files == 0


def series(lake, name, seen):
    row = {"cluster": name, "metric": "up", "series_id": 1, "first_seen": seen, "last_seen": seen}
    lake.series.append(
        pa.table(
            [pa.array([row.get(f.name)], f.type) for f in SERIES.schema], names=SERIES.schema.names
        )
    )


def file_of(least, greatest, age):
    day = (NOON - timedelta(days=age)).date()
    return TableFile("x", day, 1, 1, None, None, clusters=(least, greatest))


def test_a_cluster_whose_name_the_statistics_cut_short_is_in_the_plan():
    file = file_of("a", "production-eu", 9)
    (drop,) = plan([file], Keep(None, {"production-europe-west": 5}), NOON.date())
    assert drop.where == "cluster NOT IN ('production-europe-west')"
    (drop,) = plan([file], Keep(5, {"production-europe-west": None}), NOON.date())
    assert drop.where == "cluster IN ('production-europe-west')"


def test_a_cluster_does_not_stay_for_one_whose_name_begins_like_its_own(lake, make_samples, later):
    lake.samples.append(make_samples())
    retain(lake.samples, Keep(0, {"eu-1": None}), later, POLICY)
    assert lake.samples.files()[1] == ()
    lake.samples.append(make_samples())
    retain(lake.samples, Keep(0, {"eu-1": 0, "eu": None}), later, POLICY)
    assert [file.rows for file in lake.samples.files()[1]] == [1]


def test_series_go_when_no_table_has_a_sample_of_them(lake):
    policy = Policy(
        keep={
            "samples": Keep(2),
            "samples_5m": Keep(10, {"lab": 1}),
            "samples_1h": Keep(20, {"lab": 1}),
        }
    )
    now = NOON + timedelta(days=30)
    for name, age in [("eu", 19), ("us", 22), ("lab", 19), ("old", 40)]:
        series(lake, name, now - timedelta(days=age))
    series(lake, "old", now - timedelta(days=1))
    done = retain_series(lake.series, policy, now)
    names = lake.sql("SELECT cluster, first_seen FROM series ORDER BY 1").to_pylist()
    assert [row["cluster"] for row in names] == ["eu", "old"]
    assert names[1]["first_seen"] == now - timedelta(days=40)
    assert done.rows == 2
    assert retain_series(lake.series, policy, now).rows == 0


def test_a_table_that_is_kept_for_ever_keeps_all_series():
    policy = Policy(keep={"samples": Keep(2), "samples_5m": Keep(10)})
    assert cutoffs(policy, NOON.date()) == (date.min, {})
