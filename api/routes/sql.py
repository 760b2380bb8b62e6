"""SQL for strangers: one SELECT, within limits."""

from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from api.body import read_body
from api.dependencies import ServiceDep
from api.plain import plain
from lake import Lake, Limits
from orchestration.settings import ApiSettings

MIB = 1 << 20

_JSON = TypeAdapter(dict[str, Any])

MAX_QUERY_BYTES = MIB
"""No query that a person or a dashboard writes is longer."""


class Query(BaseModel):
    """A query over `samples`, `series`, `events`, `anomalies` and `metrics`."""

    query: str = Field(examples=["SELECT cluster, count(*) AS series FROM series GROUP BY cluster"])


class Answer(BaseModel):
    """The rows of a query, and what they were read from.

    NaN and infinities are null, maps objects, bytes base64, and what JSON has no form for is text.
    """

    columns: list[str]
    rows: list[list[Any]]
    lake_versions: dict[str, int]


INVALID: dict[int | str, dict[str, Any]] = {422: {"description": "Invalid parameters"}}

REQUEST_BODY = {
    "required": True,
    "content": {"application/json": {"schema": Query.model_json_schema()}},
}


def router(settings: ApiSettings) -> APIRouter:
    """The route, with slots of its own: heavy queries wait for each other, nobody else does."""
    routes = APIRouter(prefix="/api/v1", tags=["read"])
    slots = CapacityLimiter(settings.sql_concurrency)
    limits = Limits(
        rows=settings.sql_rows,
        seconds=settings.sql_seconds,
        memory_bytes=settings.sql_memory_mb * MIB,
        threads=settings.sql_threads,
    )

    @routes.post(
        "/sql",
        response_model=Answer,
        openapi_extra={"requestBody": REQUEST_BODY},
        responses=INVALID,
    )
    async def post_sql(service: ServiceDep, request: Request) -> Response:
        """Run one read-only SELECT; every table has its columns in the documentation."""
        body = await read_body(request, MAX_QUERY_BYTES)
        try:
            query = Query.model_validate_json(body)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False)) from error
        answer = await to_thread.run_sync(_answer, service.lake, query.query, limits, limiter=slots)
        return Response(answer, media_type="application/json")

    return routes


def _answer(lake: Lake, query: str, limits: Limits) -> bytes:
    """The answer as JSON, made in the query's own thread: no other request waits for it."""
    result = lake.query_guarded(query, limits)
    columns = [plain(column) for column in result.rows.columns]
    return _JSON.dump_json(
        {
            "columns": result.rows.column_names,
            "rows": list(zip(*columns, strict=True)),
            "lake_versions": result.versions,
        }
    )
