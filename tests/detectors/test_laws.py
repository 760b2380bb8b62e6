"""Every detector of the catalogue against every law."""

import time
from functools import cache

import pytest

from detectors import build
from detectors.checks import Trial, laws, require_lawful
from detectors.errors import LawBrokenError

DETECTORS = {
    "window_memory": {},
    "entity_memory": {},
    "online_level": {},
    "pyod.ECOD": {},
    "pyod.KNN": {},
    "pyod.IForest": {"n_estimators": 20},
    "pyod.HBOS": {},
    "entity pyod.ECOD": {"scope": "entity"},
    "entity pyod.KNN": {"scope": "entity"},
    "pooled.KNN": {},
    "pooled.ECOD": {},
    "pooled.IForest": {"n_estimators": 20},
}


@cache
def trial(name):
    """One fitted detector for all laws: fitting is what costs."""
    return Trial(lambda: build(name.removeprefix("entity "), **DETECTORS[name]))


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    "law", [pytest.param(check, id=law) for law, check in laws(time.process_time)]
)
def test_law(name, law):
    law(trial(name))


REFUSED = {
    # A left-skewed dimension counts its left tail alone, so that COPOD halves an upward shift.
    "pyod.COPOD": "higher_is_more_abnormal",
    "pyod.SOS": "no_batch_neighbours",
    "pyod.LMDD": "no_batch_neighbours",
}


@pytest.mark.parametrize(("name", "law"), REFUSED.items())
def test_what_breaks_a_law_is_refused_by_its_name(name, law):
    with pytest.raises(LawBrokenError) as caught:
        require_lawful(lambda: build(name))
    assert caught.value.law == law


def test_parameters_decide_too():
    """A threshold that no score can reach is found out before a fleet relies on it."""
    require_lawful(lambda: build("pyod.HBOS", n_bins=10))
    with pytest.raises(LawBrokenError, match="higher false_alarm_rate"):
        require_lawful(lambda: build("pyod.KNN", false_alarm_rate=1e-30))


def test_a_long_window_has_a_long_training_range():
    require_lawful(lambda: build("pyod.ECOD", window=100, smooth=50))
