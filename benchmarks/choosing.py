"""Choosing detectors by injected faults: regret to the best in hindsight, and what real labels say.

    uv run python benchmarks/choosing.py [--json] [--set smd|asd|fleet|mscloud] [--data DIR]
        [--metrics N] [--by-family] [--seed N] [--incumbent NAME]

A family is one metric on all hosts (smd, asd), a metric of one datacentre (fleet, which names each
its own way), or a category of services (mscloud). Its clean history (smd, asd: the end of the part
"train"; mscloud: the first half of it at most, labelled points left out) is cut as `fleetlake
choose` cuts it: what is learned, and three parts with faults of different seeds. A candidate is
nominated on the first, confirmed on the second, and the regret is of the third.

- regret: VUS-PR of the best candidate in hindsight above that of what was chosen, mean over
  families; beside it that of keeping what is in use (`window_memory` with the fleet's parameters),
  and of taking the best on the first part without any rule. Then the same against the best of
  those that raise no more false alarms than the chosen one.
- real labels (smd, asd: the metric takes part in the event; mscloud: the second half): mean VUS-PR
  of the chosen candidate, beside that of what is in use and that of the best on the first part;
  and the rank correlation, over the candidates of a family, of their figures on injected faults
  with those on real ones.

Families carry no limits here: what does harm is not known of these metrics. The data is not part of
the project: `--data` names its folder (see benchmarks/labelled.py).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

# A script's own folder comes first, where its neighbours could hide packages of the same name.
sys.path[0] = str(Path(__file__).parents[1])

from benchmarks import labelled  # noqa: E402
from benchmarks.families import LEAST, STEP, TRAINED, Family, datacentres, hosts, services  # noqa: E402
from benchmarks.reporting import Case, emit  # noqa: E402
from detectors import Panel, build  # noqa: E402
from detectors.evaluation import series_period, vus_pr  # noqa: E402
from detectors.selection import (  # noqa: E402
    Candidate,
    Fold,
    Judged,
    Kept,
    Plan,
    choose,
    confirm,
    judge,
    kind_means,
    regret,
)

REFIT_DAYS = 4
"""And no fewer columns than a choice needs. Live, it is a quarter of a day: an hour of it here."""
RATE, ENTITY_RATE = 1e-5, 1e-4
"""False-alarm rates that a budget of ten false alerts a day gives to 650 series, or to 65 hosts."""


def candidate(title: str, name: str, *, by: str | None = None, **params: object) -> Candidate:
    kind = build(name, **params)
    params |= {"false_alarm_rate": max(ENTITY_RATE if by else RATE, kind.least_rate)}
    return Candidate(title, lambda: build(name, **params), by)


CANDIDATES = (
    candidate("window_memory 2-32", "window_memory", lengths=[2, 32], margin=2.5),
    candidate("window_memory 2-8", "window_memory", lengths=[2, 8], margin=2.5),
    candidate("window_memory 2-96", "window_memory", lengths=[2, 32, 96], margin=2.5),
    candidate("online_level", "online_level"),
    candidate("pooled.IForest", "pooled.IForest"),
    candidate("pyod.ECOD", "pyod.ECOD"),
    candidate("entity_memory", "entity_memory", by="host"),
)


NAMES = [one.name for one in CANDIDATES]


@dataclass(frozen=True)
class Outcome:
    """Figures of one family: VUS-PR by candidate on nominating, held-out and real faults.

    `found` are shares of the held-out faults at the threshold, by candidate; `own` is the
    incumbent; `quiet` is the regret against those that are no louder.
    """

    family: str
    chosen: int
    own: int
    seen: np.ndarray
    held: np.ndarray
    real: np.ndarray
    found: np.ndarray
    quiet: float
    why: str
    seconds: tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--set", choices=tuple(SETS), help="only this set")
    parser.add_argument("--data", type=Path, default=labelled.DEFAULT_DATA, help="folder of sets")
    parser.add_argument("--metrics", type=int, default=5, help="families of a set, at most")
    parser.add_argument(
        "--by-family", action="store_true", help="a line a family on standard error"
    )
    parser.add_argument("--seed", type=int, default=0, help="other faults")
    parser.add_argument("--incumbent", choices=NAMES, default=NAMES[0], help="what is in use")
    options = parser.parse_args()
    cases: list[Case] = []
    for name, families in SETS.items():
        folder = options.data / name
        if options.set not in (None, name):
            continue
        if not folder.is_dir():
            print(f"no data in {folder}: {name} is left out", file=sys.stderr)
            continue
        kept: Kept = {}
        outcomes = []
        for family in families(folder, options.metrics):
            outcomes.append(measured(family, kept, options.seed, options.incumbent))
            if options.by_family:
                print(line(outcomes[-1]), file=sys.stderr, flush=True)
        cases += summary(name, outcomes)
    emit(cases, options.json)


def measured(family: Family, kept: Kept, seed: int, incumbent: str) -> Outcome:
    """Nominate on the first part, confirm on the second, look at the third, and at real labels."""
    began = time.process_time()
    columns = family.sample.panel.n_times
    trained = min(TRAINED, columns // 2)
    part = (columns - trained) // 3
    candidates = [one for one in CANDIDATES if one.by is None or family.sample.entities]

    def judged(number: int, some: Sequence[Candidate]) -> Judged:
        fold = Fold(number * part, number * part + trained, (number + 1) * part + trained)
        return judge(
            family.sample,
            some,
            fold,
            plan(family, part, 3 * seed + number),
            time.process_time,
            kept=kept,
        )

    seen = judged(0, candidates)
    choice = choose(seen, incumbent)
    if choice.changes:
        pair = [one for one in candidates if one.name in (choice.chosen, incumbent)]
        choice = confirm(choice, judged(1, pair))
    held = judged(2, candidates)
    chose = time.process_time()
    real = np.full(len(candidates), np.nan)
    if any(labels.any() for _, labels in family.tests):
        real = np.array([on_labels(family, one) for one in candidates])
    return Outcome(
        family.name,
        held.candidates.index(choice.chosen),
        held.candidates.index(incumbent),
        overall(seen.vus),
        overall(held.vus),
        real,
        overall(held.recall),
        regret(held, choice.chosen).quiet,
        choice.reason,
        (chose - began, time.process_time() - chose),
    )


def plan(family: Family, part: int, seed: int) -> Plan:
    """As `fleetlake choose` would have it."""
    rounds = max(1, -(-12 // len(family.sample.targets)))
    return Plan(
        seed=seed, rounds=rounds, events=max(1, part // 720), columns_a_day=family.columns_a_day
    )


def overall(figures: np.ndarray) -> np.ndarray:
    return np.nanmean(kind_means(figures), axis=1)


def on_labels(family: Family, candidate: Candidate) -> float:
    """Mean VUS-PR over the targets with a label, each four days by a model of what was before.

    What is labelled is not learned: live, it would have been flagged, or most of it. One that
    scores entities is not asked: its scores are not those of one metric.
    """
    if candidate.by is not None:
        return np.nan
    train = family.tests[0][0].shape[1] - family.tests[0][1].size
    longest = max(values.shape[1] for values, _ in family.tests)
    values = np.full((len(family.tests), longest), np.nan)
    clean = values.copy()
    for row, (own, labels) in enumerate(family.tests):
        values[row, : own.shape[1]] = clean[row, : own.shape[1]] = own[0]
        clean[row, train : own.shape[1]][labels] = np.nan
    ids = np.arange(len(values))
    score = np.zeros((len(values), longest - train))
    span = max(REFIT_DAYS * round(family.columns_a_day), LEAST)
    for begin in range(train, longest, span):
        end = min(begin + span, longest)
        learned = Panel(clean, 0, STEP, ids).window((begin - train) * STEP, begin * STEP)
        model = candidate.make().fit(learned)
        first = max(begin - model.context, 0)
        part = Panel(values, 0, STEP, ids).window(first * STEP, end * STEP)
        score[:, begin - train : end - train] = model.score(part).score[:, begin - first :]
    score = np.nan_to_num(score, nan=0.0)
    return float(
        np.mean(
            [
                vus_pr(labels, row[: labels.size], series_period(own[0, train:]), stride=5)
                for row, (own, labels) in zip(score, family.tests, strict=True)
                if labels.any()
            ]
        )
    )


def summary(name: str, outcomes: Sequence[Outcome]) -> list[Case]:
    """Return a set's figures: regret of what was chosen beside those that need no rule."""
    chosen = regrets(outcomes, [one.chosen for one in outcomes])
    kept = regrets(outcomes, [one.own for one in outcomes])
    first = regrets(outcomes, [int(one.seen.argmax()) for one in outcomes])
    always = f"always {NAMES[outcomes[0].own]}"
    what = f"{name}, {len(outcomes)} families"
    found = np.array([(one.found[one.chosen], one.found[one.own]) for one in outcomes])
    ours, theirs = found.mean(axis=0)
    cases = [
        Case(what, "families that change", np.mean([one.chosen != one.own for one in outcomes])),
        Case(what, "regret, VUS-PR", chosen.mean(), kept.mean(), always),
        Case(what, "regret, VUS-PR", chosen.mean(), first.mean(), "best on the first part"),
        Case(what, "greatest regret", chosen.max(), kept.max(), always),
        Case(what, "regret, no louder", np.mean([one.quiet for one in outcomes])),
        Case(what, "share of faults found", ours, theirs, always),
        Case(what, "CPU s a family, choosing", np.mean([one.seconds[0] for one in outcomes])),
    ]
    return cases + on_real(what, outcomes)


def regrets(outcomes: Sequence[Outcome], places: Sequence[int]) -> np.ndarray:
    return np.array(
        [one.held.max() - one.held[place] for one, place in zip(outcomes, places, strict=True)]
    )


def on_real(what: str, outcomes: Sequence[Outcome]) -> list[Case]:
    judged = [one for one in outcomes if np.isfinite(one.real[one.chosen])]
    if not judged:
        return []
    own = np.array([one.real[one.chosen] for one in judged])
    kept = np.array([one.real[one.own] for one in judged])
    best = np.array([np.nanmax(one.real) for one in judged])
    # Of those that have a figure.
    first = [one.real[np.where(np.isfinite(one.real), one.seen, -1.0).argmax()] for one in judged]
    ranks = []
    for one in judged:
        both = np.isfinite(one.real)
        if np.ptp(one.real[both]) > 0:
            ranks.append(spearmanr(one.seen[both], one.real[both]).statistic)
    title = what.replace(what.split(" ")[1], str(len(judged)), 1) + " with real labels"
    return [
        Case(
            title, "VUS-PR of the chosen", own.mean(), kept.mean(), f"always {NAMES[judged[0].own]}"
        ),
        Case(title, "VUS-PR of the chosen", own.mean(), np.mean(first), "best on the first part"),
        Case(title, "VUS-PR of the chosen", own.mean(), best.mean(), "best in hindsight"),
        Case(title, "rank correlation", float(np.mean(ranks)), 0.0, "by chance"),
    ]


def line(one: Outcome) -> str:
    seen, held, real = (
        " ".join(f"{figure:.3f}" for figure in figures)
        for figures in (one.seen, one.held, one.real)
    )
    left = one.held.max() - one.held[one.chosen]
    found = f"found {one.found[one.chosen]:.2f} / {one.found[one.own]:.2f}"
    spent = " + ".join(f"{seconds:.0f}" for seconds in one.seconds)
    return (
        f"{one.family:28} {NAMES[one.chosen]:20} regret {left:.3f} (no louder: {one.quiet:.3f})  "
        f"{found}  {spent} CPU s\n"
        f"    seen {seen}  held {held}  real {real}\n    {one.why}"
    )


SETS = {"smd": hosts, "asd": hosts, "fleet": datacentres, "mscloud": services}


if __name__ == "__main__":
    main()
