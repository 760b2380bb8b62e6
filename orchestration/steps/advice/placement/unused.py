"""GPUs that somebody holds and nobody uses: a notebook left open, a job that hangs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from lake import TimeRange
from lake.query import run
from lake.snapshot import Snapshot
from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.advice import Advice, Evidence

UNUSED = "gpu_unused"

UTILISATION, MEMORY = "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED"

HELD_MIB = 200.0
"""Memory from which on a GPU is somebody's: a driver and its monitor take less by themselves."""

COVER = 0.9
"""Share of the time of which there have to be samples."""

SLOTS_AN_HOUR = 12

LOADS = """
WITH devices AS (
    SELECT series_id, cluster, metric, namespace, pod, container,
           coalesce(labels['Hostname'], node, instance) AS machine,
           coalesce(labels['gpu'], labels['device'], labels['UUID']) AS gpu,
           coalesce(labels['modelName'], 'GPU') AS model
    FROM series
    WHERE list_contains($metrics, metric) AND last_seen >= $since AND first_seen < $end
),
seen AS (
    SELECT series_id, count(*) AS slots, min(min) AS least, max(max) AS most,
           sum(sum) / sum("count") AS mean, max(time) AS seen
    FROM buckets(INTERVAL 5 MINUTE)
    WHERE time >= $start AND time < $end AND list_contains($metrics, metric) AND isfinite(sum)
    GROUP BY ALL
),
going AS (
    SELECT * FROM devices JOIN seen USING (series_id)
    QUALIFY seen >= max(seen) OVER (PARTITION BY cluster, metric) - INTERVAL 5 MINUTE
)
SELECT cluster, namespace, pod, container, machine, gpu, model,
       max(slots) FILTER (metric = $utilisation) AS slots,
       max(most) FILTER (metric = $utilisation) AS most,
       min(least) FILTER (metric = $memory) AS held,
       avg(mean) FILTER (metric = $memory) AS memory
FROM going
GROUP BY ALL
ORDER BY cluster, machine, gpu
"""
"""What is not told any more while others of its cluster are, is of a pod that has ended: its GPUs
are given back already."""


def unused(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> list[Advice]:
    """One advice for each pod, or where none is told for each GPU, that has GPUs and no use.

    Args:
        snapshot: where their load is.
        now: the time; nothing after it is looked at.
        settings: from when on a GPU counts as unused.
    """
    own = settings.placement
    hours = own.unused_after.total_seconds() / 3600.0
    somebodys = pl.col("pod").is_not_null() | (pl.col("held") >= HELD_MIB)
    idle = loads(snapshot, now, settings).filter(
        pl.col("slots") >= COVER * SLOTS_AN_HOUR * hours,
        pl.col("most") <= own.unused_percent,
        somebodys.fill_null(value=False),
    )
    groups = idle.partition_by(["cluster", "entity"], maintain_order=True)
    return [_advice(group.to_dicts(), hours, settings) for group in groups]


def loads(snapshot: Snapshot, now: datetime, settings: AdviceSettings) -> pl.DataFrame:
    """What is told of each GPU over the time after which one counts as unused.

    Returns:
        `cluster`, `entity` (the pod that has it, or where none is told the GPU), and of these the
        labels, `slots` of five minutes, `most` utilisation, memory that was always `held`.
    """
    between = TimeRange(now - settings.placement.unused_after, now)
    params = {
        "metrics": [UTILISATION, MEMORY],
        "utilisation": UTILISATION,
        "memory": MEMORY,
        "start": between.start,
        "end": between.end,
        "since": between.start,
    }
    rows = pl.DataFrame(run(snapshot, LOADS, params, between).rows)
    holder = pl.concat_str(["namespace", "pod"], separator="/", ignore_nulls=True)
    device = pl.concat_str([pl.col("machine"), pl.lit("GPU"), pl.col("gpu")], separator=" ")
    entity = pl.when(pl.col("pod").is_not_null()).then(holder).otherwise(device)
    return rows.with_columns(entity.alias("entity"))


def _advice(rows: Sequence[dict[str, object]], hours: float, settings: AdviceSettings) -> Advice:
    first, gpus = rows[0], len(rows)
    used = [float(str(row["memory"])) for row in rows if row["memory"] is not None]
    over = f"{hours:g} h"
    facts = [
        Evidence("highest utilisation", float(str(first["most"])), "percent", over, UTILISATION)
    ]
    if used:
        held = round(sum(used) * 1024.0**2)
        facts.append(Evidence("memory held, on average", held, "bytes", over, MEMORY))
    entity = str(first["entity"])
    return Advice(
        str(first["cluster"]),
        UNUSED,
        entity,
        _title(entity, gpus, str(first["model"]), first["pod"] is not None, hours),
        "nothing was computed on it while somebody held its memory: end it, or give it back when "
        "it is needed",
        current={"gpus": gpus},
        proposed={"gpus": 0},
        evidence=facts,
        namespace=_text(first["namespace"]),
        container=_text(first["container"]),
        node=_text(first["machine"]),
        saving_gpus=float(gpus),
        saving_cost=settings.prices.month(gpus=gpus) if settings.prices.gpu_hour else None,
        confidence=0.9,
    )


def _title(entity: str, gpus: int, model: str, named: bool, hours: float) -> str:
    """One sentence.

    >>> _title("ml/notebook-0", 2, "A100", True, 6.0)
    'ml/notebook-0 holds 2 GPUs (A100) and has computed nothing for 6 h or more: its end saves them'
    >>> _title("node-7 GPU 3", 1, "A100", False, 6.0)
    'node-7 GPU 3 (A100) is held and has computed nothing for 6 h or more: giving it back saves it'
    """
    idle = f"has computed nothing for {hours:g} h or more"
    if not named:
        return f"{entity} ({model}) is held and {idle}: giving it back saves it"
    what, them = ("a GPU", "it") if gpus == 1 else (f"{gpus} GPUs", "them")
    return f"{entity} holds {what} ({model}) and {idle}: its end saves {them}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
