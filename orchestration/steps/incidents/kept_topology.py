"""The topology of the update before, as long as nothing that it rests on has changed.

All series and pods of a cluster are looked through for it, and a tick a minute asks for the same.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from lake.snapshot import Snapshot
from lake.timerange import MICROSECOND
from orchestration.incident_settings import Call
from orchestration.steps.incidents.topology import Topology, topology
from orchestration.steps.panels import align

LASTS = timedelta(minutes=10)
"""It is asked for the end of such a stretch of time: pods go though no table has changed."""

RESTS_ON = ("series", "objects")
"""The tables that it is read from."""


class KeptTopology:
    """Keeps one, whoever asks; not for several threads at once."""

    def __init__(self) -> None:
        self._rests_on: tuple[object, ...] | None = None
        self._clusters: frozenset[str] = frozenset()
        self._known = Topology()

    def at(
        self,
        snapshot: Snapshot,
        clusters: Collection[str],
        at: datetime,
        calls: Sequence[Call] = (),
    ) -> Topology:
        """What stood next to what at a time, as `topology`, or up to `LASTS` after it.

        It may know of more clusters than were asked for. Calls may be added to it.
        """
        moment = align(at - MICROSECOND, LASTS) + LASTS
        versions = snapshot.versions
        rests_on = (moment, tuple(calls), *(versions[name] for name in RESTS_ON))
        if rests_on != self._rests_on or not self._clusters.issuperset(clusters):
            self._known = topology(snapshot, clusters, moment, calls)
            self._rests_on, self._clusters = rests_on, frozenset(clusters)
        return self._known.copy()
