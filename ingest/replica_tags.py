"""Small numbers for the replicas of clusters, kept beside the keys of their series."""

import threading

from ingest.errors import InvalidLabelsError, TooManyClustersError

MAX_REPLICAS, MAX_CLUSTERS = 16, 10_000
"""Replicas of one cluster that are told apart (a pair has two), and clusters that have any."""


class ReplicaTags:
    """A number above 0 for each (cluster, replica). Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, int]] = {}
        self._names: list[str] = []

    def tag(self, cluster: str, replica: str) -> int:
        """The number of a replica.

        Raises:
            InvalidLabelsError: it is new, and the cluster has too many already.
            TooManyClustersError: it is new, and too many clusters have replicas.
        """
        with self._lock:
            if cluster not in self._tags and len(self._tags) >= MAX_CLUSTERS:
                raise TooManyClustersError(MAX_CLUSTERS)
            of_cluster = self._tags.setdefault(cluster, {})
            if replica not in of_cluster:
                if len(of_cluster) >= MAX_REPLICAS:
                    raise InvalidLabelsError(
                        f"of replica {replica[:80]!r}",
                        f"cluster {cluster[:80]!r} has {MAX_REPLICAS} replicas already",
                    )
                self._names.append(replica)
                of_cluster[replica] = len(self._names)
            return of_cluster[replica]

    def name(self, tag: int) -> str:
        """The replica that has a number."""
        return self._names[tag - 1]
