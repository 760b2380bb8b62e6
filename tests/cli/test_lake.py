"""`fleetlake lake`: what it says is so, and what it is told to do is done."""

import json
from datetime import timedelta

import pytest

from lake import Lake
from lake.inspect_log import log_size


@pytest.fixture
def lake(tmp_path, make_samples, noon):
    """Thirty small files of two clusters."""
    lake = Lake.open(tmp_path / "data" / "lake")
    for i in range(15):
        for cluster in ("eu", "us"):
            start = noon + timedelta(seconds=i)
            lake.samples.append(make_samples([1.0], start=start, cluster=cluster))
    return lake


def test_inspect(fleetlake, lake):
    told = json.loads(fleetlake("lake", "inspect", "--dir", "data", "--json", "--clusters").stdout)
    assert told["snapshot_id"] == lake.snapshot().id
    (samples,) = [row for row in told["tables"] if row["table_name"] == "samples"]
    files = lake.samples.files()[1]
    assert (samples["files"], samples["small_files"], samples["rows"]) == (30, 30, 30)
    assert samples["bytes"] == sum(file.size for file in files)
    assert samples["log"]["tail"] == log_size(lake.samples).tail > 0
    assert told["hot_days"][0]["files"] == 30
    assert [(row["cluster"], row["samples"]) for row in told["clusters"]] == [
        ("eu", 15),
        ("us", 15),
    ]
    shown = fleetlake("lake", "inspect", "--dir", "data")
    assert shown.returncode == 0, shown.stderr
    for text in ("samples_5m", "Hot days", "2026-03-01", "Logs"):
        assert text in shown.stdout
    as_sql = "SELECT files FROM lake_tables WHERE table_name = 'samples'"
    assert json.loads(fleetlake("sql", "--dir", "data", "--json", as_sql).stdout) == [{"files": 30}]


def test_compact(fleetlake, lake):
    planned = json.loads(
        fleetlake("lake", "compact", "--dir", "data", "--json", "--dry-run").stdout
    )
    assert planned[0]["table_name"] == "samples"
    assert planned[0]["files"] > 1
    assert len(lake.samples.files()[1]) == 30
    done = json.loads(fleetlake("lake", "compact", "--dir", "data", "--json").stdout)
    (samples,) = [row for row in done if row["table_name"] == "samples"]
    assert samples["merges"] >= 1
    assert len(lake.samples.files()[1]) < 30
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [30]
    again = json.loads(fleetlake("lake", "compact", "--dir", "data", "--json", "--dry-run").stdout)
    assert again == []


def test_clean(fleetlake, lake):
    done = fleetlake("lake", "clean", "--dir", "data", "--json")
    assert {row["table_name"] for row in json.loads(done.stdout)} == set(lake.tables), done.stderr


def test_delete_cluster(fleetlake, lake):
    def left():
        rows = lake.sql("SELECT cluster, count(*) AS n FROM samples GROUP BY 1 ORDER BY 1")
        return rows.to_pylist()

    both = [{"cluster": "eu", "n": 15}, {"cluster": "us", "n": 15}]
    planned = fleetlake("lake", "delete-cluster", "us", "--dir", "data", "--json", "--dry-run")
    assert {"table_name": "samples", "rows": 15} in json.loads(planned.stdout)
    refused = fleetlake("lake", "delete-cluster", "us", "--dir", "data", "--json")
    assert refused.returncode != 0
    assert left() == both
    done = fleetlake("lake", "delete-cluster", "us", "--dir", "data", "--json", "--yes")
    assert done.returncode == 0, done.stderr
    assert left() == both[:1]


def test_a_lake_that_is_none(fleetlake):
    done = fleetlake("lake", "inspect", "--dir", "data")
    assert done.returncode == 2
    assert "no lake in" in done.stderr
