"""Running the app: in the foreground, or in a thread of a command that does more."""

import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.errors import ServerError

START_SECONDS = 30.0


def bind(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is known before anything is built on it.

    Raises:
        ServerError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
        ) from error
    return listener


def address(listener: socket.socket) -> str:
    """The URL under which a local user reaches the socket."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared only
    return f"http://{shown}:{port}"


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    # What is loaded by now stays: looked at again by each full collection, it cost a request 0.2 s.
    gc.collect()
    gc.freeze()
    _server(app).run(sockets=[listener])


@contextmanager
def serving(app: FastAPI, listener: socket.socket) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the URL.

    Raises:
        ServerError: the app did not start.
    """
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="http")
    thread.start()
    waiting = threading.Event()
    for _ in range(int(START_SECONDS / 0.05)):
        if server.started or not thread.is_alive():
            break
        waiting.wait(0.05)
    try:
        if not server.started:
            raise ServerError(f"the server did not start within {START_SECONDS:g} s")
        yield address(listener)
    finally:
        server.should_exit = True
        thread.join()
