"""What goes between this process and those that run SQL from outside: frames over pipes.

A frame is its kind (1 byte), the length of its content (8 bytes, big-endian), and the content.

    to the worker      TABLE    rows to be queried under a name: length of the name (1 byte), name,
                                Arrow IPC stream; any number before a query
                       QUERY    JSON: paths, sql, limits, clusters, format, what was read from
                       CANCEL   stop the query that runs, if one does
    from the worker    READY    once, when it has started
                       DATA     a piece of the answer, in the format asked for
                       ERROR    JSON: class and fields of an error of ours
                       DONE     JSON: whether the worker can take another query

Every query is answered by any number of DATA, then one ERROR or DONE. DATA before an ERROR is to be
thrown away.
"""

from collections.abc import Mapping
from typing import IO, Any

from lake import errors
from lake.errors import LakeError

READY, DATA, ERROR, DONE = b"R", b"A", b"E", b"D"
TABLE, QUERY, CANCEL = b"T", b"Q", b"C"

LENGTH_BYTES = 8

PIECE_BYTES = 1 << 18
"""Most content of a DATA frame: what the reader holds of an answer at once. Smaller ones cost more
switches between the processes."""


def send(pipe: IO[bytes], kind: bytes, content: bytes | memoryview = b"") -> None:
    """Write one frame."""
    pipe.write(kind + len(content).to_bytes(LENGTH_BYTES, "big"))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Kind and content of the next frame; None at the pipe's end, also in the middle of one."""
    header = pipe.read(1 + LENGTH_BYTES)
    if len(header) != 1 + LENGTH_BYTES:
        return None
    length = int.from_bytes(header[1:], "big")
    content = pipe.read(length)
    return (header[:1], content) if len(content) == length else None


def told(error: LakeError) -> dict[str, object]:
    """An error as the content of a frame."""
    return {"error": type(error).__name__, "fields": vars(error), "message": str(error)}


def rebuilt(answer: Mapping[str, Any]) -> LakeError:
    """The error that the worker sent, with its class, message and fields."""
    kind: type[LakeError] = getattr(errors, answer["error"])
    error = kind.__new__(kind, answer["message"])
    vars(error).update(answer["fields"])
    return error
