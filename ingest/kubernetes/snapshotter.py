"""Looks at a cluster's objects again and again: differences become events, and rows.

list ──► compare with the newest snapshot ──► file "coming" ──► change events ──► receiver
                                                            └─► rows ──► table `objects`
                                              file "newest" ◄── both are durable
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime

from ingest.kubernetes.changes import changes
from ingest.kubernetes.collection import Collection, collect
from ingest.kubernetes.delivery import Delivery
from ingest.kubernetes.history import History, Snapshot
from ingest.kubernetes.objects import ClusterObject
from ingest.kubernetes.rows import ADDED, CHANGED, PRESENT, REMOVED, event, table
from ingest.kubernetes.server import ApiServer
from ingest.kubernetes.settings import KubernetesSource
from ingest.kubernetes.statistics import KubernetesStatistics
from lake import Clock, CommitKey, Lake

BATCH = 500

Difference = tuple[ClusterObject | None, ClusterObject | None]
"""An object as it was and as it is; None = it was not, or is no more."""


class Snapshotter:
    """Brings snapshots of one cluster into the lake.

    Args:
        server: the API server.
        source: what to look at.
        lake: takes the objects.
        app: the stream of positions in the lake; of this source and folder alone.
        history: the newest snapshot.
        delivery: takes the change events.
        statistics: counts.
        clock: the time.
    """

    def __init__(
        self,
        server: ApiServer,
        source: KubernetesSource,
        lake: Lake,
        app: str,
        history: History,
        delivery: Delivery,
        statistics: KubernetesStatistics,
        clock: Clock,
    ) -> None:
        self._server = server
        self._source = source
        self._lake = lake
        self._app = app
        self._history = history
        self._delivery = delivery
        self._statistics = statistics
        self._clock = clock
        self._looked: datetime | None = None

    def snapshot(self) -> Collection:
        """Look once, and bring in what differs; nothing is written where nothing does.

        Raises:
            SourceError: the API server does not answer as it should; nothing was changed.
            LakeError: the lake does not take the rows; the next call tries again.
        """
        # One that a crash, a stop or a failure left on its way, first.
        if not self._bring_in():
            return Collection()
        found = collect(self._server, self._source)
        now = self._clock()
        new = self._compose(found, now)
        if self._is_news(new):
            self._history.begin(new)
            self._bring_in()
        self._looked = now
        self._statistics.snapshots += 1
        self._statistics.objects = len(new.objects)
        self._statistics.last_snapshot = now
        return found

    def _compose(self, found: Collection, now: datetime) -> Snapshot:
        newest = self._history.newest
        objects = dict(found.objects)
        scope = frozenset(found.read)
        if newest is not None:
            # What could not be read this time is as it was.
            kept = Snapshot(0, now, None, frozenset(_known(found.unread, newest.scope)), {})
            was = {uid: one for uid, one in newest.objects.items() if kept.holds(one)}
            objects = was | objects
            scope |= kept.scope
        position = self._lake.objects.committed_position(self._app) or 0
        if newest is not None:
            position = max(position, newest.position)
        since = None if newest is None else self._looked or newest.time
        return Snapshot(position + 1, now, since, scope, objects)

    def _is_news(self, new: Snapshot) -> bool:
        newest = self._history.newest
        if newest is None or newest.scope != new.scope or _other_day(newest, new):
            return True
        return any(True for _ in _differences(newest, new))

    def _bring_in(self) -> bool:
        """Whether nothing is on its way any more; no only where the process stops."""
        coming = self._history.coming
        if coming is None:
            return True
        newest = self._history.newest
        found = list(_differences(newest, coming))
        events = [] if newest is None else list(_events(newest, coming, found))
        for start in range(0, len(events), BATCH):
            if not self._delivery.deliver(events[start : start + BATCH]):
                return False
        rows = [_row(was, now) for was, now in found]
        if newest is not None and _other_day(newest, coming):
            told = {one.uid for one, _ in rows}
            rows += [(one, PRESENT) for uid, one in coming.objects.items() if uid not in told]
        key = CommitKey(self._app, coming.position)
        self._lake.objects.append(table(self._source.cluster, coming.time, rows), key)
        self._history.finish()
        self._statistics.changes += len(events)
        return True


def _known(parts: AbstractSet[str], scope: AbstractSet[str]) -> Iterator[str]:
    """Of these parts, what a scope holds of them."""
    for name in parts:
        kind, _, namespace = name.partition("/")
        if name in scope or kind in scope:
            yield name
        elif not namespace:
            yield from (held for held in scope if held.startswith(f"{kind}/"))


def _other_day(newest: Snapshot, new: Snapshot) -> bool:
    return newest.time.date() != new.time.date()


def _differences(newest: Snapshot | None, new: Snapshot) -> Iterator[Difference]:
    before = {} if newest is None else newest.objects
    for uid, was in before.items():
        # Where nobody looks any more, nothing is known to have gone.
        if uid not in new.objects and new.holds(was):
            yield was, None
    for uid, one in new.objects.items():
        earlier = before.get(uid)
        if earlier is None or not one.same(earlier):
            yield earlier, one


def _row(was: ClusterObject | None, now: ClusterObject | None) -> tuple[ClusterObject, str]:
    if now is not None:
        return now, ADDED if was is None else CHANGED
    if was is None:
        raise AssertionError("bug: an object that neither was nor is")
    return was, REMOVED


def _events(newest: Snapshot, coming: Snapshot, found: list[Difference]) -> Iterator[str]:
    """Where it was looked before, and is now: elsewhere everything would be new."""
    for was, now in found:
        one, _ = _row(was, now)
        if newest.holds(one) and coming.holds(one):
            for change in changes(was, now):
                yield event(change, one, coming.since or newest.time, coming.time)
