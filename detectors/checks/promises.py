"""Laws of what a score is: causal, of its row alone, the same each time, and in a stated unit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.base import Arrays
from detectors.checks.trial import MINUTE, Trial, normal_panel, require, same
from detectors.errors import DetectorsError, LawBrokenError
from detectors.panel import Panel

# An exact factor: other units must not even round differently.
UNIT = 1024.0


def higher_is_more_abnormal(trial: Trial) -> None:
    """A sustained shift scores above everything normal, and above the threshold."""
    law = "higher_is_more_abnormal"
    values = trial.panel.values.copy()
    values[:, trial.fault] *= 3.0
    score = trial.fitted.score(trial.panel.with_values(values)).score
    usual = trial.fitted.score(trial.panel).score[:, trial.n_train :]
    told = np.isfinite(score[:, trial.fault]).any(axis=1)
    why = next(iter(getattr(trial.fitted, "failures_", {}).values()), "")
    silent = "no score of a shift after a whole training range"
    require(law, bool(told.all()), f"{silent}: {why}" if why else silent)
    worst = np.nanmax(score[:, trial.fault], axis=1)
    most = np.nanmax(usual, axis=1)
    require(
        law,
        bool((worst > most).all()),
        f"a shift to three times the level scores {worst.min():.3g}, normal columns up to "
        f"{most.max():.3g}",
    )
    require(
        law,
        bool((worst > 1.0).all()),
        f"a shift to three times the level scores {worst.min():.3g}, below the threshold of 1: a "
        "higher false_alarm_rate brings the threshold nearer",
    )


def scores_are_in_thresholds(trial: Trial) -> None:
    """`score` is the decision over `threshold_`, float32, one a column; p-values fall with it."""
    law = "scores_are_in_thresholds"
    detector, panel = trial.fitted, trial.panel
    rows = panel.n_series if trial.scope == "series" else 1
    scores = detector.score(panel)
    for name, array in (("score", scores.score), ("p_value", scores.p_value)):
        require(law, array.dtype == np.float32, f"{name} is {array.dtype}, float32 is needed")
        wanted = (rows, panel.n_times)
        require(law, array.shape == wanted, f"{name} has shape {array.shape}, {wanted} is needed")
    decision = detector.decision_function(panel)
    same(law, decision / detector.threshold_[:, None], scores.score, "threshold_")
    known = ~np.isnan(scores.score)
    require(law, bool((np.isnan(scores.p_value) == ~known).all()), "a score without p-value")
    p = scores.p_value[known]
    require(law, bool(((p >= 0.0) & (p <= 1.0)).all()), "a p-value outside 0 and 1")
    for score, p_value in zip(scores.score, scores.p_value, strict=True):
        order = np.argsort(score[~np.isnan(score)], kind="stable")
        rises = np.diff(p_value[~np.isnan(score)][order]).max(initial=0.0)
        require(law, bool(rises <= 1e-6), "a higher score with a higher p-value")


def scoring_keeps_state(trial: Trial) -> None:
    """Scoring, even of nonsense, leaves the fitted arrays and the panel as they were."""
    law = "scoring_keeps_state"
    before = _bytes(trial.fitted.to_arrays())
    loud = trial.panel.with_values(trial.panel.values * 100.0)
    given = loud.values.tobytes()
    trial.fitted.score(loud)
    after = _bytes(trial.fitted.to_arrays())
    for name in before.keys() | after.keys():
        require(law, before.get(name) == after.get(name), f"array {name!r} changed")
    require(law, loud.values.tobytes() == given, "the panel's values changed")


def causal(trial: Trial) -> None:
    """What comes later changes no score."""
    panel, detector, at = trial.panel, trial.fitted, trial.fault.start
    values = panel.values.copy()
    values[:, at:] *= 50.0
    changed = detector.decision_function(panel.with_values(values))[:, :at]
    whole = detector.decision_function(panel)[:, :at]
    cut = detector.decision_function(panel.window(0, at * MINUTE))
    same("causal", whole, changed, "later values")
    same("causal", whole, cut, "the panel's end")


def newest_alone(trial: Trial) -> None:
    """Asking for the newest columns alone gives what asking for all gives of them."""
    law = "newest_alone"
    whole = trial.fitted.score(trial.panel)
    for newest in (1, 7):
        some = trial.fitted.score(trial.panel, newest)
        for name in ("score", "p_value", "expected", "lower", "upper"):
            wanted, found = getattr(whole, name), getattr(some, name)
            require(law, (wanted is None) == (found is None), f"{name} is missing")
            if wanted is not None:
                same(law, wanted[:, -newest:], found, "how many columns are asked for")


def no_batch_neighbours(trial: Trial) -> None:
    """A column scores the same with only its context before it, a row the same alone."""
    law = "no_batch_neighbours"
    panel, detector, at = trial.panel, trial.fitted, trial.fault.start
    whole = detector.decision_function(panel)
    begin = at - trial.context
    tail = detector.decision_function(panel.window(begin * MINUTE, panel.end))
    same(law, whole[:, at:], tail[:, trial.context :], "columns before its context")
    if trial.scope == "entity":
        return
    for row in range(panel.n_series):
        alone = Panel(panel.values[row : row + 1], 0, MINUTE, panel.series_id[row : row + 1])
        found = detector.decision_function(alone)
        same(law, whole[row : row + 1], found, "other rows")


def same_bytes(trial: Trial) -> None:
    """The same data and parameters give the same bytes."""
    one = trial.fitted.decision_function(trial.panel)
    two = trial.again.decision_function(trial.panel)
    require("same_bytes", one.tobytes() == two.tobytes(), "two fits of the same differ")
    again = trial.fitted.decision_function(trial.panel)
    require("same_bytes", one.tobytes() == again.tobytes(), "two calls differ")


def permutation(trial: Trial) -> None:
    """Scores follow their series, in whatever order the panel to score has them."""
    panel = trial.panel
    order = np.roll(np.arange(panel.n_series), 1)
    mixed = Panel(panel.values[order], 0, MINUTE, panel.series_id[order])
    whole = trial.fitted.decision_function(panel)
    wanted = whole if trial.scope == "entity" else whole[order]
    same("permutation", wanted, trial.fitted.decision_function(mixed), "the order of series")


def units(trial: Trial) -> None:
    """Bytes score as kilobytes do."""
    panel = trial.panel
    larger = panel.with_values(panel.values * np.float32(UNIT))
    found = trial.make().fit(trial.training(larger)).score(larger).score
    same("units", trial.fitted.score(panel).score, found, "the unit of the values")


def clone(trial: Trial) -> None:
    """An unfitted copy from the parameters fits to the same model, and scores nothing before."""
    copy = type(trial.fitted)(**trial.fitted.get_params())
    try:
        copy.decision_function(trial.panel)
    except DetectorsError:
        pass
    else:
        raise LawBrokenError("clone", "a clone scores before it is fitted")
    wanted = trial.fitted.decision_function(trial.panel)
    same("clone", wanted, trial.again.decision_function(trial.panel), "which copy is asked")


def state_round_trip(trial: Trial) -> None:
    """The state is plain arrays, from which the same detector comes back."""
    law = "state_round_trip"
    arrays = trial.fitted.to_arrays()
    for name, array in arrays.items():
        require(law, isinstance(array, np.ndarray), f"{name!r} is a {type(array).__name__}")
        require(law, array.dtype.kind != "O", f"array {name!r} holds objects")
    found = type(trial.fitted).from_arrays(arrays).score(trial.panel)
    wanted = trial.fitted.score(trial.panel)
    same(law, wanted.score, found.score, "the state's way out and back")
    same(law, wanted.p_value, found.p_value, "the state's way out and back")


def linear_cost(trial: Trial, clock: Callable[[], float]) -> None:
    """Four times the columns cost less than ten times the seconds."""
    detector = trial.fitted

    def seconds(n_times: int) -> float:
        panel = normal_panel(n_times=n_times)
        took = []
        for _ in range(3):
            begun = clock()
            detector.decision_function(panel)
            took.append(clock() - begun)
        return min(took)

    short, long = seconds(2000), seconds(8000)
    # Below a hundredth of a second a clock measures itself.
    bound = 10.0 * max(short, 0.01)
    require("linear_cost", long < bound, f"{short:.3f} s became {long:.3f} s")


def _bytes(arrays: Arrays) -> dict[str, bytes]:
    return {name: np.asarray(array).tobytes() for name, array in arrays.items()}
