"""The name of a receiver's log: the stream of positions under which the lake knows it."""

import contextlib
import os
import uuid
from pathlib import Path

from lake.disk import sync


def receiver_id(folder: Path) -> str:
    """The name kept in the receiver's folder, made at its first start.

    It is made whole and once, also if two processes begin at the same time: with another name, all
    that is in the log would go into the lake again.
    """
    path = folder / "receiver-id"
    if not path.exists():
        name = uuid.uuid4().hex
        draft = folder / f"receiver-id.{name}"
        draft.write_text(name)
        sync(draft)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        sync(folder)
    return path.read_text().strip()
