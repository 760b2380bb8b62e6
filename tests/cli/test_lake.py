"""`fleetlake lake`: what it says is so, and what it is told to do is done."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from lake import Lake, utc_now
from lake.inspect_log import log_size
from lake.maintenance import CompactionPolicy, compact

PROGRAM = Path(sys.executable).with_name("fleetlake")


@pytest.fixture
def lake(tmp_path, make_samples, noon):
    """Thirty small files of two clusters."""
    lake = Lake.open(tmp_path / "data" / "lake")
    for i in range(15):
        for cluster in ("eu", "us"):
            start = noon + timedelta(seconds=i)
            lake.samples.append(make_samples([1.0], start=start, cluster=cluster))
    return lake


def test_inspect(fleetlake, installed, lake):
    told = json.loads(installed("lake", "inspect", "--dir", "data", "--json", "--clusters").stdout)
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


@pytest.mark.parametrize(
    "command",
    [
        ["lake", "inspect"],
        ["lake", "compact", "--dry-run"],
        ["lake", "clean", "--dry-run"],
        ["lake", "delete-cluster", "eu", "--dry-run"],
        ["sql", "SELECT count(*) AS rows FROM samples"],
    ],
    ids=lambda command: command[1][:7],
)
def test_settings_may_lie_anywhere(fleetlake, lake, tmp_path, command):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "its.yaml").write_text(f"data_dir: {tmp_path / 'data'}")
    told = fleetlake(*command, "--json", "--config", "elsewhere/its.yaml")
    assert told.returncode == 0, told.stderr
    assert "samples" in told.stdout or json.loads(told.stdout) == [{"rows": 30}]
    missing = fleetlake(*command, "--config", "elsewhere/none.yaml")
    assert missing.returncode != 0
    assert "none.yaml: No such file" in missing.stderr


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


def settings(tmp_path, text):
    (tmp_path / "fleetlake.yaml").write_text(text)


def test_clean_says_before_what_it_does(fleetlake, lake, tmp_path, make_samples, noon):
    settings(tmp_path, "maintenance: {grace: PT2H, keep: {samples: {days: 30}}}")
    lake.samples.append(make_samples([1.0], start=utc_now()))
    crashed = lake.samples.write(make_samples([1.0], start=noon), noon.date())
    path = lake.samples.folder / crashed.path
    yesterday = (utc_now() - timedelta(days=1)).timestamp()
    os.utime(path, (yesterday, yesterday))
    version = lake.samples.version()

    planned = fleetlake("lake", "clean", "--dir", "data", "--dry-run", "--json")
    rows = {row.pop("table_name"): row for row in json.loads(planned.stdout)}
    assert set(rows) == set(lake.tables)
    assert rows["samples"]["drop_files"] == rows["samples"]["drop_rows"] == 30
    assert rows["samples"]["delete_files"] == 1
    assert rows["samples"]["delete_bytes"] == crashed.size
    assert (path.exists(), lake.samples.version()) == (True, version)
    shown = fleetlake("lake", "clean", "--dir", "data", "--dry-run")
    assert "To be cleaned" in shown.stdout

    done = fleetlake("lake", "clean", "--dir", "data", "--json")
    (samples,) = [row for row in json.loads(done.stdout) if row["table_name"] == "samples"]
    assert (samples["dropped_rows"], samples["deleted_files"]) == (30, 1)
    assert samples["deleted_bytes"] == crashed.size
    assert not path.exists()
    assert lake.sql("SELECT count(*) AS n FROM samples")["n"].to_pylist() == [1]


def test_clean_in_the_dry_run_looks_through_files_of_several_clusters(fleetlake, lake, tmp_path):
    settings(tmp_path, "maintenance: {keep: {samples: {days: 30, clusters: {us: null}}}}")
    compact(lake.samples, CompactionPolicy(), utc_now())
    planned = json.loads(fleetlake("lake", "clean", "--dir", "data", "--dry-run", "--json").stdout)
    (samples,) = [row for row in planned if row["table_name"] == "samples"]
    assert (samples["drop_files"], samples["look_through_files"]) == (0, 1)


def read_to_end(terminal):
    """What a program writes to a terminal, which would stop it if nobody read."""
    with suppress(OSError):  # Linux' way to tell that the other side is closed
        while piece := os.read(terminal, 10_000):
            yield piece.decode(errors="replace")
    os.close(terminal)


@pytest.mark.parametrize(
    ("command", "bar"), [("compact", "samples"), ("clean", "samples: drop")], ids=lambda x: x
)
def test_a_bar_on_a_terminal_and_none_elsewhere(fleetlake, lake, tmp_path, command, bar):
    settings(tmp_path, "maintenance: {keep: {samples: {days: 30}}}")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    arguments = [PROGRAM, "lake", command, "--dir", "data", "--json"]
    process = subprocess.Popen(
        arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    drawn = "".join(read_to_end(ours))
    told = process.communicate()[0]
    assert process.returncode == 0, drawn
    assert bar in drawn
    assert json.loads(told)
    lake.samples.append(lake.sql("FROM stored.samples").drop_columns(["date"]))
    assert fleetlake("lake", command, "--dir", "data", "--json").stderr == ""


def test_take_out(fleetlake, lake):
    """What the error says can be done is there, and does it."""
    path = Path(lake.samples.files()[1][3].path)
    path.write_bytes(path.read_bytes()[:40])
    count = ("sql", "--dir", "data", "--json", "SELECT count(value) AS n FROM samples")
    refused = fleetlake(*count)
    assert refused.returncode == 2
    assert "fleetlake lake take-out" in refused.stderr
    assert str(path) in refused.stderr
    command = ("lake", "take-out", path, "--dir", "data", "--json")
    (planned,) = json.loads(fleetlake(*command, "--dry-run").stdout)
    assert (planned["table_name"], planned["rows"]) == ("samples", 1)
    assert fleetlake(*command).returncode != 0  # nobody said yes
    assert fleetlake(*count).returncode == 2
    done = fleetlake(*command, "--yes")
    assert json.loads(done.stdout) == [planned], done.stderr
    assert json.loads(fleetlake(*count).stdout) == [{"n": 29}]
    again = fleetlake(*command, "--yes")
    assert again.returncode == 2
    assert "no table names file" in again.stderr


def test_compact_names_what_is_damaged_and_merges_the_rest(fleetlake, lake):
    path = Path(lake.samples.files()[1][3].path)
    path.write_bytes(b"")
    done = fleetlake("lake", "compact", "--dir", "data", "--json")
    assert done.returncode == 2
    assert str(path) in done.stderr
    (samples,) = [row for row in json.loads(done.stdout) if row["table_name"] == "samples"]
    assert samples["files_in"] == 29
    assert len(lake.samples.files()[1]) == 2


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
