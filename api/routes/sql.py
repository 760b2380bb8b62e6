"""SQL for strangers: one SELECT, within limits."""

from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.dependencies import ServiceDep
from api.plain import plain
from lake import Limits
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
        columns = [plain(column) for column in result.rows.columns]
        return Answer(
            columns=result.rows.column_names,
            rows=[list(row) for row in zip(*columns, strict=True)],
            lake_versions=result.versions,
        )

    return routes
