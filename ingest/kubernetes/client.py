"""The API server through the official client: its TLS, its ways in, its fresh tokens.

Answers are read as raw JSON, not as the client's model classes: an answer of ten thousand pods is
parsed in native code, and fields that the client does not know are kept.
"""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client as official
from kubernetes import config
from kubernetes.client.exceptions import OpenApiException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ingest.backoff import retry_after
from ingest.errors import ApiServerError, SourceError
from ingest.kubernetes.server import Json, Query
from ingest.kubernetes.settings import KubernetesSource
from lake import Clock, utc_now

if TYPE_CHECKING:
    from kubernetes.client.api_client import RequestSerialized

CONNECT_SECONDS = 10.0

TOKEN_SECONDS = 10.0
MOST_PLUGINS = 8
"""Plugins of one kubeconfig that run at a time, those that hang among them."""

SILENCE_SECONDS = 30.0
"""The longest pause inside the answer to a list."""

PIECE = 1 << 16
MAX_ANSWER = 1 << 30
"""A list without pages of a hundred thousand large pods; more than that is not an answer."""

MAX_REFUSAL = 1 << 16

ADVICE = {
    401: "the API server does not know our token or certificate",
    403: "our account may not do this: see deploy/kubernetes/rbac.yaml",
}


class Client:
    """An `ApiServer` reached as the settings say.

    Args:
        source: which, and how.
        clock: the time, against which servers state dates.

    Raises:
        SourceError: no way in: no such kubeconfig or context, or not in a pod.
    """

    def __init__(self, source: KubernetesSource, clock: Clock = utc_now) -> None:
        self._source = source
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[urllib3.BaseHTTPResponse] = set()
        self._interrupted = False
        self._plugins = threading.BoundedSemaphore(MOST_PLUGINS)
        try:
            self._api = official.ApiClient(_configuration(source))  # type: ignore[no-untyped-call, unused-ignore]
        except Exception as error:
            raise SourceError(_name(source), f"no way in: {_show(error)}") from error

    def get(self, path: str, query: Query, *, accept: str = "application/json") -> Json:
        """See `ApiServer`."""
        limit = self._source.list_timeout
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        silence = min(limit.total_seconds(), SILENCE_SECONDS)
        with self._request(path, query, headers, silence) as response:
            body = b"".join(self._pieces(path, response, limit, MAX_ANSWER))
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ApiServerError(self._url(path), 200, f"no JSON in the answer: {error}") from error
        if not isinstance(answer, dict):
            raise ApiServerError(self._url(path), 200, f"{type(answer).__name__}, not an object")
        return answer

    @contextmanager
    def watch(self, path: str, query: Query) -> Iterator[Iterator[bytes]]:
        """See `ApiServer`."""
        silence = self._source.watch_silence.total_seconds()
        headers = {"Accept": "application/json"}
        with self._request(path, query, headers, silence) as response:
            yield self._until_silent(path, response)

    def interrupt(self) -> None:
        """See `ApiServer`."""
        with self._lock:
            self._interrupted = True
            for response in self._open:
                # Raised where the other thread has just come to the end of it.
                with suppress(ValueError, RuntimeError, OSError):
                    response.shutdown()

    def _until_silent(self, path: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        # The server ends a watch itself; half a minute more for what is on its way.
        life = self._source.watch_timeout + timedelta(seconds=SILENCE_SECONDS)
        try:
            yield from self._pieces(path, response, life, None)
        except _SilentError:
            return

    def _pieces(
        self,
        path: str,
        response: urllib3.BaseHTTPResponse,
        life: timedelta,
        most: int | None,
    ) -> Iterator[bytes]:
        """The body as it comes; `_SilentError` if it stays away, or drips for too long."""
        ends, size = time.monotonic() + life.total_seconds(), 0
        while True:
            try:
                piece = response.read1(PIECE)
            except ReadTimeoutError as error:
                raise _SilentError(self._url(path), "fell silent") from error
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                raise SourceError(self._url(path), f"connection broke: {_show(error)}") from error
            if not piece:
                return
            yield piece
            size += len(piece)
            if most is not None and size > most:
                raise ApiServerError(self._url(path), 200, f"answer is longer than {most} bytes")
            if time.monotonic() > ends:
                raise _SilentError(self._url(path), f"no end after {life}")

    @contextmanager
    def _request(
        self, path: str, query: Query, headers: dict[str, str], silence: float
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        try:
            request = self._signed(path, query, headers)
        except TimeoutError as error:
            problem = f"no token in {TOKEN_SECONDS:g} s: does a plugin of its kubeconfig hang?"
            raise SourceError(self._url(path), problem) from error
        except Exception as error:  # it asks for a fresh token: a file, a plugin, a provider
            raise SourceError(self._url(path), f"no token: {_show(error)}") from error
        try:
            answer = self._api.call_api(*request, _request_timeout=(CONNECT_SECONDS, silence))
        except (HTTPError, HTTPException, OSError, ValueError, OpenApiException) as error:
            raise SourceError(self._url(path), f"no answer: {_show(error)}") from error
        response: urllib3.BaseHTTPResponse = answer.response
        with self._lock:
            interrupted = self._interrupted
            self._open.add(response)
        try:
            if interrupted:
                raise SourceError(self._url(path), "interrupted")
            if not 200 <= response.status <= 299:
                raise self._refusal(path, response)
            yield response
        finally:
            with self._lock:
                self._open.discard(response)
            # Not back into the pool: it may have been left in the middle.
            response.close()

    def _signed(self, path: str, query: Query, headers: dict[str, str]) -> "RequestSerialized":
        """The request with a fresh token.

        A plugin may hang, and nothing can end it from outside: it has a thread of its own, and few
        of those are begun.

        Raises:
            TimeoutError: there is no token yet.
        """
        serialize = partial(
            self._api.param_serialize,
            "GET",
            path,
            query_params=list(query.items()),
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        if self._source.kubeconfig is None and self._source.context is None:
            return serialize()
        done: Future[RequestSerialized] = Future()

        def act() -> None:
            try:
                done.set_result(serialize())
            except Exception as error:  # noqa: BLE001 - raised by whoever waits
                done.set_exception(error)
            finally:
                self._plugins.release()

        if not self._plugins.acquire(timeout=TOKEN_SECONDS):
            raise TimeoutError
        threading.Thread(target=act, name="token", daemon=True).start()
        return done.result(TOKEN_SECONDS)

    def _refusal(self, path: str, response: urllib3.BaseHTTPResponse) -> ApiServerError:
        body = b""
        with suppress(SourceError):
            for piece in self._pieces(path, response, timedelta(seconds=CONNECT_SECONDS), None):
                body += piece
                if len(body) > MAX_REFUSAL:
                    break
        status = response.status
        problem = _message(body) or str(response.reason)
        if status in ADVICE:
            problem = f"{ADVICE[status]} ({problem})"
        return ApiServerError(
            self._url(path), status, problem, retry_after(response.headers, self._clock())
        )

    def _url(self, path: str) -> str:
        return f"{self._api.configuration.host}{path}"


class _SilentError(SourceError):
    """Nothing came for too long."""


def _configuration(source: KubernetesSource) -> Any:
    configuration = official.Configuration()
    if source.host is not None:
        configuration.host = source.host.rstrip("/")
        configuration.ssl_ca_cert = None if source.ca_file is None else str(source.ca_file)
        if source.token_file is not None:
            path = source.token_file

            def fresh(to: Any) -> None:
                to.api_key["BearerToken"] = "Bearer " + path.read_text("utf-8").strip()

            fresh(configuration)
            configuration.refresh_api_key_hook = fresh  # type: ignore[assignment]
    elif source.kubeconfig is not None or source.context is not None:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=None if source.kubeconfig is None else str(source.kubeconfig),
            context=source.context,
            client_configuration=configuration,
        )
    else:
        config.load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    # We wait and repeat ourselves, and say so.
    configuration.retries = False
    configuration.keep_alive = True
    return configuration


def _name(source: KubernetesSource) -> str:
    return source.host or str(source.kubeconfig or f"cluster {source.cluster}")


def _message(body: bytes) -> str:
    """What a `Status` says, or whatever the proxy in between says."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return body[:200].decode("utf-8", "replace").strip()
    return str(answer.get("message") or answer)[:500] if isinstance(answer, dict) else ""


def _show(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"
