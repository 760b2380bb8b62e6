"""Toy detectors whose order is known."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from detectors import Panel, build
from detectors.base import Decision, Detector
from detectors.errors import InvalidParameterError, NoTrainingDataError
from detectors.families import Family, Limits
from detectors.selection import KINDS, Candidate, Fold, Plan, Sample, judge, kind_means
from detectors.selection.judge import coupled_rows
from detectors.thresholds import calibrate

STEP = 60_000_000
FOLD = Fold(0, 600, 900)
PLAN = Plan(events=1, rounds=2, buffer=20, stride=5, min_length=1, merge_gap=5)


class Distance(Detector):
    """How far a value is from its training mean, in its spread."""

    scope = "series"

    @property
    def context(self):
        return 0

    def _learn(self, panel):
        self.mean = np.nanmean(panel.values, axis=1, keepdims=True)
        self.spread = np.nanstd(panel.values, axis=1, keepdims=True)
        return calibrate(np.abs(panel.values - self.mean) / self.spread, 1e-3)

    def _decide(self, panel, rows):
        return Decision(np.abs(panel.values - self.mean[rows]) / self.spread[rows])

    def _state(self):
        raise NotImplementedError

    _restore = _state


class Blind(Distance):
    """Says the same of everything."""

    def _decide(self, panel, rows):
        return Decision(np.full(panel.values.shape, 0.1, np.float32))


class Loud(Distance):
    """Alarms at all times."""

    def _decide(self, panel, rows):
        found = super()._decide(panel, rows).decision + 100.0
        found[:, ::20] = 0.0
        return Decision(found)


class Untaught(Distance):
    scope = "entity"

    def _learn(self, panel):
        raise NoTrainingDataError("nothing")


def sample(n=4, columns=900):
    """Pairs of rows that go along with each other: one the target, one its sibling."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(n, columns))
    values = np.concatenate([50 + common + 0.1 * rng.normal(size=common.shape) for _ in range(2)])
    entities = [np.array([row, row + n]) for row in range(n)]
    return Sample(Panel(values, 0, STEP, np.arange(2 * n)), np.arange(n), {"pod": entities})


@pytest.fixture
def ticks():
    counter = itertools.count()
    return lambda: float(next(counter))


def test_ranks_what_sees_above_what_does_not(ticks):
    candidates = [Candidate("sees", Distance), Candidate("blind", Blind), Candidate("loud", Loud)]
    told = []
    found = judge(sample(), candidates, FOLD, PLAN, ticks, told.append)
    assert found.vus.shape == (3, len(KINDS), 4, 2)
    means = kind_means(found.vus)
    shift = KINDS.index("level_shift")
    assert means[0, shift] > 0.8
    assert means[1, shift] < 0.4
    assert kind_means(found.recall)[:2, shift].tolist() == [pytest.approx(1.0, abs=0.3), 0.0]
    assert found.false[0] <= 4
    assert found.false[1] == 0
    assert found.false[2] >= 4
    assert found.days == 4 * 300 / 1440
    assert found.seconds.tolist() == [1.0, 1.0, 1.0]
    assert told[-1] == 1.0
    period = KINDS.index("period")
    assert np.isnan(found.vus[:, period]).all(), "noise has no period to break"


def test_the_same_seed_judges_the_same(ticks):
    (one, two, other) = (
        judge(sample(), [Candidate("sees", Distance)], FOLD, plan, ticks)
        for plan in (PLAN, PLAN, Plan(**{**PLAN_FIELDS, "seed": 1}))
    )
    assert np.array_equal(one.vus, two.vus, equal_nan=True)
    assert not np.array_equal(one.vus, other.vus, equal_nan=True)


PLAN_FIELDS = {"events": 1, "rounds": 2, "buffer": 20, "stride": 5, "min_length": 1}


def test_faults_are_the_same_for_all_and_never_in_what_is_fitted(ticks):
    """A detector that remembers what it was fitted on."""
    fitted = []

    class Watched(Distance):
        def _learn(self, panel):
            fitted.append(panel.values.copy())
            return super()._learn(panel)

    whole = sample()
    judge(whole, [Candidate("a", Watched), Candidate("b", Watched)], FOLD, PLAN, ticks)
    assert len(fitted) == 2, "one fit each, however many faults"
    assert all(np.array_equal(one, whole.panel.values[:4, :600]) for one in fitted)


def test_an_entity_s_detector_sees_a_decoupling_that_no_single_series_shows(ticks):
    candidates = [
        Candidate("alone", lambda: build("window_memory", lengths=[2, 32])),
        Candidate("pod", lambda: build("entity_memory", memory=500), by="pod"),
    ]
    kept = {}
    found = judge(sample(), candidates, FOLD, PLAN, ticks, kept=kept)
    alone, pod = kind_means(found.vus)[:, KINDS.index("decoupling")]
    assert pod > alone + 0.2
    assert len(kept) == 4
    again = judge(sample(), candidates, FOLD, PLAN, ticks, kept=kept)
    assert np.array_equal(found.vus, again.vus, equal_nan=True)


def test_an_entity_that_cannot_be_fitted_claims_nothing(ticks):
    found = judge(sample(), [Candidate("none", Untaught, by="pod")], FOLD, PLAN, ticks)
    assert found.false.tolist() == [0]
    assert np.nanmax(found.recall) == 0.0


def test_who_has_no_sibling_that_goes_along_cannot_be_decoupled():
    whole = sample()
    assert coupled_rows(whole, FOLD).tolist() == [True] * 4
    stranger = [np.array([0, 5]), np.array([1]), np.array([], np.int64), np.array([3, 7])]
    lonely = Sample(whole.panel, whole.targets, {"pod": stranger})
    assert coupled_rows(lonely, FOLD).tolist() == [False, False, False, True]


def test_refuses_a_fold_without_columns_to_fit(ticks):
    for fold in (Fold(0, 30, 900), Fold(0, 600, 1000), Fold(-1, 600, 900)):
        with pytest.raises(InvalidParameterError, match="fold"):
            judge(sample(), [Candidate("sees", Distance)], fold, PLAN, ticks)


class Broken(Distance):
    """As a user's own may be."""

    def _decide(self, panel, rows):
        raise ZeroDivisionError("on some series")


class Unfit(Distance):
    def _learn(self, panel):
        raise ValueError("never")


def test_what_raises_claims_nothing_and_is_told(ticks):
    candidates = [
        Candidate("sees", Distance),
        Candidate("broken", Broken),
        Candidate("unfit", Unfit),
    ]
    found = judge(sample(), candidates, FOLD, PLAN, ticks)
    assert found.failures == {
        "broken": "ZeroDivisionError: on some series",
        "unfit": "ValueError: never",
    }
    assert np.nanmax(found.recall[0]) == 1.0
    assert np.nanmax(found.recall[1:]) == 0.0
    assert np.nanmax(kind_means(found.vus)[1:]) < np.nanmin(kind_means(found.vus)[0])


def test_what_does_no_harm_is_neither_a_fault_nor_an_alarm(ticks):
    """Of two families, one with errors: fewer of them are no news."""
    whole = sample()
    dip = whole.panel.values.copy()
    dip[:, 750:] -= 40.0
    quiet = replace(whole, panel=whole.panel.with_values(dip))
    level = [Candidate("level", lambda: build("online_level"))]
    (loud,) = judge(quiet, level, FOLD, PLAN, ticks).false.tolist()
    above = Limits.of([Family("errors", (".*",), direction="above")] * 8, np.arange(8))
    limited = replace(quiet, limits=above)
    assert loud >= 4
    assert judge(limited, level, FOLD, PLAN, ticks).false.tolist() == [0]
    judged = judge(replace(whole, limits=above), level, FOLD, PLAN, ticks)
    assert kind_means(judged.recall)[0, KINDS.index("level_shift")] > 0.5


def test_only_some_of_the_candidates(ticks):
    candidates = [Candidate("sees", Distance), Candidate("blind", Blind)]
    found = judge(sample(), candidates, FOLD, PLAN, ticks)
    blind = found.only(["blind"])
    assert blind.candidates == ("blind",)
    assert np.array_equal(blind.vus[0], found.vus[1], equal_nan=True)
