"""Where NiceGUI's app answers: at `/` and under its own paths."""

from fastapi import FastAPI
from starlette.routing import Match, Mount
from starlette.types import Scope

OWN = ("/_nicegui", "/favicon.ico")


def is_page(scope: Scope) -> bool:
    """Whether a request is for the page, its assets or its websocket."""
    # A server behind a path prefix has it in `path` too.
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in {"", "/"} or path.startswith(OWN)


class PageMount(Mount):
    """A mount at the root that takes only the page's paths.

    A plain one takes every path, and then a mistyped API route gets a page where a program expects
    a problem document, and a wrong method gets 404 for 405.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for the page."""
        return super().matches(scope) if is_page(scope) else (Match.NONE, {})


def confine(app: FastAPI) -> None:
    """Replace NiceGUI's mount, the last route, by one that takes only the page's paths."""
    mounted = app.router.routes.pop()
    assert isinstance(mounted, Mount)  # noqa: S101 - bug: not called right after run_with
    app.router.routes.append(PageMount("/", mounted.app))
