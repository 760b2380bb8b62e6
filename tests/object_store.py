"""An object store for tests: moto's, over HTTP on loopback, that can be told to fail."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "lakes"

SECRET = "the-secret-of-the-bucket"

REFUSAL = b"<Error><Code>InternalError</Code><Message>We encountered an error</Message></Error>"


class ObjectStore:
    """A server with one bucket.

    Attributes:
        url: of the bucket.
        options: to reach it by.
        requests: method and path of all that came, in order.
        failing: which of them are answered by status 500.
    """

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self._conditional = threading.Lock()
        self.requests: list[tuple[str, str]] = []
        self.failing: Callable[[str, str], bool] = lambda method, path: False
        endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self.options = {
            "endpoint_url": endpoint,
            "access_key_id": "somebody",
            "secret_access_key": SECRET,
            "region": "eu-central-1",
        }
        self.client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="somebody",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=BUCKET)
        self.url = f"s3://{BUCKET}"

    def keys(self, prefix: str = "") -> set[str]:
        """The names of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def stop(self) -> None:
        """Nothing listens afterwards."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        if self.failing(method, path):
            start_response("500 Internal Server Error", [("Content-Type", "application/xml")])
            return [REFUSAL]
        if "HTTP_IF_NONE_MATCH" in environ and method == "PUT":
            # moto looks, then puts, with nothing between the two; a store must not.
            with self._conditional:
                return self._app(environ, start_response)
        return self._app(environ, start_response)
