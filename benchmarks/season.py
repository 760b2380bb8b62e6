"""What the profile of the week changes: false alerts and found faults, with it and without it.

    uv run python benchmarks/season.py [--series 200] [--seed 7] [--json]

A made-up fleet with weeks: traffic that is quiet at weekends, jobs that run once a week, series
without any season. Five weeks at a minute's step; each day of the last is scored by the product's
default detector fitted on the day before, with a season of the four weeks before. First as it is
(every interval is false), then with one fault a day in every series that can have it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Detector, Panel, Scores, find_intervals  # noqa: E402
from detectors.families import Family, Limits  # noqa: E402
from detectors.season import HOUR, Hours, Season, fit_season  # noqa: E402
from lake.timerange import EPOCH  # noqa: E402
from orchestration.detection_settings import DetectionSettings  # noqa: E402
from orchestration.steps import budget  # noqa: E402
from orchestration.steps.judge import scores_of  # noqa: E402
from orchestration.steps.model import Model  # noqa: E402
from orchestration.steps.models import unfitted  # noqa: E402

MINUTE = 60_000_000
DAY, WEEK = 1440, 10_080
WEEKS = 5
MONDAY = 4 * DAY
"""Minutes from the start of 1970, a Thursday, to a Monday: where the panel begins."""

ANYTHING = Family("anything", (".*",))

FAULTS = ("noon at night", "twice as much", "a third", "standstill", "job left out")


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Values `[n, minutes]`; kind of each series; of jobs, the first minute of the week's run."""

    values: np.ndarray
    kinds: list[str]
    runs: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    fleet = made_up(options.series, options.seed)
    emit(cases(fleet, options.seed), options.json)


def made_up(n: int, seed: int) -> Fleet:
    """Half traffic, a quarter weekly jobs, a quarter without a season."""
    rng = np.random.default_rng(seed)
    minutes = np.arange(WEEKS * WEEK)
    hour, weekday = minutes / 60 % 24, minutes // DAY % 7
    kinds = [("traffic", "traffic", "job", "plain")[each % 4] for each in range(n)]
    values, runs = np.empty((n, minutes.size), np.float32), np.zeros(n, np.int64)
    for row, kind in enumerate(kinds):
        level = 10 ** rng.uniform(0, 4)
        noise = _noise(rng, minutes.size, rng.uniform(0.02, 0.08))
        if kind == "traffic":
            peak = rng.uniform(12, 20)
            shape = 0.3 + 0.7 * np.exp(-0.5 * ((hour - peak + 12) % 24 - 12) ** 2 / 9)
            week = np.where(weekday >= 5, rng.uniform(0.35, 0.8), 1.0)
            grown = 1.0 + rng.uniform(0.0, 0.03) * minutes / WEEK
            base = level * shape * week * grown
        else:
            base = np.full(minutes.size, level)
        if kind == "job":
            runs[row] = rng.integers(0, 7) * DAY + rng.integers(0, DAY - 120)
            length, height = rng.integers(20, 90), level * rng.uniform(2, 8)
            for one in range(WEEKS):
                at = one * WEEK + runs[row] + rng.integers(-4, 5)
                base[max(at, 0) : at + length + rng.integers(-5, 6)] += height
        values[row] = base * (1.0 + noise)
    return Fleet(values, kinds, runs)


def _noise(rng: np.random.Generator, n: int, size: float) -> np.ndarray:
    """Half of it forgets itself in ten minutes, half at once."""
    white = rng.standard_normal(n)
    slow = np.empty(n)
    slow[0] = 0.0
    keep = np.exp(-0.1)
    steps = rng.standard_normal(n) * np.sqrt(1 - keep**2)
    for at in range(1, n):
        slow[at] = keep * slow[at - 1] + steps[at]
    return size * (white + slow) / np.sqrt(2)


def cases(fleet: Fleet, seed: int) -> list[Case]:
    """The figures of the last week."""
    rng = np.random.default_rng(seed)
    false, found, there = Counter(), Counter(), Counter()
    for day in range((WEEKS - 1) * 7, WEEKS * 7):
        models = _fitted(fleet, day)
        clean = fleet.values[:, (day - 1) * DAY : (day + 1) * DAY]
        for way in ("without", "with"):
            false[way] += sum(len(each) for each in _intervals(clean, day, *models, way).values())
        for fault in FAULTS:
            broken, spans = _broken(fleet, clean, day, fault, rng)
            there[fault] += len(spans)
            for way in ("without", "with"):
                told = _intervals(broken, day, *models, way)
                found[fault, way] += sum(
                    any(start < high and end > low for start, end in told.get(row, []))
                    for row, (low, high) in spans.items()
                )
    days = 7
    what = f"{len(fleet.kinds)} series, clean week"
    out = [
        Case(what, "false alerts a day", false["with"] / days, false["without"] / days, "without")
    ]
    for fault in FAULTS:
        many = max(there[fault], 1)
        ours, theirs = (found[fault, way] / many for way in ("with", "without"))
        out.append(Case(f"{fault}, {there[fault]} times", "share found", ours, theirs, "without"))
    return out


def _fitted(fleet: Fleet, day: int) -> tuple[Detector, Season]:
    settings = DetectionSettings()
    (chosen,) = settings.detectors
    rate = budget.rate(settings, len(fleet.kinds))
    detector = budget.within(unfitted(chosen), chosen, rate)
    detector.fit(_panel(fleet.values[:, (day - 1) * DAY : day * DAY], day - 1))
    past = fleet.values[:, max(0, day - 28) * DAY : day * DAY]
    by_hour = past.reshape(len(past), -1, 60)
    start = (MONDAY + max(0, day - 28) * DAY) * MINUTE
    # As of a counter, of which five minutes are the finest that rollups hold.
    fives = past.reshape(len(past), -1, 12, 5).mean(axis=3)
    hours = Hours(
        by_hour.mean(axis=2),
        fives.min(axis=2),
        fives.max(axis=2),
        start,
        np.arange(len(past)),
    )
    nothing = np.zeros(hours.mean.shape, bool)
    return detector, fit_season(hours, nothing, rate * HOUR / MINUTE / 2)


def _panel(values: np.ndarray, day: int) -> Panel:
    return Panel(values, (MONDAY + day * DAY) * MINUTE, MINUTE, np.arange(len(values)))


def _intervals(
    values: np.ndarray, day: int, detector: Detector, season: Season, way: str
) -> dict[int, list[tuple[int, int]]]:
    """Of each row, the (start, end) of its intervals, in minutes of two days."""
    settings = DetectionSettings()
    known = season if way == "with" else None
    limits = Limits.of([ANYTHING] * len(values), np.arange(len(values)))
    model = Model(detector, "", EPOCH, limits, settings.min_length, known)
    first = DAY - model.context
    panel = _panel(values, day - 1)
    _, scores = scores_of(model, panel.window(panel.start + first * MINUTE, panel.end))
    score = np.full(values.shape, np.nan, np.float32)
    score[:, DAY:] = scores.score
    told = find_intervals(Scores(score, score), settings.min_length, settings.merge_gap)
    out: dict[int, list[tuple[int, int]]] = {}
    for row, start, end in zip(told.row, told.start, told.end, strict=True):
        out.setdefault(int(row), []).append((int(start), int(end)))
    return out


def _broken(
    fleet: Fleet, clean: np.ndarray, day: int, fault: str, rng: np.random.Generator
) -> tuple[np.ndarray, dict[int, tuple[int, int]]]:
    """The day with the fault in every series that can have it, and where it is."""
    out, spans = clean.copy(), {}
    for row, kind in enumerate(fleet.kinds):
        at, length = DAY + int(rng.integers(60, DAY - 120)), 30
        if fault == "noon at night" and kind == "traffic":
            # The day's usual greatest, where it is usually least: within the range of the day.
            hourly = clean[row, DAY:].reshape(24, 60).mean(axis=1)
            at, length = DAY + 60 * int(hourly.argmin()), 60
            out[row, at : at + length] *= 0.9 * hourly.max() / hourly.min()
        elif fault == "twice as much" and kind != "job":
            out[row, at : at + length] *= 2.0
        elif fault == "a third" and kind != "job":
            out[row, at : at + length] *= 0.33
        elif fault == "standstill" and kind == "traffic":
            length = 60
            out[row, at : at + length] = out[row, at]
        elif fault == "job left out" and kind == "job" and fleet.runs[row] // DAY == day % 7:
            at = DAY + int(fleet.runs[row]) % DAY
            length = 100
            out[row, at - 5 : at + length] = np.median(clean[row]) * (
                1.0 + _noise(rng, length + 5, 0.05)
            )
        else:
            continue
        spans[row] = (at, at + length)
    return out, spans


if __name__ == "__main__":
    main()
