"""What we need of an API server: pages of JSON, and a stream that does not end by itself."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

Query = Mapping[str, str | int]
Json = dict[str, Any]

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Asks for a list without specs and contents; a server that cannot do it gives all."""

GONE = 410
"""The position or the page asked for is no longer kept: list again."""


class ApiServer(Protocol):
    """An API server, with its errors as `SourceError`, `ApiServerError` where it did answer."""

    def get(self, path: str, query: Query, *, accept: str = "application/json") -> Json:
        """The object at the path.

        Raises:
            ApiServerError: any status but 2xx, or what it sends is no JSON object.
            SourceError: no answer, or not in time.
        """
        ...

    def watch(self, path: str, query: Query) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of a watch as they come, in pieces of any length, until the server ends it.

        Raises:
            ApiServerError: any status but 2xx.
            SourceError: no answer; or, while reading, the connection broke or fell silent.
        """
        ...

    def interrupt(self) -> None:
        """End what is being read, from another thread, and refuse whatever is asked later."""
        ...
