"""A lake in a bucket of an S3-compatible store.

The store must honour `If-None-Match: *` on PUT (Amazon's does, MinIO, Ceph, R2, Garage …): of two
writers of one version of a table, it refuses the later. No table of locks is needed, and none is
used. Files and log entries are whole objects: one whose PUT was answered is durable.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import IO, Self, TypeVar

import duckdb
from pyarrow.fs import FileSelector, FileType

from lake import httpfs
from lake.errors import LakeFolderError
from lake.object_reader import ObjectReader
from lake.s3_options import S3Options
from lake.store import LOG, StoredFile

T = TypeVar("T")

SCHEME = "s3://"

PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./")
"""Characters that delta-rs, Arrow, DuckDB and HTTP all leave as they are."""


class Bucket:
    """A prefix in a bucket. Safe to use from several threads."""

    hint = "see that the endpoint answers, the bucket exists and the keys may read and write it"

    def __init__(self, url: str, options: S3Options) -> None:
        self.url = url
        self.s3 = options
        self.options = options.delta()
        self._files = options.arrow()

    @classmethod
    def open(
        cls, url: str, options: Mapping[str, str] | None, environment: Mapping[str, str]
    ) -> Self:
        """The place that an URL `s3://bucket/prefix` names; nothing is asked of the store yet.

        Raises:
            LakeFolderError: the URL names no bucket, or readers would misread it.
            StoreOptionError: an option is unknown, wrong or unsafe.
        """
        if "@" in url:
            raise LakeFolderError(SCHEME, "…@", "holds keys: give them as storage options")
        path = url.removeprefix(SCHEME).rstrip("/")
        wrong = next((character for character in path if character not in PLAIN), None)
        if wrong is not None:
            raise LakeFolderError(url, path, f"holds {wrong!r}: letters, digits, - _ . / are safe")
        if not all(part.strip(".") for part in path.split("/")):
            raise LakeFolderError(url, path, "names no bucket, or has an empty part")
        return cls(SCHEME + path, S3Options.of(options or {}, environment))

    def __repr__(self) -> str:
        return f"Bucket({self.url!r})"

    @property
    def reader(self) -> str:
        """See `Store.reader`. For strangers' SQL it is always Arrow: DuckDB holds no keys then."""
        # Without keys DuckDB would need one more extension to find the machine's role.
        keys = self.s3.access_key_id is not None
        return "httpfs" if keys and httpfs.is_there() else "arrow"

    def below(self, name: str) -> "Bucket":
        """See `Store.below`."""
        inside = object.__new__(Bucket)
        inside.url, inside.s3 = f"{self.url}/{name}", self.s3
        inside.options, inside._files = self.options, self._files
        return inside

    def write(self, path: str, fill: Callable[[IO[bytes]], T]) -> tuple[T, int]:
        """See `Store.write`."""
        with self._files.open_output_stream(self._key(path)) as sink:
            filled = fill(sink)
            size = sink.tell()
        return filled, size

    def read(self, path: str) -> bytes | None:
        """See `Store.read`."""
        try:
            with self._files.open_input_stream(self._key(path)) as source:
                return bytes(source.readall())
        except FileNotFoundError:
            return None

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        try:
            self._files.delete_file(self._key(path))
        except FileNotFoundError:
            return

    def files(self) -> Iterator[StoredFile]:
        """See `Store.files`."""
        root = self._key("")
        for info in self._files.get_file_info(FileSelector(root, recursive=True)):
            path = info.path.removeprefix(root)
            if info.type == FileType.File and not path.startswith(f"{LOG}/"):
                yield StoredFile(path, info.size, info.mtime)

    def log_mark(self, version: int) -> int | None:
        """None: to ask is a request, as reading the log is."""
        return None

    def sync_log(self, since: int | None, newest: int) -> None:
        """Nothing is left to do: an object whose PUT was answered is durable."""

    def attach(
        self, connection: duckdb.DuckDBPyConnection, paths: Collection[str], *, locked: bool
    ) -> None:
        """See `Store.attach`."""
        if self.reader == "httpfs" and not locked:
            httpfs.attach(connection, self.url, self.s3)
        else:
            connection.register_filesystem(ObjectReader(self._files, paths))

    def _key(self, path: str) -> str:
        return f"{self.url.removeprefix(SCHEME)}/{path}"
