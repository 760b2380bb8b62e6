"""Choices of detectors become rows of the table `models`."""

import json
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import xxhash

from lake import Lake
from lake.query import run
from lake.schema import ALL_CLUSTERS, MODELS
from orchestration.detection_settings import DetectorSettings
from orchestration.steps.champions import CHALLENGER, CHAMPION, NEWEST
from orchestration.steps.choose import Chosen
from orchestration.steps.choose_report import Row, details


def keep(lake: Lake, found: Sequence[Chosen], now: datetime) -> int:
    """Write the choices that change something; give for how many metrics.

    Args:
        lake: where they go.
        found: choices.
        now: the time.
    """
    snapshot = lake.snapshot()
    versions = {row["name"]: row["version"] for row in run(snapshot, NEWEST).rows.to_pylist()}
    rows: list[Row] = []
    kept = 0
    for one in found:
        own = _aliases(one)
        if not own or one.history is None:
            continue
        kept += 1
        figures = json.dumps(details(one), sort_keys=True)
        for alias, chosen in own:
            parameters = json.dumps(chosen.parameters, sort_keys=True)
            determined = json.dumps([chosen.name, chosen.by, parameters])
            rows.append(
                {
                    "cluster": ALL_CLUSTERS,
                    "name": one.family,
                    "version": versions.get(one.family, 0) + 1,
                    "alias": alias,
                    "detector": chosen.name,
                    "entity": chosen.by,
                    "parameters": parameters,
                    "trained_from": one.history.start,
                    "trained_to": one.history.end,
                    "lake_version": snapshot.versions["samples"],
                    "metrics": figures,
                    "digest": xxhash.xxh3_64_hexdigest(determined.encode()),
                    "created_at": now,
                }
            )
    if rows:
        columns = {
            field.name: pa.array([row[field.name] for row in rows], field.type)
            for field in MODELS.schema
        }
        lake.models.append(pa.table(columns, schema=MODELS.schema))
    return kept


def _aliases(one: Chosen) -> list[tuple[str, DetectorSettings]]:
    """What is kept of a choice; nothing where all stays as it is."""
    if one.choice is None or one.alone is None or one.choice.chosen == one.choice.incumbent:
        return []
    names = dict.fromkeys((one.alone.chosen, one.choice.chosen))
    own = [(CHAMPION, one.candidates[name]) for name in names]
    if one.choice.runner_up is not None:
        own.append((CHALLENGER, one.candidates[one.choice.runner_up]))
    return own
