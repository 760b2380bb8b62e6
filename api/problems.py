"""One table from our errors to HTTP: status, short name, and a problem document (RFC 9457)."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.errors import (
    ApiError,
    CallerForbiddenError,
    CallerUnknownError,
    ManyQuestionsError,
    NotAcceptableError,
    SlowBodyError,
    TooManyQueriesError,
)
from detectors import DetectorsError
from ingest.errors import (
    BadRequestError,
    BodyTooLargeError,
    ClusterForbiddenError,
    IngestError,
    LogError,
    OverloadedError,
    SeriesLimitError,
    SourceError,
    UnauthorizedError,
    UnsupportedProtocolError,
)
from lake.errors import (
    ConflictError,
    EngineError,
    FileDamagedError,
    FooterError,
    LakeError,
    LakeNotFoundError,
    QueryCancelledError,
    QueryError,
    QueryNotAllowedError,
    QueryTimeoutError,
    ResultTooLargeError,
    StoreError,
    TableDamagedError,
    TimeRangeError,
)
from orchestration.errors import (
    FilterError,
    NotFoundError,
    OrchestrationError,
    PlacementError,
)

RETRY_AFTER_SECONDS = 5
UNAUTHORIZED = 401

STATUS: Mapping[type[Exception], tuple[int, str]] = {
    ClusterForbiddenError: (403, "cluster not allowed"),
    SeriesLimitError: (429, "too many series"),
    UnauthorizedError: (401, "unauthorized"),
    BadRequestError: (400, "bad request"),
    UnsupportedProtocolError: (415, "unsupported protocol"),
    BodyTooLargeError: (413, "body too large"),
    OverloadedError: (503, "overloaded"),
    LogError: (503, "log cannot be written"),
    SourceError: (502, "source failed"),
    IngestError: (500, "ingest failed"),
    TimeRangeError: (400, "bad time range"),
    QueryNotAllowedError: (403, "query not allowed"),
    QueryTimeoutError: (504, "query timed out"),
    QueryCancelledError: (499, "query cancelled"),
    ResultTooLargeError: (413, "result too large"),
    QueryError: (400, "bad query"),
    ConflictError: (503, "busy"),
    StoreError: (503, "lake out of reach"),
    FileDamagedError: (503, "file damaged"),
    TableDamagedError: (503, "table damaged"),
    FooterError: (503, "file damaged"),
    EngineError: (503, "query engine did not start"),
    LakeNotFoundError: (503, "lake missing"),
    LakeError: (500, "lake failed"),
    DetectorsError: (500, "detection failed"),
    FilterError: (400, "bad filter"),
    PlacementError: (400, "bad job"),
    NotFoundError: (404, "not found"),
    OrchestrationError: (500, "failed"),
    CallerUnknownError: (401, "unauthorized"),
    CallerForbiddenError: (403, "cluster not allowed"),
    NotAcceptableError: (406, "not acceptable"),
    TooManyQueriesError: (503, "too many queries"),
    ManyQuestionsError: (503, "too many questions"),
    SlowBodyError: (503, "slow body"),
}
"""The nearest class in an error's ancestry counts."""


def status_of(error: Exception) -> tuple[int, str]:
    """Status and title for an error of ours.

    >>> status_of(QueryTimeoutError(30.0))
    (504, 'query timed out')
    """
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return 500, "internal error"


def problem(
    status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem document. The title is stable and names the kind; the detail is for people."""
    retry = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in {429, 503} else {}
    if status == UNAUTHORIZED:
        retry = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(
        {
            "type": f"urn:fleetlake:{title.replace(' ', '-')}",
            "title": title,
            "status": status,
            "detail": detail,
        },
        status_code=status,
        headers={**(headers or {}), **retry},
        media_type="application/problem+json",
    )


def install(app: FastAPI) -> None:
    """Answer every error of ours, and the framework's own, with a problem document."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return problem(*status_of(error), str(error))

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        details = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']} (is {str(item['input'])[:60]!r})"
            for item in error.errors()
        )
        return problem(422, "invalid parameters", details)

    async def framework(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        detail = str(error.detail)
        return problem(error.status_code, detail.lower(), detail, error.headers)

    for base in (ApiError, DetectorsError, IngestError, LakeError, OrchestrationError):
        app.add_exception_handler(base, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, framework)
