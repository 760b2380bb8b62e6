"""SQL for strangers: one SELECT, within limits."""

import base64
from typing import Any

import pyarrow as pa
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.dependencies import ServiceDep
from lake import Limits
from lake.errors import QueryError
from orchestration.settings import ApiSettings

MIB = 1 << 20


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

    @routes.post("/sql")
    async def post_sql(service: ServiceDep, query: Query) -> Answer:
        """Run one read-only SELECT; every table has its columns in the documentation."""
        result = await to_thread.run_sync(
            service.lake.query_guarded, query.query, limits, limiter=slots
        )
        columns = [_plain(column) for column in result.rows.columns]
        return Answer(
            columns=result.rows.column_names,
            rows=[list(row) for row in zip(*columns, strict=True)],
            lake_versions=result.versions,
        )

    return routes


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column as what JSON can say."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
    if pa.types.is_decimal(column.type):
        # Sums of integers come as decimals without a fraction.
        number = int if column.type.scale == 0 else float
        return [None if value is None else number(value) for value in column.to_pylist()]
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
        return [_spelt(value) for value in values] if "binary" in str(column.type) else values
    except (ValueError, OverflowError):
        # Nanoseconds, and times before the year 1 or after 9999.
        return _text(column)


def _spelt(value: object) -> object:
    """A value with its bytes, however deep, as base64."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [_spelt(item) for item in value]
        case dict():
            return {_spelt(key): _spelt(item) for key, item in value.items()}
    return value


def _text(column: pa.ChunkedArray) -> list[str | None]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp(column.type.unit))
    try:
        return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
    except pa.ArrowNotImplementedError as error:
        raise QueryError(f"column of {column.type} holds a time that JSON cannot say") from error
