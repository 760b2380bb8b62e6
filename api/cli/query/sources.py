"""Where the terminal's SQL is asked: the lake on this machine, or a server."""

import io
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import pyarrow as pa

from api.errors import RemoteError
from api.results.headers import SNAPSHOT_HEADER
from api.results.negotiation import MEDIA_TYPES
from lake import Lake
from lake.errors import QueryCancelledError, QueryError
from lake.results import Format
from lake.rows import rows_of

CONNECT_SECONDS = 10.0
MOST_DETAIL = 2_000

CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})
"""httpcore's own words for what it traces."""


@dataclass(frozen=True)
class Asked:
    """A query that has been sent.

    Attributes:
        snapshot_id: of what it reads.
        batches: gives the schema and the rows, waiting for them.
        progress: the share done; None where that is not known.
        cancel: stops it, from another thread.
    """

    snapshot_id: Callable[[], str]
    batches: Callable[[], tuple[pa.Schema, Iterator[pa.RecordBatch]]]
    progress: Callable[[], float | None]
    cancel: Callable[[], None]


class Source(Protocol):
    """Where to ask."""

    def ask(self, sql: str) -> AbstractContextManager[Asked]:
        """Ask for the rows of a query, to be read within the block."""
        ...


class LocalSource:
    """A lake, read directly, without limits."""

    def __init__(self, lake: Lake, as_of: str | None) -> None:
        self._lake = lake
        self._as_of = as_of

    @contextmanager
    def ask(self, sql: str) -> Iterator[Asked]:
        """See `Source.ask`."""
        with rows_of(self._lake.snapshot(self._as_of), sql) as rows:
            yield Asked(lambda: rows.snapshot_id, rows.batches, rows.progress, rows.cancel)


class RemoteSource:
    """A server, within its limits."""

    def __init__(self, url: str, token: str | None, as_of: str | None) -> None:
        self._url = url.rstrip("/") + "/api/v1/sql"
        self._headers = {"Accept": MEDIA_TYPES[Format.arrow]}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._as_of = as_of

    @contextmanager
    def ask(self, sql: str) -> Iterator[Asked]:
        """See `Source.ask`."""
        # The server says how long a query may take, by its own limits.
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        with httpx.Client(timeout=timeout, headers=self._headers) as client:
            answer = _Answer(client, self._url, {"query": sql, "as_of": self._as_of})
            try:
                yield Asked(lambda: answer.snapshot_id, answer.batches, lambda: None, answer.cancel)
            finally:
                answer.close()


class _Answer:
    def __init__(self, client: httpx.Client, url: str, query: dict[str, str | None]) -> None:
        self.snapshot_id = ""
        self._client = client
        self._url = url
        self._query = query
        self._reply: httpx.Response | None = None
        self._cancelled = False
        self._socket: socket.socket | None = None

    def batches(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Send the query, and read what comes."""
        with self._failures():
            request = self._client.build_request(
                "POST", self._url, json=self._query, extensions={"trace": self._trace}
            )
            self._reply = reply = self._client.send(request, stream=True)
            if reply.status_code != httpx.codes.OK:
                reply.read()
                raise _refusal(reply)
            self.snapshot_id = reply.headers.get(SNAPSHOT_HEADER, "")
            reader = pa.ipc.open_stream(io.BufferedReader(_Body(reply)))
        return reader.schema, self._read(reader)

    def _read(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        with self._failures():
            yield from reader

    def cancel(self) -> None:
        """Hang up: the server then stops the query."""
        self._cancelled = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                # To close it would not wake the thread that waits for it.
                self._socket.shutdown(socket.SHUT_RDWR)

    def _trace(self, event: str, told: dict[str, Any]) -> None:
        if event in CONNECTED:
            self._socket = told["return_value"].get_extra_info("socket")
            if self._cancelled:
                self.cancel()

    def close(self) -> None:
        """Nobody reads any more."""
        if self._reply is not None:
            self._reply.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, pa.ArrowException) as error:
            if self._cancelled:
                raise QueryCancelledError from error
            raise RemoteError(self._url, str(error) or type(error).__name__) from error
        except (OSError, RuntimeError) as error:
            if self._cancelled:  # its socket was closed below it
                raise QueryCancelledError from error
            raise


class _Body(io.RawIOBase):
    """A reply's body as a file."""

    def __init__(self, reply: httpx.Response) -> None:
        self._pieces = reply.iter_raw()
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        room = memoryview(target).cast("B")  # type: ignore[arg-type]
        count = min(len(room), len(self._left))
        room[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _refusal(reply: httpx.Response) -> QueryError | RemoteError:
    try:
        problem = reply.json()
        detail = str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return RemoteError(str(reply.url), f"answers {reply.status_code}, and is no fleetlake")
    if str(problem.get("type", "")).endswith(("query", "query-not-allowed")):
        return QueryError(detail[:MOST_DETAIL])
    return RemoteError(str(reply.url), detail[:MOST_DETAIL])
