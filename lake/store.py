"""Where a lake lies: what it needs of a place, and the plainest place, a folder.

The other one, a bucket, is `lake/bucket.py`. Paths are relative to the place, with slashes.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol, TypeVar

import duckdb
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.disk import sync
from lake.errors import LakeError, LakeNotFoundError, StoreError

T = TypeVar("T")

LOG = "_delta_log"

COLOUR = re.compile(r"\x1b\[\d*m")
OF_STORE = "Error interacting with object store"
BACKTRACE = re.compile(r"\n\s+0: ")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that lies in a place, whether a table names it or not."""

    path: str
    size: int
    modified: datetime


class Store(Protocol):
    """A place for files that are written once and never changed."""

    @property
    def url(self) -> str:
        """Names the place for delta-rs, DuckDB and people; no slash at its end."""
        ...

    @property
    def options(self) -> dict[str, str] | None:
        """What delta-rs needs to reach it; secrets among them."""
        ...

    @property
    def reader(self) -> str:
        """What DuckDB reads the files by: "file", "arrow" or "httpfs"."""
        ...

    @property
    def hint(self) -> str:
        """What to do when it fails."""
        ...

    def below(self, name: str) -> "Store":
        """The place of this name inside it."""
        ...

    def write(self, path: str, fill: Callable[[IO[bytes]], T]) -> tuple[T, int]:
        """Write a new file by `fill`, durably: give what `fill` gave, and the file's bytes.

        If it fails, there is no such file, or a broken one that nothing names.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """All of a small file; None where there is none."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file that may be gone already."""
        ...

    def files(self) -> Iterator[StoredFile]:
        """All files inside but those of the log, in no order."""
        ...

    def log_mark(self, version: int) -> int | None:
        """Changes when a table's log does, for who knows it up to a version.

        None: there is a later version, or to ask costs as much as to read the log.

        Raises:
            LakeNotFoundError: the log is gone, as far as that is seen without reading it.
        """
        ...

    def sync_log(self, since: int | None, newest: int) -> None:
        """Make a table's log durable, for versions after `since` (None: all) up to `newest`."""
        ...

    def attach(
        self, connection: duckdb.DuckDBPyConnection, paths: Collection[str], *, locked: bool
    ) -> None:
        """Let a connection read files of this place.

        Args:
            connection: before its configuration is locked.
            paths: the files, as `url` and their path in it.
            locked: for SQL from strangers: they must not come by the keys.
        """
        ...


class Folder:
    """A folder of this machine. Files and names are forced to disk."""

    reader = "file"
    options = None
    hint = "see that the disk has room and the folder may be read and written"

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self.root)

    def below(self, name: str) -> "Folder":
        """See `Store.below`."""
        return Folder(self.root / name)

    def write(self, path: str, fill: Callable[[IO[bytes]], T]) -> tuple[T, int]:
        """See `Store.write`."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("wb") as sink:
                filled = fill(sink)
                sink.flush()
                size = sink.tell()
                os.fsync(sink.fileno())
        except BaseException:
            # Half a file would keep a full disk full.
            file.unlink(missing_ok=True)
            raise
        sync(file.parent)
        if file.parent != self.root:
            sync(self.root)
        return filled, size

    def read(self, path: str) -> bytes | None:
        """See `Store.read`."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        (self.root / path).unlink(missing_ok=True)

    def files(self) -> Iterator[StoredFile]:
        """See `Store.files`."""
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name != LOG]
            for name in names:
                path = Path(folder) / name
                with suppress(FileNotFoundError):  # deleted meanwhile
                    told = path.stat()
                    modified = datetime.fromtimestamp(told.st_mtime, UTC)
                    within = path.relative_to(self.root).as_posix()
                    yield StoredFile(within, told.st_size, modified)

    def log_mark(self, version: int) -> int | None:
        """When a file came into the log or went, to the clock's tick; see `Store.log_mark`."""
        # Asked of ten tables before each query, where a Path takes longer than the disk.
        log = f"{self.root}/{LOG}"
        try:
            # Within one tick, the next version may come after the log was read.
            if os.path.exists(f"{log}/{version + 1:020d}.json"):  # noqa: PTH110
                return None
            return os.stat(log).st_mtime_ns  # noqa: PTH116
        except FileNotFoundError as error:
            raise LakeNotFoundError(self.url) from error
        except OSError:
            return None

    def sync_log(self, since: int | None, newest: int) -> None:
        """See `Store.sync_log`."""
        log = self.root / LOG
        if since is None:
            paths = [path for path in log.iterdir() if path.is_file()]
        else:
            names = [f"{version:020d}" for version in range(since + 1, newest + 1)]
            paths = [log / f"{name}.json" for name in names]
            paths += [log / f"{name}.checkpoint.parquet" for name in names]
        for path in paths:
            with suppress(FileNotFoundError):  # no checkpoint, or cleaned up meanwhile
                sync(path)
        if since != newest:
            sync(log)

    def attach(
        self, connection: duckdb.DuckDBPyConnection, paths: Collection[str], *, locked: bool
    ) -> None:
        """DuckDB reads files by itself."""


@contextmanager
def failures_of(store: Store, action: str) -> Iterator[None]:
    """Within the block, what the place refuses is an error that says what to do.

    Raises:
        LakeNotFoundError: there is no table.
        StoreError: the disk or the object store failed.
    """
    try:
        yield
    except LakeError:
        raise
    except TableNotFoundError as error:
        raise LakeNotFoundError(store.url) from error
    except (OSError, DeltaError) as error:
        if not is_of_store(error):
            raise
        raise StoreError(store.url, action, plain_text(error), store.hint) from error


def is_of_store(error: Exception) -> bool:
    """Whether the place failed, not what lies there: delta-rs tells it in one of two ways.

    >>> is_of_store(DeltaError("Error interacting with object store: Generic S3 error"))
    True
    >>> is_of_store(DeltaError("Kernel error: Json error"))
    False
    """
    return isinstance(error, OSError) or OF_STORE in str(error)


def plain_text(error: Exception) -> str:
    r"""The message of delta-rs in one line: it draws trees in colour, and backtraces.

    >>> plain_text(OSError("Generic S3 error\n  \x1b[31m↳\x1b[0m after 3 retries\n   0: main"))
    'Generic S3 error: after 3 retries'
    """
    text = BACKTRACE.split(COLOUR.sub("", str(error)), maxsplit=1)[0]
    return ": ".join(filter(None, (line.strip(" ↳") for line in text.splitlines())))
