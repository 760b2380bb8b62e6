"""When a compiled kernel that is kept on disk is no longer what its source says.

Numba looks at the file of the kernel alone, but what the kernel calls and the numbers that it
imports are compiled into it: after an upgrade that changes these alone, the old one would go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

_IMPORT = re.compile(r"^(?:from|import)\s+([\w.]+)", re.MULTILINE)


def stamp(function: Callable[..., Any]) -> str | None:
    """A text that changes with the module of a function and all that it imports of its package.

    Imports are those at the beginning of a line, of whole names. None = there are no sources.
    """
    return _stamp(Path(function.__code__.co_filename), function.__module__)


@cache
def _stamp(file: Path, name: str) -> str | None:
    root, _, rest = name.partition(".")
    try:
        if not rest:
            return _digest([file])
        folder = file.parents[rest.count(".") + (file.name == "__init__.py")]
        return _digest(sorted({file, *_reached(folder, root, name)}))
    except (OSError, IndexError):  # no such file, or a module that is named as no place of it
        return None


def _digest(files: list[Path]) -> str:
    return sha256(b"".join(_read(file) for file in files)).hexdigest()


def _reached(folder: Path, root: str, name: str) -> set[Path]:
    """The files of a module and of those that it imports, directly or not, of one package."""
    found: set[Path] = set()
    left = [name]
    while left:
        file = _file(folder, left.pop())
        if file is None or file in found:
            continue
        found.add(file)
        left += [one for one in _imports(file) if one.partition(".")[0] == root]
    return found


def _file(folder: Path, name: str) -> Path | None:
    """Of a module below the package's folder."""
    place = folder.joinpath(*name.split(".")[1:])
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def _read(file: Path) -> bytes:
    return file.read_bytes()


@cache
def _imports(file: Path) -> tuple[str, ...]:
    return tuple(_IMPORT.findall(_read(file).decode()))
