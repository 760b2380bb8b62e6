"""Pairs of Prometheus servers that watch the same things: one of each pair is stored.

Two replicas of a cluster send the same series, told apart by a label (`__replica__`). Storing both
doubles every rate and every cost, so one is elected, as Cortex and Mimir do: the first that sends.
Samples of the others are taken with thanks and dropped. When the elected one has sent nothing for
`failover_timeout`, by this receiver's clock, the next replica that sends is elected. It stays so
when the former comes back: each change is a seam in the data.

What it costs: after the elected replica falls silent, the others' samples are dropped until the
timeout is up, so a failover leaves a gap of at most the timeout (and the interval of sending). No
gap can be had only by storing both. A replica whose queue is further behind than the timeout may,
when it is elected, repeat times that the former has sent.

Each receiver elects for itself. Behind a load balancer, two of them can elect different replicas
of one cluster, and both are stored: send all of a cluster to one receiver, by consistent hashing
of its address or token, or give each cluster the address of its receiver.

A decision depends on the clock, so it is taken once: what replays a log must not ask again, but
go by what was decided when the record was written.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.errors import TooManyClustersError
from ingest.label_name import LabelName

FORMAT_VERSION: Final = 1


class HaSettings(BaseModel):
    """How replicas are told apart, and when another one takes over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(
        True,
        description="store one replica of each cluster; series without the label are not touched",
    )
    replica_label: LabelName = Field(
        "__replica__",
        description="label that tells replicas apart; it is taken off what is stored",
    )
    failover_timeout: timedelta = Field(
        timedelta(seconds=30),
        gt=timedelta(0),
        description="silence after which another replica is elected; also the longest gap that a "
        "failover leaves. Senders need to send more often than this",
    )
    max_clusters: int = Field(
        10_000,
        gt=0,
        description="clusters with replicas that are heard within the timeout, at about 0.5 kB "
        "each; beyond it, data of further ones gets 503",
    )


@dataclass(frozen=True, slots=True)
class Elected:
    """The replica of a cluster that is stored.

    Attributes:
        replica: value of its replica label.
        since_us: when it was elected.
        heard_us: when it last sent, or when the receiver started again.
        changes: how often this cluster went from one replica to another.
    """

    replica: str
    since_us: int
    heard_us: int
    changes: int = 0


class _SavedElection(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    replica: str
    since_us: int
    changes: int = Field(ge=0)


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: Literal[1]
    clusters: dict[str, _SavedElection]
    """The longest silent first."""


class ReplicaTracker:
    """Elects a replica per cluster. Thread-safe; holds at most `max_clusters`."""

    def __init__(self, settings: HaSettings) -> None:
        self._timeout_us = settings.failover_timeout // timedelta(microseconds=1)
        self._max_clusters = settings.max_clusters
        self._lock = threading.Lock()
        # The longest silent first.
        self._elected: OrderedDict[str, Elected] = OrderedDict()
        self._elections = 0

    def accept(self, cluster: str, replica: str, now_us: int) -> bool:
        """Whether samples that this replica sends now are stored; one call per request does.

        >>> tracker = ReplicaTracker(HaSettings())
        >>> [tracker.accept("eu-1", replica, 0) for replica in ("a", "b", "a")]
        [True, False, True]
        >>> tracker.accept("eu-1", "b", 30_000_000)
        True

        Args:
            cluster: whose replicas they are.
            replica: value of the replica label, not empty.
            now_us: the receiver's clock.

        Raises:
            TooManyClustersError: a cluster that is new, where all that are known were heard lately.
        """
        with self._lock:
            elected = self._elected.get(cluster)
            if elected is None:
                self._make_room(now_us)
                self._elect(cluster, Elected(replica, now_us, now_us))
            elif elected.replica == replica:
                self._elected[cluster] = replace(elected, heard_us=now_us)
                self._elected.move_to_end(cluster)
            elif now_us < elected.heard_us:
                # The clock was set back. To wait until it is there again could be to wait for ever.
                self._elected[cluster] = replace(elected, heard_us=now_us)
                return False
            elif now_us - elected.heard_us < self._timeout_us:
                return False
            else:
                self._elect(cluster, Elected(replica, now_us, now_us, elected.changes + 1))
            return True

    def stored(self, cluster: str, replica: str, sent_us: int, now_us: int) -> None:
        """Take notice of what a log says: samples of this replica were stored, so it was elected.

        Those that are replayed in the order of the log leave who was elected last. What was sent
        before the newest known election tells nothing: a log may reach further back than the file
        of elections, and the last election may be of a request that never got into the log. Where
        there is no room for a cluster, it elects anew.

        Args:
            cluster: whose replicas they are.
            replica: value of the replica label.
            sent_us: when the samples were received.
            now_us: the receiver's clock; whoever is elected counts as heard now.
        """
        with self._lock:
            elected = self._elected.get(cluster)
            if elected is None:
                if len(self._elected) < self._max_clusters:
                    self._elect(cluster, Elected(replica, sent_us, now_us))
            elif elected.replica != replica and sent_us >= elected.since_us:
                self._elect(cluster, Elected(replica, sent_us, now_us, elected.changes + 1))

    @property
    def elections(self) -> int:
        """Grows with every election: what `save` gives has changed if this has."""
        return self._elections

    def statistics(self) -> Mapping[str, Elected]:
        """The elected replica of each cluster, as of now."""
        with self._lock:
            return MappingProxyType(dict(self._elected))

    def save(self) -> str:
        """Who is elected, as JSON for `load`."""
        clusters = {
            cluster: _SavedElection(
                replica=elected.replica, since_us=elected.since_us, changes=elected.changes
            )
            for cluster, elected in self.statistics().items()
        }
        return _Saved(version=FORMAT_VERSION, clusters=clusters).model_dump_json()

    def load(self, text: str | bytes, now_us: int) -> bool:
        """Go on with what `save` gave; False = it cannot be read, and nothing was changed.

        Those that were elected are taken as heard now. Else the replica that happens to be first
        after a restart would be elected, and what it sends again from before the restart, when the
        other was stored, would be stored twice.
        """
        try:
            saved = _Saved.model_validate_json(text)
        except ValidationError:
            return False
        newest = list(saved.clusters.items())[-self._max_clusters :]
        with self._lock:
            self._elected = OrderedDict(
                (cluster, Elected(one.replica, one.since_us, now_us, one.changes))
                for cluster, one in newest
            )
        return True

    def _elect(self, cluster: str, elected: Elected) -> None:
        self._elected[cluster] = elected
        self._elected.move_to_end(cluster)
        self._elections += 1

    def _make_room(self, now_us: int) -> None:
        """Forget the longest silent cluster if there is no room: any replica may follow it."""
        if len(self._elected) < self._max_clusters:
            return
        cluster, elected = next(iter(self._elected.items()))
        if now_us - elected.heard_us < self._timeout_us:
            raise TooManyClustersError(self._max_clusters)
        del self._elected[cluster]
