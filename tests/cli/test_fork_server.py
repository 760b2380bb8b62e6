"""A start by the fork server is a start of the program."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE, wait_until

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 3"


@pytest.fixture
def data_dir(fleetlake, tmp_path):
    (tmp_path / "a.om").write_text("# TYPE load gauge\nload 1 1772323200\n# EOF\n")
    assert fleetlake("import", "a.om", "--dir", "data", "--cluster", "eu").returncode == 0
    return tmp_path / "data"


@pytest.mark.parametrize(
    "arguments",
    [
        ["sql", "--help"],
        ["sql", "--format", "xml", "SELECT 1"],
        ["sql", "--dir", "data", "--format", "csv", "FROM samples"],
        ["sql", "--dir", "data", "SELECT 'é'", "--output", "x.doc"],
        ["lake", "nothing"],
    ],
    ids=" ".join,
)
def test_it_ends_and_says_what_the_installed_program_does(
    fleetlake, installed, data_dir, arguments
):
    forked, real = fleetlake(*arguments), installed(*arguments)
    assert forked.returncode == real.returncode
    assert (forked.stdout, forked.stderr) == (real.stdout, real.stderr)


def test_a_process_of_its_own(started, data_dir, tmp_path):
    process = started("sql", "--dir", "data", ENDLESS)
    assert process.pid != os.getpid()
    wait_until(lambda: Path(f"/proc/{process.pid}/cwd").readlink() == tmp_path)
    # Of others it holds nothing: a pipe of theirs would stay open.
    held = [one.readlink() for one in Path(f"/proc/{process.pid}/fd").iterdir()]
    assert len([one for one in held if str(one).startswith("pipe:")]) == 1
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    assert process.wait(PATIENCE) == process.poll() == -signal.SIGKILL
    assert process.stdout.read() == ""
    process.send_signal(signal.SIGTERM)  # nobody is there, and nobody else is hit


def test_what_takes_too_long_is_killed(fleetlake, data_dir):
    with pytest.raises(subprocess.TimeoutExpired):
        fleetlake("sql", "--dir", "data", ENDLESS, timeout=1)
