"""The program from outside: help, errors, SQL, imports, detection on files."""

import csv
import io
import json
import socket
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.metadata import version

import polars as pl
import pytest

from api.cli.main import COMMANDS
from ingest import direct
from ingest.catalogue import Catalogue
from ingest.series import identify
from lake import CommitKey, Lake

START = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def samples_file(tmp_path):
    path = tmp_path / "cpu.csv"
    rows = [(START + timedelta(minutes=i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(300)]
    lines = [f"{t},{100 + i % 7},web" for i, t in enumerate(rows)]
    lines[250:255] = [f"{t},900,web" for t in rows[250:255]]
    path.write_text("\n".join(["timestamp,value,host", *lines]) + "\n")
    return path


@pytest.fixture
def data_dir(tmp_path):
    """A data folder with a sample of NaN and one with labels that need quoting."""
    catalogue = Catalogue()
    labels = {"__name__": "up", "cluster": "eu", "path": 'a,"b"\n'}
    times = [round(START.timestamp() * 1000) + i for i in range(2)]
    batch = direct.batch(catalogue, [identify(labels.items())], [times], [[1.5, float("nan")]])
    direct.append(Lake.open(tmp_path / "data" / "lake"), catalogue, batch, CommitKey("t", 1))
    return tmp_path / "data"


def failed(done, *fragments):
    """It failed as a program should: one line that says what is wrong, and nothing else."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert lines[-1] == errors[0]
    assert "Traceback" not in done.stderr
    for fragment in fragments:
        assert fragment in errors[0]


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_the_first_screen_says_what_to_do_next(installed, arguments):
    done = installed(*arguments)
    screen = done.stdout + done.stderr
    assert "New here? Run fleetlake demo" in " ".join(screen.split())
    for command in ("demo", "up", "sql", "import", "detect"):
        assert command in screen
    assert done.returncode == (0 if arguments else 2)
    assert len(screen.splitlines()) < 40


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_is_in_their_own_words(name):
    place, text = COMMANDS[name]
    module, _, attribute = place.partition(":")
    command = getattr(import_module(module), attribute)
    own = command.info.help if name == "lake" else command.__doc__
    assert own.splitlines()[0] == text


def test_version(installed):
    assert installed("--version").stdout == version("fleetlake") + "\n"


def test_errors_are_one_line(fleetlake, installed, tmp_path, data_dir):
    failed(installed("sql", "SELECT 1"), "no lake in", "fleetlake up")
    failed(fleetlake("sql", "--dir", data_dir, "--output", "x.doc", "SELECT 1"), "x.doc")
    failed(fleetlake("detect", "none.csv", "--out", "x.csv"), "none.csv")
    (tmp_path / "bad.yaml").write_text("api: {port: 70000}")
    failed(installed("up", "--config", "bad.yaml"), "api.port", "70000")
    (tmp_path / "typo.yaml").write_text("api: {port: 0}\ndetection: {detectors: [{name: widow}]}")
    failed(fleetlake("up", "--config", "typo.yaml"), "'widow'")


def test_what_is_in_brackets_is_shown_as_it_is(fleetlake, data_dir):
    done = fleetlake("sql", "--dir", data_dir, 'SELECT "[bold]" FROM samples')
    assert done.returncode == 2
    assert done.stderr.count('"[bold]"') == 2, "in the message, and in the line below it"


def test_a_taken_port_is_an_error_that_helps(fleetlake):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed(fleetlake("demo", "--port", port), str(port), "--port")


def test_sql_as_json(fleetlake, data_dir):
    query = "SELECT time, value, labels FROM metrics ORDER BY time"
    done = fleetlake("sql", "--dir", data_dir, "--format", "json", query)
    rows = json.loads(done.stdout, parse_constant=pytest.fail)
    assert [row["value"] for row in rows] == [1.5, None]
    assert rows[0]["time"] == "2026-11-23T00:00:00Z"
    assert rows[0]["labels"] == {"__name__": "up", "cluster": "eu", "path": 'a,"b"\n'}


def test_sql_as_csv(fleetlake, data_dir):
    query = (
        "SELECT time, value, labels['path'] AS path, labels, 'ab'::BLOB AS raw FROM metrics LIMIT 1"
    )
    done = fleetlake("sql", "--dir", data_dir, "--format", "csv", query)
    header, row = csv.reader(io.StringIO(done.stdout, newline=""))
    assert header == ["time", "value", "path", "labels", "raw"]
    assert row[0].startswith("2026-11-23T00:00:00")
    assert row[1] in ("1.5", "NaN")
    assert row[2] == 'a,"b"\n'
    assert json.loads(row[3])["cluster"] == "eu"
    assert row[4] == "YWI="


def test_sql_as_parquet(fleetlake, data_dir):
    done = fleetlake(
        "sql", "--dir", data_dir, "--format", "parquet", "SELECT * FROM samples", text=False
    )
    frame = pl.read_parquet(io.BytesIO(done.stdout))
    assert frame["metric"].to_list() == ["up", "up"]


def test_sql_as_a_table(fleetlake, data_dir):
    done = fleetlake("sql", "--dir", data_dir, "SELECT cluster, time, value FROM samples")
    assert "2026-11-23 00:00:00" in done.stdout
    assert "eu" in done.stdout
    odd = fleetlake("sql", "--dir", data_dir, "SELECT '[/red]' AS \"[b]\", '[i]x' AS \"[b]\"")
    assert odd.returncode == 0, odd.stderr
    assert odd.stdout.count("[b]") == 2
    assert "[/red]" in odd.stdout
    assert "[i]x" in odd.stdout
    many = fleetlake("sql", "--dir", data_dir, "SELECT * FROM range(1000)")
    assert "200 of 1,000 rows" in many.stderr
    assert "200 of" not in many.stdout


def test_import_twice(fleetlake, installed, tmp_path, samples_file):
    command = (
        "import",
        samples_file,
        "--dir",
        "data",
        "--cluster",
        "eu",
        "--metric",
        "cpu",
        "--json",
    )
    first = json.loads(installed(*command).stdout)
    assert first == [
        {
            "file": str(samples_file),
            "samples": 300,
            "series": 1,
            "resumed": 0,
            "exemplars_dropped": 0,
        }
    ]
    again = json.loads(fleetlake(*command).stdout)
    assert again[0]["samples"] == 0
    assert "had it already" in fleetlake(*command[:-1]).stdout
    lake = Lake.open(tmp_path / "data" / "lake", create=False)
    held = lake.sql("SELECT count(*) AS n, any_value(labels['host']) AS host FROM metrics")
    assert held.to_pylist() == [{"n": 300, "host": "web"}]


def test_import_several_files_of_several_kinds(fleetlake, tmp_path):
    (tmp_path / "a.om").write_text(
        "# TYPE load gauge\nload 1 1772323200\nload 2 1772323230\n# EOF\n"
    )
    (tmp_path / "b.dump").write_text('{__name__="up", job="node"} 1 1772323200000\n')
    (tmp_path / "wrong.txt").write_text("up 1 99999999999999\n")
    done = fleetlake("import", "a.om", "b.dump", "--dir", "data", "--cluster", "eu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "a.om: 2 samples of 1 series",
        "b.dump: 1 samples of 1 series",
    ]
    failed(
        fleetlake("import", "wrong.txt", "--dir", "data", "--cluster", "eu"),
        "wrong.txt",
        "line 1",
        "the latest accepted is",
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_detect(fleetlake, tmp_path, samples_file, form):
    out = tmp_path / f"scores.{form}"
    done = fleetlake("detect", samples_file, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "300 rows" in done.stderr
    frame = pl.read_csv(out) if form == "csv" else pl.read_parquet(out)
    assert frame.columns == ["host", "timestamp", "score", "expected", "lower", "upper"]
    assert frame.height == 300
    assert frame["score"][250:255].min() > 1.0
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_detect_by_entity_with_chosen_training(fleetlake, installed, tmp_path, samples_file):
    done = installed(
        "detect", samples_file, "--out", "s.csv", "--by", "host", "--detector", "entity_memory",
        "--train-where", "timestamp < '2026-11-23 03:00:00+00'",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(tmp_path / "s.csv").columns == ["host", "timestamp", "score"]
    failed(fleetlake("detect", samples_file, "--out", "t.csv", "--by", "rack"), "'rack'")
    assert not (tmp_path / "t.csv").exists()


def test_the_result_is_not_written_into_nowhere(fleetlake, samples_file):
    failed(fleetlake("detect", samples_file, "--out", "no/such/folder/x.csv"), "no/such/folder")
