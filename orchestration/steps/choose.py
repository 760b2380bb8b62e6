"""Which detector to keep for each metric family, by known faults in its own clean history.

The history is cut into four: models learn from the first part, a candidate is nominated on faults
in the second, confirmed on others in the third, and the regret is told by others in the fourth;
each time by models that learned from what is before. The lake is not changed.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from detectors.selection import (
    Candidate,
    Choice,
    Judged,
    Kept,
    Plan,
    Regret,
    Sample,
    choose,
    confirm,
    judge,
    regret,
)
from lake import Lake, TimeRange
from lake.snapshot import Snapshot
from orchestration.detection_settings import DetectionSettings, DetectorSettings
from orchestration.errors import ChoosingError
from orchestration.patterns import compiles
from orchestration.steps import budget, champions, clean_history
from orchestration.steps.choice_parts import History, parts_of
from orchestration.steps.claims import scored_by
from orchestration.steps.clean_history import Fleet
from orchestration.steps.contenders import candidates_for, title
from orchestration.steps.lawful import require_lawful
from orchestration.steps.models import unfitted
from orchestration.steps.panels import choose_series

Progress = Callable[[float], None]

COLUMNS_A_FAULT = 720
"""Faults must be rare among what is normal: else to be loud at all times is no vice."""

WIDTHS = 6
"""Buffers of the VUS-PR beside none: more cost more and change the second digit."""

LEAST_CELLS = 12
"""A family of few series gets so many faults of each kind all the same, in several rounds."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found for one family.

    Attributes:
        family: the metric.
        series: how many the family has, and
        sampled: how many of them were looked at.
        candidates: by the name that the figures below call them.
        choice: of all candidates, None = `reason` says why nothing could be judged.
        alone: the choice among those that score each series alone; the same as `choice` where that
            one does.
        regret: of `choice`, on faults that it was not made on.
        seen: figures that the choice was made on.
        held_out: figures of the part that the regret is told by.
        reason: in words.
        history: that the choice was made on, with what it was checked by.
    """

    family: str
    series: int
    sampled: int
    candidates: dict[str, DetectorSettings]
    choice: Choice | None
    alone: Choice | None
    regret: Regret | None
    seen: Judged | None
    held_out: Judged | None
    reason: str
    history: TimeRange | None = None

    @property
    def settings(self) -> DetectorSettings | None:
        """The chosen detector."""
        return None if self.choice is None else self.candidates[self.choice.chosen]


def choose_families(
    lake: Lake,
    settings: DetectionSettings,
    between: TimeRange,
    *,
    metric: str = ".*",
    detectors: Sequence[DetectorSettings] = (),
    most: int = 8,
    seed: int = 0,
    begun: Callable[[int], None] = lambda _: None,
    progress: Progress = lambda _: None,
) -> Iterator[Chosen]:
    """Choose for each family, by name.

    Args:
        lake: only read.
        settings: which metrics are scored, by what now, at which budget.
        between: the history; shortened to what there is, in whole columns.
        metric: regular expression of families, whole name.
        detectors: candidates beside the one that is in use; none = `contenders.DEFAULTS`.
        most: series of a family that are looked at.
        seed: of the faults.
        begun: told how many families there are.
        progress: told the share that is done.

    Raises:
        ChoosingError: there is too little history, or no such family.
        DetectorsError, SettingsError: a candidate cannot be used.
    """
    for one in detectors:
        require_lawful(one)
    try:
        compiles(metric)
    except ValueError as error:
        raise ChoosingError(str(error)) from error
    snapshot = lake.snapshot()
    settings = champions.applied(snapshot, settings)
    history = parts_of(snapshot, settings, between)
    fleet = clean_history.read_fleet(snapshot, settings, history.between, metric)
    if not fleet.families:
        raise ChoosingError(
            f"no metric that is scored matches {metric!r}: see include and exclude of the settings"
        )
    begun(len(fleet.families))
    judging = _Judging(snapshot, settings, history, fleet, detectors, most, seed)
    for done, family in enumerate(fleet.families):

        def told(share: float, done: int = done) -> None:
            progress((done + share) / len(fleet.families))

        yield judging.family(family, told)


class _Judging:
    """What is the same for all families of a run."""

    def __init__(
        self,
        snapshot: Snapshot,
        settings: DetectionSettings,
        history: History,
        fleet: Fleet,
        detectors: Sequence[DetectorSettings],
        most: int,
        seed: int,
    ) -> None:
        self.snapshot = snapshot
        self.settings = settings
        self.history = history
        self.fleet = fleet
        self.detectors = detectors
        self.most = most
        self.seed = seed
        self._kept: Kept = {}
        self._rates: dict[str | None, float] = {}
        self._series = choose_series(snapshot, settings, history.between.end)

    def family(self, metric: str, told: Progress) -> Chosen:
        """Judge one family."""
        members = len(self.fleet.families[metric])
        incumbent = scored_by(metric, self.settings.detectors)
        if incumbent is None:
            return _nothing(
                metric, members, "no detector of the settings scores it series by series"
            )
        named = None
        if self.detectors:
            named = list(dict.fromkeys(one.by for one in self.detectors if one.by))
        sample = clean_history.draw_sample(
            self.snapshot, self.settings, self.fleet, metric, self.history.between, self.most, named
        )
        if sample is None:
            return _nothing(metric, members, "no series of it has clean history enough")
        chosen = candidates_for(incumbent, sample, self.detectors)
        candidates = [self._candidate(name, one) for name, one in chosen.items()]
        seen = self._judge(sample, candidates, 0, lambda share: told(share / 2))
        choice, alone = self._chosen(sample, candidates, seen, title(incumbent))
        held_out = self._judge(sample, candidates, 2, lambda share: told(0.5 + share / 2))
        return Chosen(
            family=metric,
            series=members,
            sampled=len(sample.targets),
            candidates=chosen,
            choice=choice,
            alone=alone,
            regret=regret(held_out, choice.chosen),
            seen=seen,
            held_out=held_out,
            reason=choice.reason,
            history=self.history.between,
        )

    def _chosen(
        self, sample: Sample, candidates: Sequence[Candidate], seen: Judged, incumbent: str
    ) -> tuple[Choice, Choice]:
        """The choice of all candidates, and of those that score each series alone."""
        names = [one.name for one in candidates if one.by is None]
        nominated = choose(seen, incumbent, self.seed)
        alone = choose(seen.only(names), incumbent, self.seed)
        tried = {incumbent, nominated.chosen, alone.chosen}
        if len(tried) == 1:
            return nominated, alone
        unseen = self._judge(sample, [one for one in candidates if one.name in tried], 1)
        alone = confirm(alone, unseen, self.seed)
        confirmed = confirm(nominated, unseen, self.seed)
        # An entity's detector that fails is no reason against one of single series.
        return (confirmed if confirmed.changes or not alone.changes else alone), alone

    def _judge(
        self,
        sample: Sample,
        candidates: Sequence[Candidate],
        part: int,
        told: Progress = lambda _: None,
    ) -> Judged:
        fold = self.history.folds[part]
        settings = self.settings
        plan = Plan(
            seed=len(self.history.folds) * self.seed + part,
            rounds=max(1, -(-LEAST_CELLS // len(sample.targets))),
            events=max(1, (fold.end - fold.split) // COLUMNS_A_FAULT),
            min_length=settings.min_length,
            merge_gap=settings.merge_gap,
            buffer=2 * settings.merge_gap,
            stride=max(1, 2 * settings.merge_gap // WIDTHS),
            columns_a_day=timedelta(days=1) / settings.step,
        )
        return judge(
            sample,
            candidates,
            fold,
            plan,
            time.process_time,
            told,
            self._kept,
        )

    def _candidate(self, name: str, chosen: DetectorSettings) -> Candidate:
        rate = self._rate(chosen)
        return Candidate(name, lambda: budget.within(unfitted(chosen), chosen, rate), chosen.by)

    def _rate(self, chosen: DetectorSettings) -> float:
        """What the fleet's budget would grant it: in the incumbent's place, or beside it."""
        if chosen.by not in self._rates:
            beside = self.settings
            if all(one.by != chosen.by for one in beside.detectors):
                beside = beside.model_copy(update={"detectors": (*beside.detectors, chosen)})
            things = budget.things(self._series, chosen)
            self._rates[chosen.by] = budget.rate(beside, things)
        return self._rates[chosen.by]


def _nothing(family: str, series: int, reason: str) -> Chosen:
    return Chosen(family, series, 0, {}, None, None, None, None, None, reason)
