"""`fleetlake sql` as people and scripts use it: formats, files, servers, the prompt."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from api.app import create_app
from api.server import bind, serving
from lake import Lake
from orchestration.service import Service
from orchestration.settings import Settings
from tests.patience import MINUTES, PATIENCE, SOON, wait_until

PROGRAM = Path(sys.executable).with_name("fleetlake")
ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 3"


@pytest.fixture
def data_dir(tmp_path, make_samples):
    lake = Lake.open(tmp_path / "data" / "lake")
    lake.samples.append(make_samples([1.5, float("nan"), -0.25]))
    return tmp_path / "data"


@pytest.fixture
def server(data_dir):
    limits = {"sql_rows": 1000, "sql_seconds": MINUTES}
    service = Service.build(Settings(data_dir=data_dir, api=limits))
    with serving(create_app(service, run_worker=False), bind("127.0.0.1", 0)) as url:
        yield url


QUERY = "SELECT time, cluster, value FROM samples ORDER BY time"
TIMES = ["2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", "2026-03-01T12:00:02Z"]


@pytest.fixture(params=["local", "remote"])
def where(request, data_dir):
    """Options that name the same lake, on this machine or by its server."""
    if request.param == "local":
        return ["--dir", data_dir]
    return ["--url", request.getfixturevalue("server")]


def test_formats_are_the_same_here_and_there(fleetlake, where):
    def run(*more):
        done = fleetlake("sql", *where, *more, QUERY, text=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        return done.stdout

    values = [1.5, None, -0.25]
    expected = [
        {"time": at, "cluster": "eu", "value": value}
        for at, value in zip(TIMES, values, strict=True)
    ]
    assert json.loads(run("--json")) == json.loads(run("--format", "json")) == expected
    assert [json.loads(line) for line in run("--format", "ndjson").splitlines()] == expected
    assert run("--format", "csv").decode().splitlines()[1] == f"{TIMES[0]},eu,1.5"
    arrow = pa.ipc.open_stream(run("--format", "arrow"))
    assert b"fleetlake.snapshot_id" in arrow.schema.metadata
    assert arrow.read_all()["value"].to_pylist()[0] == 1.5
    frame = pl.read_parquet(io.BytesIO(run("--format", "parquet")))
    assert frame["value"].to_list()[2] == -0.25


def test_a_table_for_people(fleetlake, where):
    done = fleetlake("sql", *where, QUERY)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "2026-03-01 12:00:00" in lines[3]
    assert "nan" in lines[4]
    assert lines[3].rstrip(" │").endswith("  1.5")
    assert lines[5].rstrip(" │").endswith("-0.25"), "numbers stand on the right"
    assert done.stderr.startswith("3 rows in ")
    assert "snapshot " in done.stderr


def test_what_does_not_fit_is_said(fleetlake, data_dir):
    wide = "SELECT " + ", ".join(f"{i} AS column_{i}" for i in range(40))
    done = fleetlake("sql", "--dir", data_dir, wide)
    assert max(map(len, done.stdout.splitlines())) <= 140
    assert "of 40 columns fit" in done.stderr
    long = fleetlake("sql", "--dir", data_dir, "SELECT repeat('x', 500), 'a' || chr(10) || 'b'")
    assert "…" in long.stdout
    assert "a⏎b" in long.stdout
    assert len(long.stdout.splitlines()) == 5
    many = fleetlake("sql", "--dir", data_dir, "SELECT * FROM range(1000)")
    assert "200 of 1,000 rows" in many.stderr
    assert "1,000 rows in" in many.stderr


def test_a_query_comes_from_a_file_or_standard_input(fleetlake, data_dir, tmp_path):
    (tmp_path / "query.sql").write_text("-- how many\nSELECT count(*) AS n FROM samples;\n")
    by_file = fleetlake("sql", "--dir", data_dir, "--file", "query.sql", "--json")
    assert json.loads(by_file.stdout) == [{"n": 3}]
    for arguments in ([], ["-"]):
        done = fleetlake("sql", "--dir", data_dir, "--json", *arguments, input="SELECT 1 AS x;\n")
        assert json.loads(done.stdout) == [{"x": 1}], done.stderr


@pytest.mark.parametrize("name", ["x.parquet", "x.csv", "x.json", "x.arrow", "x.ndjson"])
def test_the_output_has_the_format_of_its_ending(fleetlake, data_dir, tmp_path, name):
    done = fleetlake("sql", "--dir", data_dir, "--output", name, QUERY)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("3 rows in ")
    content = (tmp_path / name).read_bytes()
    starts = {"parquet": b"PAR1", "csv": b"time,", "json": b"[{", "ndjson": b"{", "arrow": b"\xff"}
    assert content.startswith(starts[name.split(".")[1]])
    assert list(tmp_path.glob(".*")) == []


def test_a_query_that_fails_leaves_no_output(fleetlake, data_dir, tmp_path):
    late = "SELECT CASE WHEN i = 900000 THEN error('late') ELSE 1 END FROM range(1000000) t(i)"
    done = fleetlake("sql", "--dir", data_dir, "--output", "x.csv", late)
    assert done.returncode == 2
    assert "late" in done.stderr
    assert list(tmp_path.glob("*x.csv*")) == []


def test_no_rows_in_every_format(fleetlake, data_dir):
    none = "SELECT time, value FROM samples WHERE false"
    run = {
        form: fleetlake("sql", "--dir", data_dir, "--format", form, none).stdout
        for form in ("json", "ndjson", "csv")
    }
    assert run == {"json": "[]\n", "ndjson": "", "csv": "time,value\n"}


@pytest.mark.parametrize(
    ("query", "said", "below"),
    [
        ("SELEC 1", "(line 1, column 1)", ["  SELEC 1", "  ^"]),
        (
            "SELECT no FROM samples",
            "(line 1, column 8)",
            ["  SELECT no FROM samples", "         ^"],
        ),
        ("SELECT 1,\n  nothing\nFROM samples", "(line 2, column 3)", ["    nothing", "    ^"]),
    ],
)
def test_a_mistake_is_shown_where_it_is(fleetlake, where, query, said, below):
    done = fleetlake("sql", *where, query)
    assert done.returncode == 2
    assert done.stdout == ""
    first, *rest = done.stderr.rstrip().splitlines()
    assert first.startswith("error: ")
    assert first.endswith(said)
    assert rest == below


def test_servers_that_are_none(fleetlake, server, data_dir):
    done = fleetlake("sql", "--url", "http://127.0.0.1:9", "SELECT 1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: http://127.0.0.1:9")
    other = fleetlake("sql", "--url", server + "/docs", "SELECT 1")
    assert other.returncode == 2
    assert other.stderr.startswith("error: ")
    limited = fleetlake("sql", "--url", server, "SELECT * FROM range(1001)")
    assert "1000 rows" in limited.stderr
    assert "Traceback" not in done.stderr + other.stderr + limited.stderr


def test_the_past(fleetlake, where, data_dir, make_samples):
    first = fleetlake("sql", *where, "SELECT count(*) AS n FROM samples")
    snapshot = first.stderr.split("snapshot ")[1].strip()
    Lake.open(data_dir / "lake").samples.append(make_samples([1.0], cluster="us"))
    count = ["--json", "SELECT count(*) AS n FROM samples"]
    assert json.loads(fleetlake("sql", *where, *count).stdout) == [{"n": 4}]
    past = fleetlake("sql", *where, "--as-of", snapshot, *count)
    assert json.loads(past.stdout) == [{"n": 3}], past.stderr
    wrong = fleetlake("sql", *where, "--as-of", "yesterday-ish", *count)
    assert wrong.returncode == 2
    assert "yesterday-ish" in wrong.stderr


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, arguments, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(
                {"HOME": str(home), "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "90"}
            )
            os.execv(PROGRAM, ["fleetlake", "sql", *map(str, arguments)])
        self.seen = ""

    def until(self, text, seconds=PATIENCE):
        """What came up to this text."""
        assert self.comes(text, seconds), self.seen
        before, _, self.seen = self.seen.partition(text)
        return before

    def comes(self, text, seconds):
        """Whether a text comes in this time."""
        until = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > until:
                return False
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            try:
                self.seen += os.read(self.fd, 65536).decode()
            except OSError as error:
                raise AssertionError(self.seen) from error
        return True

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.close(self.fd)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(where, tmp_path):
    opened = Terminal(where, tmp_path)
    yield opened
    opened.close()


def test_the_prompt(terminal, tmp_path):
    terminal.until("fleetlake> ")
    terminal.type("SELECT cluster,\n")
    terminal.until("...> ")
    terminal.type("count(*) AS n FROM samples GROUP BY 1;\n")
    assert "eu" in terminal.until("1 row in")
    terminal.until("fleetlake> ")
    terminal.type("SELECT nothing FROM samples;\n")
    assert "line 1, column 8" in terminal.until("fleetlake> ")
    terminal.type(".tables\n")
    assert {"samples", "metrics", "lake_files"} <= set(terminal.until("fleetlake> ").split())
    terminal.type(".schema samples\n")
    assert "timestamp" in terminal.until("fleetlake> ")
    terminal.type(".help\n")
    assert ".tables" in terminal.until("fleetlake> ")
    terminal.type(".wrong\n")
    assert ".help" in terminal.until("fleetlake> ")
    terminal.type("\x04")
    terminal.until("\n")
    wait_until((tmp_path / ".fleetlake_history").exists)
    wait_until(lambda: "GROUP BY 1;" in (tmp_path / ".fleetlake_history").read_text())


def test_ctrl_c_cancels_the_query_and_not_the_prompt(terminal):
    terminal.until("fleetlake> ")
    terminal.type(ENDLESS + ";\n")
    terminal.until("Ctrl-C cancels")
    terminal.type("\x03")
    terminal.until("cancelled", SOON)
    terminal.until("fleetlake> ")
    terminal.type("SELECT 41")
    terminal.until("SELECT 41")
    terminal.type("\x03")
    while not terminal.comes("fleetlake> ", 5):
        terminal.type("\x03")  # the line is there a little before Ctrl-C is heeded by it
    terminal.until("fleetlake> ")
    terminal.type("SELECT 6 * 7 AS x;\n")
    assert "42" in terminal.until("1 row in")


def computes(pid):
    """Whether a process is at its query: until then its first thread alone has something to do."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if int(task.name) != pid:
            with suppress(FileNotFoundError, ProcessLookupError):
                spent = (task / "stat").read_text().rpartition(")")[2].split()[11]
                if int(spent) > os.sysconf("SC_CLK_TCK"):
                    return True
    return False


def test_ctrl_c_ends_a_command_without_a_trace(data_dir):
    process = subprocess.Popen(
        [PROGRAM, "sql", "--dir", data_dir, ENDLESS],
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, tests among them, hand down that it is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_until(lambda: computes(process.pid))
    process.send_signal(signal.SIGINT)
    with process:
        assert process.wait(SOON) == 130
        assert process.stderr.read() == "cancelled\n"


def test_a_reader_that_has_enough_is_no_error(data_dir):
    many = "SELECT * FROM range(3000000)"
    command = f"{PROGRAM} sql --dir {data_dir} --format csv '{many}' | head -2"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["range", "0"]
    assert done.stderr == ""
