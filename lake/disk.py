"""Bytes that must survive a power cut: fsync of files and of the folders that name them."""

import os
from contextlib import suppress
from pathlib import Path


def sync(path: Path) -> None:
    """Force a file, or a folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file for good; whoever reads meanwhile finds the old one or the new one."""
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        # Half of it would take room on a disk that may be full.
        with suppress(OSError):
            new.unlink()
        raise
    sync(path.parent)
