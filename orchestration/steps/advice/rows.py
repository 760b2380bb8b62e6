"""Advice as rows of the lake's table, and back."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from math import isfinite
from typing import Any

import pyarrow as pa

from lake.query import run
from lake.schema import ADVICE
from lake.snapshot import Snapshot
from orchestration.steps import paging
from orchestration.steps.advice.advice import Advice, Number, Numbers

Row = dict[str, Any]

JSON_COLUMNS = ("current", "proposed", "evidence", "feedback", "effect")

OPEN, ACCEPTED, DISMISSED, APPLIED, WITHDRAWN = (
    "open",
    "accepted",
    "dismissed",
    "applied",
    "withdrawn",
)

FIGURES = (
    "saving_cpu_cores",
    "saving_memory_bytes",
    "saving_gpus",
    "saving_cost",
    "risk",
    "current_risk",
    "confidence",
)

HELD = "SELECT * EXCLUDE (date) FROM advice WHERE list_contains($advisers, adviser)"


def held(snapshot: Snapshot, advisers: Collection[str]) -> Sequence[Row]:
    """The newest row of every advice of some advisers, parsed."""
    found = run(snapshot, HELD, {"advisers": sorted(advisers)})
    return [parsed(row) for row in paging.rows(found.rows)]


def parsed(row: Row) -> Row:
    """A row whose JSON is read."""
    return {
        name: json.loads(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in row.items()
    }


def new_row(one: Advice, adviser: str, now: datetime, lake_version: int) -> Row:
    """The first row of an advice, parsed; `silent` is in no table."""
    figures = {name: finite(getattr(one, name)) for name in FIGURES}
    return {
        "cluster": one.cluster,
        "advice_id": one.advice_id,
        "adviser": adviser,
        "kind": one.kind,
        "entity": one.entity,
        "namespace": one.namespace,
        "workload": one.workload,
        "workload_kind": one.workload_kind,
        "container": one.container,
        "node": one.node,
        "title": one.title,
        "current": numbers(one.current),
        "proposed": numbers(one.proposed),
        **figures,
        "reason": one.reason,
        "evidence": [asdict(fact) | {"value": finite(fact.value)} for fact in one.evidence],
        "abstained": one.abstained,
        "silent": one.silent,
        "state": OPEN,
        "feedback": [],
        "effect": None,
        "since": now,
        "made_at": now,
        "revision": 1,
        "lake_version": lake_version,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Parsed rows as a table of the lake's schema."""
    return pa.table(
        {
            field.name: pa.array(
                [
                    json.dumps(row[field.name], ensure_ascii=False, allow_nan=False)
                    if field.name in JSON_COLUMNS and row[field.name] is not None
                    else row[field.name]
                    for row in rows
                ],
                field.type,
            )
            for field in ADVICE.schema
        },
        schema=ADVICE.schema,
    )


def numbers(told: Numbers) -> dict[str, Number]:
    """Figures as JSON has them."""
    return {name: finite(value) for name, value in told.items()}


def finite(value: Number) -> Number:
    """A value; None in place of a number that JSON has not.

    >>> finite(2.5), finite(float("nan")), finite("Burstable")
    (2.5, None, 'Burstable')
    """
    return None if isinstance(value, float) and not isfinite(value) else value
