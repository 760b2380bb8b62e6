"""A log on a disk of its own that is full: it recovers by itself, also over restarts."""

import logging
import subprocess
from pathlib import Path

import pytest

from ingest.errors import LogError
from ingest.receiver import Receiver
from ingest.relabel_rule import RelabelRule
from ingest.settings import IngestSettings

KEEP = RelabelRule(action="keep", source_labels=("__name__",), regex="up")


@pytest.fixture
def disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "fleetlake-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        pytest.skip(f"a file system cannot be mounted here: {problem}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def start(lake, disk, noon, abandon):
    opened = []

    def one(**settings):
        for earlier in opened:
            abandon(earlier)
        opened[:] = []
        given = IngestSettings(**{"log_segment_bytes": 100_000, **settings})
        opened.append(Receiver(lake, disk / "receiver", given, lambda: noon))
        return opened[0]

    yield one
    for earlier in opened:
        abandon(earlier)


@pytest.fixture
def fill(body, now_ms):
    """Sends until the log refuses; gives the bodies that were stored, and their values."""
    number = [0]

    def send(receiver, series=60):
        bodies, values = [], []
        while True:
            number[0] += 1
            wanted = [number[0] + i / 1000 for i in range(series)]
            labels = [("__name__", "up"), ("cluster", "eu")]
            parts = [([*labels, ("x", str(i))], [(now_ms, v)]) for i, v in enumerate(wanted)]
            raw = body(*parts)
            try:
                receiver.write_samples(raw).result(10)
            except LogError as error:
                if "No space left" not in str(error):
                    raise
                return bodies, values
            bodies.append(raw)
            values += wanted

    return send


def ballast(folder: Path) -> Path:
    """Takes what room is left, but for what is in its way."""
    path = folder / "ballast"
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path


@pytest.mark.parametrize("segment", [1, 100_000, 64 << 20], ids=["many", "some", "one"])
def test_a_flush_makes_room(start, fill, stored, segment):
    receiver = start(log_segment_bytes=segment)
    _, values = fill(receiver)
    receiver.flush()
    assert receiver.log_bytes() == 0
    _, more = fill(receiver)
    assert len(more) > len(values) / 2
    receiver.flush()
    assert stored() == sorted(values + more)


@pytest.mark.parametrize("rules", [(), (KEEP,)], ids=["same rules", "other rules"])
def test_a_restart_makes_room(start, fill, stored, disk, rules):
    _, values = fill(start())
    ballast(disk)
    receiver = start(relabel=rules)
    receiver.flush()
    assert receiver.log_bytes() == 0
    assert stored() == sorted(values)


def test_a_restart_after_the_flush_that_could_not_drop_anything(
    start, fill, stored, disk, monkeypatch
):
    """All is in the lake, and the process died before it had made room."""
    receiver = start()
    bodies, values = fill(receiver)
    with monkeypatch.context() as dying:
        dying.setattr(receiver._flusher, "_committed", lambda position: None)
        receiver.flush()
    ballast(disk)
    receiver = start()
    assert receiver.log_bytes() == 0
    for raw in bodies:
        receiver.write_samples(raw).result(10)
    receiver.flush()
    assert stored() == sorted(values), "what is sent again is known, though the log is gone"


def test_what_could_not_be_kept_is_kept_by_a_later_flush(start, fill, stored, disk, caplog):
    """The room is somebody else's, and nothing of the log can be spared for the file."""
    receiver = start()
    bodies, values = fill(receiver)
    receiver.flush()
    taken = ballast(disk)
    (disk / "receiver" / "recent").unlink()  # of which a new one needs the room beside the old
    ballast(disk)
    receiver._state._released = -1
    with pytest.raises(OSError, match="No space left"):
        receiver.flush()
    assert not (disk / "receiver" / "recent.new").exists(), "half a file takes no room"
    with caplog.at_level(logging.WARNING):
        receiver = start()
    assert "disk full at the start" in caplog.messages
    taken.unlink()
    receiver.flush()
    assert (disk / "receiver" / "recent").exists()
    assert stored() == sorted(values)
    assert bodies
