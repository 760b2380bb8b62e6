"""A caller of some clusters gets their rows, and a number alone makes no series."""

from pathlib import Path

import pyarrow as pa
import pytest

from lake import Limits
from lake.errors import ResultTooLargeError
from lake.range_query import Pool, answered
from lake.schema import SERIES
from tests.lake.range_query.conftest import of_series

QUERIES = [
    "SELECT cluster, count(*) AS n FROM samples WHERE metric = 'up' GROUP BY 1",
    "SELECT cluster, count(*) AS n FROM metrics WHERE metric = 'up' GROUP BY 1",
    "SELECT cluster, count(*) AS n FROM metrics WHERE metric = 'up' AND pod = 'pod-0' GROUP BY 1",
    "SELECT cluster, time FROM metrics WHERE metric = 'up' AND cluster IN ('eu', 'us')",
]


@pytest.mark.parametrize("sql", QUERIES)
def test_clusters_of_others_are_not_there(some_days, sql):
    snapshot, pool = some_days.snapshot(), Pool(1 << 20)
    of_all = answered(snapshot, sql, pool=pool)
    assert len(set(of_all["cluster"].to_pylist())) > 1
    mine = answered(snapshot, sql, ["us"], pool=pool)
    assert set(mine["cluster"].to_pylist()) == {"us"}
    assert answered(snapshot, sql, [], pool=pool).num_rows == 0
    assert mine.num_rows == some_days.query_guarded(sql, Limits(), clusters=["us"]).rows.num_rows


def test_a_number_that_another_cluster_made_up(lake, make_samples):
    """Numbers are hashes of labels, and who sends labels may look for two of one number."""
    mine = ("eu", "up", 7, "host_0", "pod-0")
    lake.series.append(pa.Table.from_pylist(of_series([mine]), SERIES.schema))
    lake.samples.append(make_samples([1.0, 2.0], cluster="eu", metric="up", series_id=7))
    lake.samples.append(make_samples([666.0], cluster="evil", metric="up", series_id=7))
    lake.samples.append(make_samples([667.0], cluster="eu", metric="other", series_id=7))
    snapshot = lake.snapshot()
    sql = "SELECT value FROM metrics WHERE metric IN ('up', 'other') AND pod = 'pod-0'"
    assert sorted(answered(snapshot, sql)["value"].to_pylist()) == [1.0, 2.0]
    sql = "SELECT value FROM samples WHERE metric = 'up' AND series_id = 7"
    assert sorted(answered(snapshot, sql, ["eu"])["value"].to_pylist()) == [1.0, 2.0]


def test_a_series_of_which_two_things_are_known_is_for_an_engine(lake, make_samples):
    rows = [("eu", "up", 7, "host_0", "pod-0"), ("eu", "up", 7, "host_0", "pod-1")]
    lake.series.append(pa.Table.from_pylist(of_series(rows), SERIES.schema))
    lake.samples.append(make_samples([1.0], cluster="eu", metric="up", series_id=7))
    snapshot = lake.snapshot()
    assert answered(snapshot, "SELECT pod, value FROM metrics WHERE metric = 'up'") is None


def test_the_limits_of_an_answer_hold(some_days):
    sql = "SELECT time, value FROM samples WHERE metric = 'up'"
    assert answered(some_days.snapshot(), sql) is not None
    with pytest.raises(ResultTooLargeError):
        some_days.query_guarded(sql, Limits(rows=10))
    with pytest.raises(ResultTooLargeError):
        some_days.query_guarded(sql, Limits(result_bytes=1000))


def test_a_file_that_cannot_be_read_is_told_by_the_engine(some_days):
    snapshot = some_days.snapshot()
    sql = "SELECT max(value) AS v FROM samples WHERE metric = 'up'"
    for file in snapshot.tables["samples"].files:
        with Path(file.path).open("r+b") as content:
            content.truncate(file.size // 2)
    assert answered(snapshot, sql, pool=Pool(1 << 20)) is None
