"""Bytes as they come become the lines of a watch."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

MAX_LINE = 8 << 20
"""etcd takes objects of 1.5 MiB; this is several times that, and a bound on memory."""


def lines(pieces: Iterable[bytes], most: int = MAX_LINE) -> Iterator[bytes | None]:
    r"""Whole lines without their ends; None for one that is longer than `most`.

    What follows the last end is dropped: a watch is cut anywhere, and comes again.

    >>> list(lines([b"on", b"e\ntw", b"o\r\n\nthr"]))
    [b'one', b'two']
    >>> list(lines([b"12345", b"678", b"\nok\n"], most=5))
    [None, b'ok']
    """
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        *whole, rest = piece.split(b"\n")
        for part in whole:
            size += len(part)
            if size > most:
                yield None
            elif line := b"".join([*held, part]).strip():
                yield line
            held, size = [], 0
        size += len(rest)
        # Of a line that is too long only its length is kept.
        if size > most:
            held = []
        elif rest:
            held.append(rest)


def parse(line: bytes | None) -> tuple[str, dict[str, Any]] | None:
    """The type and object of a line of a watch; None = it is no such thing.

    >>> parse(b'{"type": "BOOKMARK", "object": {"kind": "Event"}}')
    ('BOOKMARK', {'kind': 'Event'})
    >>> parse(b'{"type": "ADD')
    """
    if line is None:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    kind, about = found.get("type"), found.get("object")
    if not isinstance(kind, str) or not isinstance(about, dict):
        return None
    return kind, about
