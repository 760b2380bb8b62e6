"""The newest snapshot of a cluster, kept over restarts, and the one that is being brought in.

    objects.json         the newest snapshot whose changes and rows are in the lake
    objects.next.json    one that is on its way; found at a start, it is brought in again: its
                         events have the same uids, its rows the same position

Without the second, a crash between the lake's commit and the file would be a change that is lost
or doubled, for the cluster has moved on meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingest.kubernetes import files
from ingest.kubernetes.collection import part
from ingest.kubernetes.objects import ClusterObject
from ingest.kubernetes.server import Json
from ingest.rfc3339 import parse_time
from lake.disk import sync

VERSION = 1

_PLACE = "namespace/"


@dataclass(frozen=True)
class Snapshot:
    """The objects of a cluster at a time.

    Attributes:
        position: counts what was written; the rows' position in the lake.
        time: when.
        since: time of the snapshot before, where there was one.
        scope: parts that it holds (`Pod`, or `Pod/shop`, of one namespace): of others nothing is
            known.
        objects: by uid.
    """

    position: int
    time: datetime
    since: datetime | None
    scope: frozenset[str]
    objects: Mapping[str, ClusterObject]

    def to_json(self) -> Json:
        """For the file."""
        return {
            "version": VERSION,
            "position": self.position,
            "time": self.time.isoformat(),
            "since": None if self.since is None else self.since.isoformat(),
            "scope": sorted(self.scope),
            "objects": [one.to_json() for one in self.objects.values()],
        }

    @classmethod
    def from_json(cls, found: Json) -> "Snapshot":
        """What `to_json` gave."""
        objects = [ClusterObject.from_json(one) for one in found["objects"]]
        return cls(
            found["position"],
            parse_time(found["time"]),
            None if found["since"] is None else parse_time(found["since"]),
            _parts(found["scope"]),
            {one.uid: one for one in objects},
        )

    def holds(self, one: ClusterObject) -> bool:
        """Whether it was looked at where this object is, so that its absence means something."""
        return one.kind in self.scope or part(one.kind, one.namespace) in self.scope


def _parts(scope: list[str]) -> frozenset[str]:
    """A scope; earlier files name kinds, and namespaces apart from them."""
    places = [name.removeprefix(_PLACE) for name in scope if name.startswith(_PLACE)]
    if not places:
        return frozenset(scope)
    kinds = [name for name in scope if not name.startswith(_PLACE)]
    return frozenset(
        part(kind, None if place == "*" else place) for kind in kinds for place in places
    )


class History:
    """Both files of one cluster.

    Attributes:
        newest: the snapshot that is in the lake; None = none yet.
        coming: the one on its way; None = none.
    """

    def __init__(self, folder: Path) -> None:
        self._newest_path = folder / "objects.json"
        self._coming_path = folder / "objects.next.json"
        self.newest = _read(self._newest_path)
        self.coming = _read(self._coming_path)

    def begin(self, snapshot: Snapshot) -> None:
        """Note, for good, that this snapshot is now being brought in."""
        files.write(self._coming_path, snapshot.to_json())
        self.coming = snapshot

    def finish(self) -> None:
        """Note, for good, that it is in the lake."""
        self._coming_path.replace(self._newest_path)
        sync(self._newest_path.parent)
        self.newest, self.coming = self.coming, None


def _read(path: Path) -> Snapshot | None:
    found = files.read(path, VERSION)
    return None if found is None else Snapshot.from_json(found)
