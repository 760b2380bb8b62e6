"""Where read tokens are set, nothing but sending and health is answered without one.

It stands before all routes, so that a route added later is closed until it is named here: pages,
their assets and their websocket, the documentation and the metrics are no routes of ours.
"""

from collections.abc import Iterable, Sequence

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from api.caller import identify
from api.errors import CallerForbiddenError, CallerUnknownError
from api.pages.mount import is_page
from api.problems import problem, status_of
from orchestration.read_token import ReadToken

HEALTH = frozenset({"/healthz", "/readyz"})
"""Asked by what keeps the process alive, which holds no token."""

OF_ALL_CLUSTERS = frozenset({"/metrics"})
"""Besides the pages: they tell of every cluster, whoever asks."""

CHALLENGE = 'Basic realm="fleetlake", charset="UTF-8", Bearer'
"""Basic comes first: it makes a browser ask."""

REFUSED = 1008
"""The websocket's code for a policy."""


class Admission:
    """Lets through what needs no token, and who has one.

    Args:
        app: what is behind it.
        tokens: at least one.
        open_routes: those that need none.
    """

    def __init__(
        self, app: ASGIApp, tokens: Sequence[ReadToken], open_routes: Sequence[BaseRoute]
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._open = open_routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 403, or pass the request on."""
        if scope["type"] not in {"http", "websocket"} or self._is_open(scope):
            await self._app(scope, receive, send)
            return
        error = self._refusal(scope)
        if error is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": REFUSED})
        else:
            answer = problem(*status_of(error), str(error))
            if isinstance(error, CallerUnknownError):
                answer.headers["WWW-Authenticate"] = CHALLENGE
            await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> CallerUnknownError | CallerForbiddenError | None:
        try:
            caller = identify(self._tokens, Headers(scope=scope).get("authorization"))
        except CallerUnknownError as error:
            return error
        if caller.clusters is not None and tells_of_all(scope):
            return CallerForbiddenError(scope["path"])
        return None

    def _is_open(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] == Match.FULL for route in self._open)


def tells_of_all(scope: Scope) -> bool:
    """Whether an answer is not narrowed to the caller's clusters."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in OF_ALL_CLUSTERS or is_page(scope)


def install(app: FastAPI, tokens: Sequence[ReadToken], routes: Iterable[BaseRoute]) -> None:
    """Ask for tokens, if there are any, before all but the sending and health among the routes."""
    if not tokens:
        return
    needless = [
        route
        for route in routes
        if isinstance(route, APIRoute) and ("ingest" in route.tags or route.path in HEALTH)
    ]
    app.add_middleware(Admission, tokens=tokens, open_routes=needless)
