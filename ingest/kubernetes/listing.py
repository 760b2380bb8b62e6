"""A whole collection, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import ApiServerError
from ingest.kubernetes.server import GONE, ApiServer, Json

MAX_PAGES = 100_000
"""A server that never comes to an end is broken."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        items: the objects, as they came.
        resource_version: the state of the cluster that the list shows, to watch from.
        first: the list begins (again): what came in earlier pages is void.
    """

    items: list[Json]
    resource_version: str
    first: bool


def pages(
    server: ApiServer, path: str, page_size: int, *, accept: str = "application/json"
) -> Iterator[Page]:
    """All pages of the newest state.

    A list takes as long as its reader, and the server keeps the state it shows for five minutes.
    When it is gone the list begins again, this time in one piece, which cannot go: as client-go
    does (https://github.com/kubernetes/client-go/blob/master/tools/pager/pager.go).

    Raises:
        ApiServerError, SourceError: see `ApiServer.get`.
    """
    try:
        yield from _paged(server, path, page_size, accept)
    except ApiServerError as error:
        if error.status != GONE:
            raise
    else:
        return
    yield from _paged(server, path, None, accept)


def _paged(server: ApiServer, path: str, page_size: int | None, accept: str) -> Iterator[Page]:
    query: dict[str, str | int] = {} if page_size is None else {"limit": page_size}
    for number in range(MAX_PAGES):
        answer = server.get(path, query, accept=accept)
        items, about = answer.get("items") or [], answer.get("metadata") or {}
        if not isinstance(items, list) or not isinstance(about, dict):
            raise ApiServerError(path, 200, "the answer is no list")
        yield Page(
            [item for item in items if isinstance(item, dict)],
            str(about.get("resourceVersion") or ""),
            number == 0,
        )
        token = about.get("continue")
        if not token:
            return
        if token == query.get("continue"):
            break
        query["continue"] = str(token)
    raise ApiServerError(path, 200, "the list has no end")
