"""Metrics and events a day, and the anomalies in them."""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from lake import TimeRange, utc_now
from orchestration.defs.resources import LakeParam
from orchestration.steps.detect import detect_day
from orchestration.steps.incidents.update import update
from orchestration.steps.inventory import Holding, holdings
from orchestration.steps.pull import pull_sources


class AnomaliesConfig(dg.Config):
    """What to score."""

    clusters: list[str] = Field(default_factory=list)
    """Only these; empty = all."""


def days(first_day: date) -> dg.DailyPartitionsDefinition:
    """One partition a UTC day, today included."""
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), end_offset=1)


def build_assets(first_day: date) -> list[dg.AssetsDefinition]:
    """The four assets, over days from the first."""
    partitions = days(first_day)

    @dg.asset(
        partitions_def=partitions,
        group_name="ingest",
        kinds={"deltalake", "prometheus"},
        description="Samples of a day: pulled where a source is configured, else as received.",
    )
    def metrics(context: dg.AssetExecutionContext, lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
        day = date.fromisoformat(context.partition_key)
        opened = lake.open()
        pulled = 0
        for one in pull_sources(opened, lake.settings.sources, day, utc_now()):
            context.log.info("pulled %s samples of %s", one.samples, one.cluster)
            pulled += one.samples
        held = holdings(opened, "samples", day)
        return dg.MaterializeResult(metadata={**_metadata(held), "rows_pulled": pulled})

    @dg.asset(
        partitions_def=partitions,
        group_name="ingest",
        kinds={"deltalake", "kubernetes"},
        description="Events of a day, as received.",
    )
    def events(context: dg.AssetExecutionContext, lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
        held = holdings(lake.open(), "events", date.fromisoformat(context.partition_key))
        return dg.MaterializeResult(metadata=_metadata(held))

    @dg.asset(
        partitions_def=partitions,
        deps=[metrics, events],
        group_name="detection",
        kinds={"deltalake"},
        description="Anomalies of a day, by models of the history before it; repeatable.",
    )
    def anomalies(
        context: dg.AssetExecutionContext, config: AnomaliesConfig, lake: LakeParam
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        done = detect_day(
            lake.open(),
            lake.settings.detection,
            date.fromisoformat(context.partition_key),
            now=utc_now(),
            clusters=config.clusters,
        )
        if done.reason:
            context.log.warning("nothing scored: %s", done.reason)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": done.anomalies,
                "series": done.series,
                "not_scored": done.reason or "",
            }
        )

    @dg.asset(
        partitions_def=partitions,
        deps=[anomalies, events],
        group_name="detection",
        kinds={"deltalake"},
        description="Incidents of a day: its anomalies grouped, with causes; repeatable.",
    )
    def incidents(context: dg.AssetExecutionContext, lake: LakeParam) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings, now = lake.settings, utc_now()
        day = TimeRange.of_day(date.fromisoformat(context.partition_key))
        done = update(lake.open(), settings.detection, settings.incidents, day, now)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": done.incidents,
                "open": done.open,
                "written": done.written,
            }
        )

    return [metrics, events, anomalies, incidents]


def _metadata(held: list[Holding]) -> dict[str, dg.MetadataValue[Any] | int]:
    rows = [
        dg.TableRecord({"cluster": one.cluster, "rows": one.rows, "newest": one.newest.isoformat()})
        for one in held
    ]
    columns = [
        dg.TableColumn("cluster", "string"),
        dg.TableColumn("rows", "int"),
        dg.TableColumn("newest", "string"),
    ]
    return {
        "dagster/row_count": sum(one.rows for one in held),
        "clusters": dg.MetadataValue.table(rows, schema=dg.TableSchema(columns)),
    }
