"""Which place a lake's name means: a folder, or a bucket."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lake.bucket import SCHEME, Bucket
from lake.errors import LakeFolderError, StoreOptionError
from lake.s3_options import S3Options
from lake.schema import TABLES
from lake.store import Folder, Store

UNSAFE = "%[]^|\\"
"""delta-rs decodes `%` twice, takes a backslash for a slash, and panics at the others."""

SCHEME_END = "://"


def open_store(
    root: str | Path, options: Mapping[str, str] | None, environment: Mapping[str, str]
) -> Store:
    """The place of this name; nothing is looked at yet.

    Args:
        root: a folder, or `s3://bucket/prefix`.
        options: of a bucket.
        environment: variables, for options that are not given.

    Raises:
        LakeFolderError: readers would misread the name, or it is of no kind that there is.
        StoreOptionError: an option is unknown, wrong or unsafe, or the place is a folder.
    """
    if str(root).startswith(SCHEME):
        return Bucket.open(str(root), options, environment)
    if SCHEME_END in str(root):
        raise LakeFolderError(str(root), str(root), "is neither a folder nor s3://bucket/prefix")
    if options:
        raise StoreOptionError(next(iter(options)), "is of a bucket: a folder takes none")
    folder = Path(root).resolve()
    _check(folder)
    return Folder(folder)


def folder_of(store: Store) -> Path:
    """The folder that a place is.

    Raises:
        LakeFolderError: it is a bucket.
    """
    if not isinstance(store, Folder):
        raise LakeFolderError(store.url, store.url, "is no folder of this machine")
    return store.root


def described(store: Store) -> dict[str, Any]:
    """All that another process needs to open the same place: with keys, so for pipes only."""
    if isinstance(store, Bucket):
        return {"url": store.url, "s3": asdict(store.s3)}
    return {"url": store.url}


def from_description(description: Mapping[str, Any]) -> Store:
    """The place that `described` described."""
    if "s3" in description:
        return Bucket(description["url"], S3Options(**description["s3"]))
    return Folder(Path(description["url"]))


def _check(root: Path) -> None:
    columns = {name for spec in TABLES.values() for name in spec.stored_schema.names}
    for part in root.parts:
        name, equals, _ = part.partition("=")
        if equals and name.lower() in columns:
            # DuckDB reads partitions off the whole path: this one would stand in for the column.
            raise LakeFolderError(str(root), part, "looks like a partition of a column")
        wrong = next((character for character in part if character in UNSAFE), None)
        if wrong is not None:
            raise LakeFolderError(str(root), part, f"holds {wrong!r}, which Delta Lake misreads")
