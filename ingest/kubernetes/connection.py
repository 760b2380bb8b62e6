"""A server that is connected to when it is first asked, and anew after it no longer knows us."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes.server import ApiServer, Json, Query
from ingest.kubernetes.settings import KubernetesSource

Connect = Callable[[KubernetesSource], ApiServer]

UNAUTHORIZED = 401


class Connection:
    """An `ApiServer` that may not be reachable yet; shared by the threads of one source.

    After a 401 the way in is read again from its file: certificates in a kubeconfig are replaced
    while we run.
    """

    def __init__(self, source: KubernetesSource, connect: Connect) -> None:
        self._source = source
        self._connect = connect
        self._lock = threading.Lock()
        self._server: ApiServer | None = None
        self._interrupted = False

    def get(self, path: str, query: Query, *, accept: str = "application/json") -> Json:
        """See `ApiServer`."""
        with self._connected() as server:
            return server.get(path, query, accept=accept)

    @contextmanager
    def watch(self, path: str, query: Query) -> Iterator[Iterator[bytes]]:
        """See `ApiServer`."""
        with self._connected() as server, server.watch(path, query) as pieces:
            yield pieces

    def interrupt(self) -> None:
        """See `ApiServer`."""
        with self._lock:
            self._interrupted = True
            if self._server is not None:
                self._server.interrupt()

    @contextmanager
    def _connected(self) -> Iterator[ApiServer]:
        with self._lock:
            if self._interrupted:
                raise SourceError(f"cluster {self._source.cluster}", "interrupted")
            if self._server is None:
                self._server = self._connect(self._source)
            server = self._server
        try:
            yield server
        except ApiServerError as error:
            if error.status == UNAUTHORIZED:
                with self._lock:
                    if self._server is server and not self._interrupted:
                        self._server = None
            raise
