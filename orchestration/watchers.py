"""The clusters that are listened to: one runner each, started and stopped with the service."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from ingest.kubernetes import KubernetesSource
from ingest.kubernetes.connection import Connect
from ingest.kubernetes.runner import KubernetesRunner
from ingest.kubernetes.server import ApiServer
from ingest.kubernetes.statistics import KubernetesStatistics
from ingest.receiver import Receiver
from lake import Clock
from orchestration.errors import SettingsError


class Watchers:
    """Runs the watches of all Kubernetes sources.

    Args:
        sources: the clusters.
        receiver: takes what is found.
        folder: for what must survive a restart; a folder a cluster below it.
        clock: the time.
        connect: opens an API server.

    Raises:
        SettingsError: there are sources, and the client is not installed.
    """

    def __init__(
        self,
        sources: Sequence[KubernetesSource],
        receiver: Receiver,
        folder: Path,
        clock: Clock,
        connect: Connect | None = None,
    ) -> None:
        if sources and connect is None and find_spec("kubernetes") is None:
            raise SettingsError(
                "settings name `kubernetes` clusters and its client is not installed: "
                "pip install 'fleetlake[kubernetes]'"
            )
        self._runners = [
            KubernetesRunner(
                source,
                receiver,
                folder / quote(source.cluster, safe=""),
                connect or _connect,
                clock,
            )
            for source in sources
        ]

    def start(self) -> None:
        """Start all of them; none waits for its cluster to answer."""
        for runner in self._runners:
            runner.start()

    def stop(self) -> None:
        """Stop all of them, before the receiver that they write to."""
        for runner in self._runners:
            runner.interrupt()
        for runner in self._runners:
            runner.stop()

    @property
    def errors(self) -> dict[str, str]:
        """By cluster and part, the newest failure; empty when all is well."""
        return {
            f"kubernetes {runner.source.cluster}: {part}": text
            for runner in self._runners
            for part, text in list(runner.errors.items())
        }

    @property
    def statistics(self) -> Mapping[str, KubernetesStatistics]:
        """What was read, by cluster."""
        return {runner.source.cluster: runner.statistics for runner in self._runners}


def _connect(source: KubernetesSource) -> ApiServer:
    # The client takes a third of a second to import, and is an extra.
    from ingest.kubernetes.client import Client  # noqa: PLC0415

    return Client(source)
