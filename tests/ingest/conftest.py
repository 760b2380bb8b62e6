"""A receiver, and what the lake holds after it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.receiver import Receiver
from ingest.settings import IngestSettings
from tests.ingest.logs import BIG, Log


@pytest.fixture
def open_receiver(lake, tmp_path: Path, noon) -> Iterator[Callable[..., Receiver]]:
    """Opens receivers on one folder, one after the other; what is open at the end is abandoned."""
    opened = []

    def open_one(to=None, **settings) -> Receiver:
        given = IngestSettings(**{"max_age": timedelta(days=31), **settings})
        one = Receiver(to or lake, tmp_path / "receiver", given, lambda: noon)
        opened.append(one)
        return one

    yield open_one
    for one in opened:
        abandon_log(one)


def abandon_log(receiver: Receiver) -> None:
    """What kill -9 leaves: the log as it is on disk, its lock free."""
    log = receiver._log
    log._queue.put(None)
    log._thread.join()
    if log._segment is not None:
        log._segment.close()
    log._lock_file.close()


@pytest.fixture(scope="session")
def abandon() -> Callable[[Receiver], None]:
    return abandon_log


@pytest.fixture
def stored(lake) -> Callable[[], list[float]]:
    """The values in the lake, sorted."""
    return lambda: sorted(lake.sql("SELECT value FROM samples").column("value").to_pylist())


@pytest.fixture(scope="session")
def now_ms(noon) -> int:
    return int(noon.timestamp() * 1000)


@pytest.fixture
def open_log(tmp_path: Path) -> Iterator[Callable[..., Log]]:
    """Opens logs on one folder, one after the other."""
    opened = []

    def open_one(segment_bytes=BIG, committed=0) -> Log:
        for log in opened:
            log.close()
        opened.append(Log(tmp_path / "log", segment_bytes, committed))
        return opened[-1]

    yield open_one
    for log in opened:
        log.close()
