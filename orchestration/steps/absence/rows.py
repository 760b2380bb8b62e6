"""Findings as rows of `anomalies`: one a thing, whatever of it is silent."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import xxhash

from lake.timerange import to_micros
from orchestration.steps.absence.findings import Finding
from orchestration.steps.anomaly_rows import Row, Thing, thing
from orchestration.steps.carry_on import merge, touches
from orchestration.steps.look import Look

DETECTOR = "absence"

COLUMN_OF = {"on": "node"}
"""A row names a node by the column that others are named by, too."""


def once(found: Sequence[Finding]) -> list[Finding]:
    """Where all clusters are silent at once, the way here is the trouble: said of the largest."""
    all_silent = [one for one in found if one.everybody and one.level.name == "cluster"]
    kept = [one for one in found if one not in all_silent]
    if all_silent:
        largest = max(all_silent, key=lambda one: (one.expected, str(one.names["cluster"])))
        kept.append(replace(largest, expected=sum(one.expected for one in all_silent)))
    return kept


def rows_of(found: Iterable[Finding], look: Look) -> list[Row]:
    """A row each; parts of one target or job that fall silent together are one."""
    rows, parts = [], defaultdict(list)
    for one in found:
        if one.level.part_of is None:
            rows.append(_row(one, one.level.keys, look))
        else:
            key = (one.level.part_of, *(one.names[name] for name in one.level.part_of))
            parts[key].append(one)
    for own in parts.values():
        for together in _together(own, look):
            part_of = together.level.part_of or together.level.keys
            rows.append(_row(together, part_of, look))
    return rows


def _together(parts: list[Finding], look: Look) -> list[Finding]:
    """Metrics that are lost within minutes of each other as one: the first, with the sum of all."""
    parts.sort(key=lambda one: (one.start, str(one.names["metric"]), one.members.tolist()))
    groups: list[list[Finding]] = []
    for one in parts:
        if groups and one.start <= groups[-1][0].start + 2 * look.settings.absence.least:
            groups[-1].append(one)
        else:
            groups.append([one])
    return [_sum(group) for group in groups]


def _sum(group: Sequence[Finding]) -> Finding:
    worst = max(group, key=lambda one: one.score)
    lost = sum(one.expected - one.actual for one in group)
    return replace(
        group[0],
        end=max(one.end for one in group),
        score=worst.score,
        p_value=worst.p_value,
        actual=worst.actual,
        expected=worst.actual + lost,
    )


def _row(one: Finding, keys: Sequence[str], look: Look) -> Row:
    names = {COLUMN_OF.get(name, name): one.names[name] for name in keys}
    about = [DETECTOR, to_micros(one.start), *sorted(names.items())]
    settings = look.settings
    rule = [settings.history, settings.step, settings.absence.model_dump(mode="json")]
    return {
        **names,
        "anomaly_id": xxhash.xxh3_128_hexdigest(json.dumps(about).encode()),
        "series_id": None,
        "metric": one.names.get("metric"),
        "start": one.start,
        "end": one.end,
        "peak_time": max(one.start, one.end - settings.step),
        "score": one.score,
        "p_value": one.p_value,
        "actual": float(one.actual),
        "expected": float(one.expected),
        "lower": float(one.expected),
        "upper": float(one.expected),
        "direction": "below",
        "detector": DETECTOR,
        "model_version": xxhash.xxh3_64_hexdigest(json.dumps(rule, default=str).encode()),
        "lake_version": look.lake_version,
        "state": _state(one.end, look),
        "incident_id": None,
    }


def _state(end: datetime, look: Look) -> str:
    return "final" if end < look.final_before else "interim"


def joined(rows: list[Row], look: Look) -> list[Row]:
    """By start; those of one thing that touch are one, as `carry_on` would make them."""
    gap = look.settings.merge_gap * look.settings.step
    rows.sort(key=lambda row: (row["start"], row["end"], row["anomaly_id"]))
    of_thing: dict[Thing, list[Row]] = defaultdict(list)
    for row in rows:
        own = of_thing[thing(row)]
        if own and touches(own[-1], row, gap):
            own[-1] = merge(own[-1], row)
        else:
            own.append(row)
    return sorted(
        (row for own in of_thing.values() for row in own),
        key=lambda row: (row["start"], row["anomaly_id"]),
    )
