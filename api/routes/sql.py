"""SQL for strangers: one SELECT, within limits, in the format asked for.

FastAPI documents the routes, but a `POST` takes a shorter way beside it, as samples do: a panel's
query takes as long as finding the route and solving its dependencies.
"""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from api.body import read_body
from api.caller import Caller, CallerDep
from api.caller import caller as caller_of
from api.dependencies import QueriesDep, ServiceDep
from api.dependencies import queries as queries_of
from api.dependencies import service as service_of
from api.results.headers import SNAPSHOT_HEADER, VERSIONS_HEADER
from api.results.negotiation import MEDIA_TYPES, negotiated
from api.results.queries import Queries
from api.results.response import SqlResponse
from lake.query import Stream, stream_guarded
from lake.results import Format
from orchestration.service import Service

MAX_QUERY_BYTES = 1 << 18
"""Ten thousand series by number fit into one. It is judged in this process, in some 7 µs a byte,
and whoever asks for anything else waits for a part of that."""

AS_OF = "what was known then: an RFC 3339 time, or the `snapshot_id` of an earlier answer"


class SqlQuery(BaseModel):
    """A query over the views: `samples`, `series`, `metrics`, `events`, `anomalies` and others."""

    query: str = Field(examples=["SELECT cluster, count(*) AS series FROM series GROUP BY cluster"])
    as_of: str | None = Field(None, description=AS_OF)


class Answer(BaseModel):
    """The rows of a query as JSON, and what they were read from.

    NaN and infinities are null, maps objects, bytes base64, and what JSON has no form for is text.
    """

    snapshot_id: str
    lake_versions: dict[str, int]
    columns: list[str]
    types: list[str] = Field(description="Arrow's types of the columns")
    rows: list[list[Any]]


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The rows, sent while the query runs: whole only if the body is complete",
        "content": {
            media: {} if form is not Format.json else {"schema": Answer.model_json_schema()}
            for form, media in MEDIA_TYPES.items()
        },
        "headers": {
            SNAPSHOT_HEADER: {"schema": {"type": "string"}, "description": "`as_of` of these rows"},
            VERSIONS_HEADER: {"schema": {"type": "string"}, "description": "table=version,…"},
        },
    },
    406: {"description": "No format that the client takes"},
    413: {"description": "More rows or bytes than a result may have"},
    422: {"description": "Invalid parameters"},
    503: {"description": "No slot became free, or the query's process did not start"},
    504: {"description": "Ran too long"},
}

REQUEST_BODY = {
    "required": True,
    "content": {"application/json": {"schema": SqlQuery.model_json_schema()}},
}

FormatParameter = Annotated[
    Format | None, Query(alias="format", description="instead of the header Accept")
]
Accept = Annotated[str | None, Header(include_in_schema=False)]

FORM: TypeAdapter[Format | None] = TypeAdapter(Format | None)

PATH = "/api/v1/sql"

router = APIRouter(tags=["read"])


def install(app: FastAPI) -> None:
    """Add the shorter way: before the routers, whose routes are what the documentation shows."""
    app.add_route(PATH, _post_sql, methods=["POST"], include_in_schema=False)


async def _post_sql(request: Request) -> Response:
    service = await service_of(request)
    caller, queries = await caller_of(request, service), await queries_of(request)
    form = _form(request.query_params.get("format"))
    return await post_sql(service, caller, queries, request, form, request.headers.get("accept"))


def _form(named: str | None) -> Format | None:
    """The parameter, with FastAPI's own words where it is wrong."""
    try:
        return FORM.validate_python(named)
    except ValidationError as error:
        told = [{**each, "loc": ("query", "format")} for each in error.errors(include_url=False)]
        raise RequestValidationError(told) from error


@router.post(PATH, openapi_extra={"requestBody": REQUEST_BODY}, responses=RESPONSES)
async def post_sql(
    service: ServiceDep,
    caller: CallerDep,
    queries: QueriesDep,
    request: Request,
    form: FormatParameter = None,
    accept: Accept = None,
) -> Response:
    """Run one read-only SELECT; every table has its columns in the documentation."""
    wanted = form or negotiated(accept)
    body = await read_body(request, MAX_QUERY_BYTES)
    try:
        query = SqlQuery.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error
    return _response(service, caller, queries, query, wanted)


@router.get(PATH, responses=RESPONSES)
async def get_sql(
    service: ServiceDep,
    caller: CallerDep,
    queries: QueriesDep,
    query: Annotated[str, Query(description="one SELECT")],
    as_of: Annotated[str | None, Query(description=AS_OF)] = None,
    form: FormatParameter = None,
    accept: Accept = None,
) -> Response:
    """Run one read-only SELECT that fits into an address, for links and spreadsheets."""
    asked = SqlQuery(query=query, as_of=as_of)
    return _response(service, caller, queries, asked, form or negotiated(accept))


def _response(
    service: Service, caller: Caller, queries: Queries, query: SqlQuery, form: Format
) -> Response:
    def begin() -> Stream:
        snapshot = service.lake.snapshot(query.as_of)
        return stream_guarded(snapshot, query.query, queries.limits, caller.clusters, form)

    return SqlResponse(queries, begin, MEDIA_TYPES[form])
