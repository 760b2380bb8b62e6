"""A server that is connected to when it is first asked, and anew after it no longer knows us."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes.server import ApiServer, Json, Query
from ingest.kubernetes.settings import KubernetesSource
from lake import Clock, utc_now

Connect = Callable[[KubernetesSource], ApiServer]

UNAUTHORIZED = 401

TELL_SECONDS = 10.0
"""Whoever asks waits this long for a connection that is being made, then says so and asks again."""

ABANDON_SECONDS = 120.0
"""After this an attempt (a kubeconfig's `exec` plugin that hangs) is left alone, another made."""

MOST_ATTEMPTS = 4
"""Attempts that hang at a time: each holds a thread and a process of its plugin."""


class Connection:
    """An `ApiServer` that may not be reachable yet; shared by the threads of one source.

    Connecting may hang, and nothing can end it from outside: it has a thread of its own, which ends
    with the process. After a 401 the way in is read again from its file: certificates in a
    kubeconfig are replaced while we run.
    """

    def __init__(self, source: KubernetesSource, connect: Connect, clock: Clock = utc_now) -> None:
        self._source = source
        self._connect = connect
        self._clock = clock
        self._changed = threading.Condition()
        self._server: ApiServer | None = None
        self._attempts: list[_Attempt] = []
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
        """See `ApiServer`; never waits for a connection that is being made."""
        with self._changed:
            self._interrupted = True
            server = self._server
            self._changed.notify_all()
        if server is not None:
            server.interrupt()

    @contextmanager
    def _connected(self) -> Iterator[ApiServer]:
        server = self._wait()
        try:
            yield server
        except ApiServerError as error:
            if error.status == UNAUTHORIZED:
                with self._changed:
                    if self._server is server and not self._interrupted:
                        self._server = None
            raise

    def _wait(self) -> ApiServer:
        ends = time.monotonic() + TELL_SECONDS
        with self._changed:
            attempt = None if self._server is not None else self._newest_attempt()
            while not self._interrupted:
                if self._server is not None:
                    return self._server
                assert attempt is not None  # noqa: S101 - there is a server, or one is being made
                if attempt.error is not None:
                    raise attempt.error
                if attempt not in self._attempts:
                    # It came, and another thread has found already that it is not known there.
                    attempt = self._newest_attempt()
                if not self._changed.wait(ends - time.monotonic()) and ends < time.monotonic():
                    raise SourceError(
                        self._name(),
                        f"connecting since {attempt.since}: does a plugin of its kubeconfig hang?",
                    )
            raise SourceError(self._name(), "interrupted")

    def _newest_attempt(self) -> "_Attempt":
        """The attempt under way, or a new one; the lock is held."""
        if self._interrupted:
            raise SourceError(self._name(), "interrupted")
        newest = self._attempts[-1] if self._attempts else None
        hangs = newest is not None and time.monotonic() - newest.began > ABANDON_SECONDS
        if newest is not None and (not hangs or len(self._attempts) >= MOST_ATTEMPTS):
            return newest
        attempt = _Attempt(self._clock().isoformat(timespec="seconds"))
        self._attempts.append(attempt)
        name = f"{self._source.cluster} connecting"
        threading.Thread(target=self._make, args=(attempt,), name=name, daemon=True).start()
        return attempt

    def _make(self, attempt: "_Attempt") -> None:
        server, error = None, None
        try:
            server = self._connect(self._source)
        except Exception as problem:  # noqa: BLE001 - raised by whoever waits
            error = problem
        with self._changed:
            self._attempts.remove(attempt)
            attempt.error = error
            if self._server is None:
                self._server = server
            interrupted = self._interrupted
            self._changed.notify_all()
        if interrupted and server is not None:
            server.interrupt()

    def _name(self) -> str:
        return f"cluster {self._source.cluster}"


class _Attempt:
    """One way in being tried: since when, and why it failed."""

    def __init__(self, since: str) -> None:
        self.since = since
        self.began = time.monotonic()
        self.error: Exception | None = None
