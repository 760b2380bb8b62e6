"""Who sends: what a request says, and may say, of the cluster its data is of."""

from dataclasses import dataclass

from ingest.errors import ClusterForbiddenError, InvalidLabelsError

MAX_CLUSTER_BYTES = 255
"""Of a cluster's name. It becomes a label of each series that names none, and a counter's."""


def check_cluster_name(cluster: str) -> None:
    """Whether a name is short enough.

    Raises:
        InvalidLabelsError: it is not.
    """
    size = len(cluster.encode())
    if size > MAX_CLUSTER_BYTES:
        raise InvalidLabelsError(
            f'{{cluster="{cluster[:40]}…"}}',
            f"cluster name has {size} bytes, at most {MAX_CLUSTER_BYTES} are accepted",
        )


@dataclass(frozen=True, slots=True)
class Sender:
    """The source of one request.

    Attributes:
        cluster: cluster of data that names none; None = such data is refused.
        allowed: clusters that its data may name, as its token says; None = any.
    """

    cluster: str | None = None
    allowed: frozenset[str] | None = None

    def context(self, cluster: str | None) -> str:
        """What of the sender decides how the same bytes are read; `cluster` is of data without."""
        allowed = "" if self.allowed is None else "\xff" + "\xff".join(sorted(self.allowed))
        return (cluster or "") + "\0" + allowed

    def check(self, cluster: str) -> None:
        """Whether the sender may bring data of this cluster.

        >>> Sender("eu-1", frozenset({"eu-1"})).check("us-2")
        Traceback (most recent call last):
        ingest.errors.ClusterForbiddenError: cluster 'us-2' is not one ...

        Raises:
            ClusterForbiddenError: its token says otherwise.
        """
        if self.allowed is not None and cluster not in self.allowed:
            raise ClusterForbiddenError(cluster, sorted(self.allowed))


ANYONE = Sender()
"""Names its cluster in the data, and may name any."""
