"""How far the watch of Events has come, and which events are stored already.

Kept in a file, so that a restart goes on where it ended. The file may lag behind what was
acknowledged (then some events are handed in again, under the same uid and count, and the view
`events` shows them once) but is never ahead of it.
"""

from collections import OrderedDict
from collections.abc import Set as AbstractSet
from pathlib import Path

from ingest.kubernetes import files

VERSION = 1

CAPACITY = 500_000
"""A server keeps events for an hour, so this many are 140 a second, in about 100 MB."""


class Position:
    """The resume position of one watch, and the newest count of each event that is stored."""

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        self.resource_version: str | None = None
        self._path = path
        self._capacity = capacity
        self._seen: OrderedDict[str, int] = OrderedDict()
        found = files.read(path, VERSION)
        if found is not None:
            self.resource_version = found["resource_version"]
            self._seen.update(found["seen"])

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, uid: str, count: int) -> bool:
        """Whether the event is new, or has happened again since; from now on it is neither."""
        if self._seen.get(uid) == count:
            return False
        self._seen[uid] = count
        self._seen.move_to_end(uid)
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return True

    def forget(self, uid: str) -> None:
        """The server no longer has the event: it will not come again."""
        self._seen.pop(uid, None)

    def keep_only(self, alive: AbstractSet[str]) -> None:
        """Forget whatever the server no longer has."""
        for uid in [uid for uid in self._seen if uid not in alive]:
            del self._seen[uid]

    def save(self) -> None:
        """Put all of it into the file."""
        document = {
            "version": VERSION,
            "resource_version": self.resource_version,
            "seen": self._seen,
        }
        files.write(self._path, document)
