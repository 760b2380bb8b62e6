"""What a choice comes to: figures of each family, and the settings that put it to use."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.selection import kind_means
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.steps.choose import Chosen
from orchestration.steps.contenders import title

Row = dict[str, Any]

LONGEST_PATTERN = 60
"""Families named in one entry: a line of YAML is to be read by people."""


def figures(one: Chosen) -> Row:
    """A family's row for people and scripts; None where nothing could be judged.

    `vus_pr`, `found` (share of the faults at the budget's threshold) and `regret` are of the part
    that the choice was not made on, `false_a_day` is over the whole family there.
    """
    row: Row = {"family": one.family, "series": one.series, "chosen": None, "runner_up": None}
    empty = ("vus_pr", "gain", "regret", "found", "false_a_day", "cpu_s_per_million")
    row |= dict.fromkeys(empty)
    row["why"] = one.reason
    if one.choice is None or one.held_out is None or one.regret is None:
        return row
    held, place = one.held_out, one.held_out.candidates.index(one.choice.chosen)
    false = held.false[place] / held.days * one.series
    return row | {
        "chosen": one.choice.chosen,
        "runner_up": one.choice.runner_up,
        "vus_pr": _mean(kind_means(held.vus)[place]),
        "gain": round(one.choice.gain[1], 3),
        "regret": round(one.regret.overall, 3),
        "found": _mean(kind_means(held.recall)[place]),
        "false_a_day": round(float(false), 2),
        "cpu_s_per_million": round(float(held.seconds[place]) / held.values * 1e6, 2),
    }


def shown(one: Chosen) -> Row:
    """A family's row for people: what fits a screen."""
    row = figures(one)
    kept = one.choice is not None and not one.choice.changes
    return {
        "metric": one.family,
        "series": one.series,
        "chosen": "as now" if kept else row["chosen"],
        **{name: row[name] for name in ("gain", "regret", "found", "false_a_day")},
        "why": one.reason,
    }


def details(one: Chosen) -> Row:
    """For scripts: the figures, and those of every candidate by kind of fault."""
    row = figures(one) | {"sampled": one.sampled, "candidates": []}
    if one.choice is None or one.held_out is None or one.regret is None:
        return row
    held = one.held_out
    vus, recall = kind_means(held.vus), kind_means(held.recall)
    row |= {
        "incumbent": one.choice.incumbent,
        "gain_90": [round(end, 3) for end in (one.choice.gain[0], one.choice.gain[2])],
        "best_in_hindsight": one.regret.best,
        "regret_quiet": round(one.regret.quiet, 3),
        "regret_by_kind": {kind: round(value, 3) for kind, value in one.regret.by_kind.items()},
    }
    for place, name in enumerate(held.candidates):
        settings = one.candidates[name]
        row["candidates"].append(
            {
                "title": name,
                "detector": settings.name,
                "by": settings.by,
                "parameters": settings.parameters,
                "vus_pr": _mean(vus[place]),
                "found": _mean(recall[place]),
                "false": int(held.false[place]),
                "cpu_s": round(float(held.seconds[place]), 3),
                "failed": held.failures.get(name),
                "by_kind": {
                    kind: {"vus_pr": _figure(vus[place, at]), "found": _figure(recall[place, at])}
                    for at, kind in enumerate(held.kinds)
                    if np.isfinite(vus[place, at])
                },
            }
        )
    return row


def _mean(values: Any) -> float | None:
    known = values[np.isfinite(values)]
    return _figure(known.mean()) if known.size else None


def _figure(value: Any) -> float:
    return round(float(value), 3)


def entries(settings: DetectionSettings, found: Sequence[Chosen]) -> list[Row]:
    """`detection.detectors` with what was chosen, as it stands in a settings file.

    Families whose detector is another than before are named; all else stays. A detector that looks
    at whole entities is put beside those that look at each series, not in the place of one.
    """
    families: dict[str, list[str]] = defaultdict(list)
    by_title: dict[str, DetectorSettings] = {}
    beside: dict[str, DetectorSettings] = {}
    for one in found:
        if one.choice is None or one.alone is None:
            continue
        if one.alone.chosen != one.alone.incumbent:
            families[one.alone.chosen].append(one.family)
            by_title[one.alone.chosen] = one.candidates[one.alone.chosen]
        chosen = one.candidates[one.choice.chosen]
        if chosen.by is not None and title(chosen) not in map(title, settings.detectors):
            beside[one.choice.chosen] = chosen
    new = []
    for name, metrics in sorted(families.items()):
        for start in range(0, len(metrics), LONGEST_PATTERN):
            pattern = "|".join(map(re.escape, sorted(metrics)[start : start + LONGEST_PATTERN]))
            new.append(by_title[name].model_copy(update={"metrics": pattern}))
    # The first that names a metric takes it, so what is new comes first.
    return [_entry(one) for one in (*new, *settings.detectors, *beside.values())]


def _entry(one: DetectorSettings) -> Row:
    return one.model_dump(mode="json", exclude_defaults=True) | {"name": one.name}


def changes(found: Sequence[Chosen]) -> list[Chosen]:
    """The families for which another detector than the incumbent was chosen."""
    return [one for one in found if one.choice and one.choice.changes]
