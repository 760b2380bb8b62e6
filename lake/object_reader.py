"""Objects for DuckDB, read by Arrow's client: no extension of DuckDB is needed.

DuckDB's own Parquet reader asks for the byte ranges that a query needs (footer, row groups,
columns), as of a file on disk. It may ask for the files of one snapshot; there is nothing else, and
no list.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from fsspec import AbstractFileSystem  # type: ignore[import-untyped]
from pyarrow import fs

SCHEME = "s3://"

TAIL_BYTES = 1 << 20
"""Read at once from a file's end: fresh files whole, of others the footer. A request costs as much
time as some hundred kilobytes, and DuckDB would make several small ones."""

NEVER_CHANGED = datetime(1970, 1, 1, tzinfo=UTC)
"""Files of a table are written once: no copy of one is ever out of date."""


class ObjectReader(AbstractFileSystem):  # type: ignore[misc]
    """The part of fsspec's interface that DuckDB calls. One for each connection.

    Args:
        files: Arrow's client.
        paths: all that can be read.
    """

    protocol = "s3"
    cachable = False  # fsspec would give one instance to all who have equal arguments

    def __init__(self, files: fs.FileSystem, paths: Collection[str]) -> None:
        super().__init__()
        self._files = files
        self._paths = frozenset(paths)
        self._opened: dict[str, OpenObject] = {}

    def open(self, path: str, mode: str = "rb", **_: Any) -> "ObjectHandle":
        """One file, from its beginning.

        Raises:
            PermissionError: to write.
            FileNotFoundError: it is none of the snapshot's.
        """
        if mode != "rb":
            raise PermissionError(f"{path} can only be read")
        return ObjectHandle(self._file(path))

    def glob(self, path: str, **_: Any) -> list[str]:
        """The path itself, if it can be read: there are no patterns."""
        return [path] if path in self._paths else []

    def exists(self, path: str, **_: Any) -> bool:
        """Whether it can be read."""
        return path in self._paths

    def size(self, path: str) -> int:
        """In bytes."""
        return self._file(path).size

    def modified(self, path: str) -> datetime:
        """The same for all."""
        return NEVER_CHANGED

    def _file(self, path: str) -> "OpenObject":
        if path not in self._paths:
            raise FileNotFoundError(path)
        # Threads may open it twice at once; the first stays.
        found = self._opened.get(path)
        if found is None:
            found = OpenObject(self._files.open_input_file(path.removeprefix(SCHEME)))
            found = self._opened.setdefault(path, found)
        return found


class OpenObject:
    """A file whose end is kept in memory. Threads read it at once."""

    def __init__(self, file: pa.NativeFile) -> None:
        self.size = int(file.size())
        self._file = file
        self._tail_at = max(0, self.size - TAIL_BYTES)
        self._tail: bytes | None = None

    def read(self, n_bytes: int, at: int) -> bytes:
        """As many bytes from `at` on as there are, at most these."""
        if at < self._tail_at:
            return self._file.read_at(n_bytes, at)  # type: ignore[no-any-return]
        if self._tail is None:
            self._tail = self._file.read_at(self.size - self._tail_at, self._tail_at)
        return self._tail[at - self._tail_at :][:n_bytes]


class ObjectHandle:
    """A position in a file; many may have one file."""

    def __init__(self, file: OpenObject) -> None:
        self._file = file
        self._at = 0

    def seek(self, at: int) -> int:
        """Go to a byte."""
        self._at = at
        return at

    def tell(self) -> int:
        """The byte to be read next."""
        return self._at

    def read(self, n_bytes: int) -> bytes:
        """As many bytes from there on as there are, at most these."""
        piece = self._file.read(n_bytes, self._at)
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """The file stays, for the next handle."""
