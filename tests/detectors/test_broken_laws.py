"""For each law a detector that breaks it, and nothing but a small change from a lawful one."""

import warnings

import numpy as np
import pytest

from detectors import Detector, Scores
from detectors.base import Decision
from detectors.checks import LAWS, Trial, require_lawful, verdicts
from detectors.errors import LawBrokenError
from detectors.memory.scale import Scale, fit_scale
from detectors.thresholds import calibrate


class Level(Detector):
    """How far the mean of the last columns is from the mean of the training range."""

    scope = "series"

    def __init__(self, window=3, false_alarm_rate=1e-3):
        self.window = window
        self.false_alarm_rate = false_alarm_rate

    @property
    def context(self):
        return self.window - 1

    def _learn(self, panel):
        self._scale = fit_scale(panel.values, 0.02)
        normal = self._distance(panel.values, np.arange(panel.n_series))
        return calibrate(normal, self.false_alarm_rate, floor=1.0)

    def _distance(self, values, rows):
        z = self._scale.standardise(values, rows).astype(np.float64)
        total = np.zeros(z.shape)
        for back in range(min(self.window, z.shape[1])):
            total[:, back:] += np.nan_to_num(z[:, : z.shape[1] - back])
        return np.where(np.isnan(z), np.nan, np.abs(total) / self.window).astype(np.float32)

    def _decide(self, panel, rows):
        out = np.full(panel.values.shape, np.nan, np.float32)
        known = rows >= 0
        out[known] = self._distance(panel.values[known], rows[known])
        return Decision(out)

    def _state(self):
        return self._scale.to_arrays()

    def _restore(self, arrays):
        self._scale = Scale.from_arrays(arrays)


class Inverted(Level):
    def _decide(self, panel, rows):
        return Decision(1.0 / (0.1 + super()._decide(panel, rows).decision))


class Double(Level):
    def score(self, panel, newest=None):
        found = super().score(panel, newest)
        return Scores(found.score.astype(np.float64), found.p_value)


class Learning(Level):
    def _decide(self, panel, rows):
        found = super()._decide(panel, rows)
        self._scale.centre[:] += 0.01 * self._scale.scale
        return found


class Foreseeing(Level):
    def _decide(self, panel, rows):
        found = super()._decide(panel, rows).decision
        return Decision(found / np.nanmax(found, axis=1, keepdims=True))


class Lagging(Level):
    def _decide_newest(self, panel, rows, first):
        return super()._decide_newest(panel.window(panel.start + panel.step, panel.end), rows, 0)


class Crowd(Level):
    def _decide(self, panel, rows):
        found = super()._decide(panel, rows).decision
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Decision(found - np.nanmedian(found, axis=0))


class Forgetful(Level):
    @property
    def context(self):
        return 0


class Dice(Level):
    def _decide(self, panel, rows):
        found = super()._decide(panel, rows).decision
        return Decision(found + np.random.default_rng().normal(0.0, 1e-3, found.shape).astype("f4"))


class ByPlace(Level):
    def _decide(self, panel, rows):
        if len(rows) == len(self.series_id_):
            rows = np.arange(len(rows))
        return super()._decide(panel, rows)


class Metric(Level):
    def _learn(self, panel):
        fit = super()._learn(panel)
        self._scale.scale[:] += 1.0
        return fit


class Hasty(Level):
    def decision_function(self, panel):
        return np.zeros(panel.values.shape, np.float32)


class HalfKept(Level):
    def _state(self):
        return {name: array.astype(np.float16) for name, array in super()._state().items()}


class Gapless(Level):
    def _learn(self, panel):
        fit = super()._learn(panel)
        self._scale.centre[np.isnan(panel.values).any(axis=1)] = np.nan
        return fit


class Filling(Level):
    def _decide(self, panel, rows):
        return Decision(np.nan_to_num(super()._decide(panel, rows).decision, nan=0.5))


class Trembling(Level):
    def _learn(self, panel):
        fit = super()._learn(panel)
        return (
            calibrate(self._distance(panel.values, np.arange(panel.n_series)), 1e-3) if fit else 0
        )


class Wide(Level):
    def _decide(self, panel, rows):
        if panel.n_times < self.window:
            raise ValueError("a window is longer than the panel")
        return super()._decide(panel, rows)


class Guessing(Level):
    def _decide(self, panel, rows):
        return super()._decide(panel, np.maximum(rows, 0))


class Squared(Level):
    def _distance(self, values, rows):
        with np.errstate(over="ignore"):
            found = (values - self._scale.centre[rows, None].astype(np.float32)) ** 2
            return found / self._scale.scale[rows, None].astype(np.float32) ** 2


class AnyStep(Level):
    def _rows_of(self, panel):
        self.step_ = panel.step
        return super()._rows_of(panel)


BROKEN = {
    "higher_is_more_abnormal": Inverted,
    "scores_are_in_thresholds": Double,
    "scoring_keeps_state": Learning,
    "causal": Foreseeing,
    "newest_alone": Lagging,
    "no_batch_neighbours": Crowd,
    "same_bytes": Dice,
    "permutation": ByPlace,
    "units": Metric,
    "clone": Hasty,
    "state_round_trip": HalfKept,
    "gaps_tolerated": Gapless,
    "silence": Filling,
    "constant_series": Trembling,
    "one_point": Wide,
    "unknown_series": Guessing,
    "huge_values": Squared,
    "other_step": AnyStep,
}


def test_the_plain_one_is_lawful():
    assert {one.law: one.broken for one in verdicts(Level)} == dict.fromkeys(BROKEN)
    require_lawful(Level)


@pytest.mark.parametrize(("law", "kind"), BROKEN.items())
def test_a_broken_law_is_found(law, kind):
    found = {one.law: one.broken for one in verdicts(kind)}
    assert found[law] is not None
    with pytest.raises(LawBrokenError):
        require_lawful(kind)


def test_no_law_is_without_its_breaker():
    assert [law.__name__ for law in LAWS] == list(BROKEN)
    assert all(law.__doc__ for law in LAWS)


def test_a_context_that_is_too_short_is_found():
    found = {one.law: one.broken for one in verdicts(Forgetful)}
    assert "columns before its context" in found["no_batch_neighbours"]


def test_whatever_is_raised_breaks_the_law_and_says_where():
    class Raising(Level):
        def _decide(self, panel, rows):
            return {}["missing"]

    broken = [one.broken for one in verdicts(Raising) if one.broken]
    assert len(broken) > 5
    assert "KeyError" in broken[0]
    assert "test_broken_laws.py" in broken[0]


def test_a_trial_fits_once_for_all_laws_that_only_score():
    fits = []

    class Counted(Level):
        def fit(self, panel):
            fits.append(panel.n_series)
            return super().fit(panel)

    trial = Trial(Counted)
    for law in LAWS:
        law(trial)
    assert len(fits) <= 5
