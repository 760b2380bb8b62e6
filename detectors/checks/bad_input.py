"""Laws of what comes in: gaps, silence, constants, single points, series that nobody knows."""

from __future__ import annotations

import warnings

import numpy as np

from detectors.base import Detector, Scores
from detectors.checks.trial import MINUTE, Trial, require, same
from detectors.errors import DetectorsError
from detectors.panel import Panel

# Far beyond anything measured, and what float32 can hold: squares of it cannot be.
HUGE = np.float32(1e30)


# Rows of `Trial.spoilt`.
GAPS, NOTHING, POINT, WHOLE = range(4)


def gaps_tolerated(trial: Trial) -> None:
    """Gaps and a series without any data pass without a warning; whole rows stay scored."""
    law = "gaps_tolerated"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score = trial.spoilt_fitted.score(trial.spoilt).score
    require(law, not np.isinf(score).any(), "infinite score")
    after = score[:, trial.n_train + trial.context :]
    if trial.scope == "entity":
        require(law, bool(np.isfinite(after).all()), "an entity with gaps has lost scores")
        return
    require(law, bool(np.isnan(score[NOTHING]).all()), "scores without data")
    for row, what in ((GAPS, "that had gaps"), (WHOLE, "without gaps")):
        require(law, bool(np.isfinite(after[row]).all()), f"a series {what} has lost scores")


def silence(trial: Trial) -> None:
    """Columns without any data have no score, and take none away once they are out of sight."""
    values = trial.panel.values.copy()
    quiet = slice(trial.n_train + 20, trial.n_train + 40)
    values[:, quiet] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = trial.fitted.score(trial.panel.with_values(values)).score
    require("silence", bool(np.isnan(found[:, quiet]).all()), "a score of a column without data")
    before = trial.fitted.score(trial.panel).score[:, : quiet.start]
    same("silence", before, found[:, : quiet.start], "a silence that comes later")
    late = found[:, quiet.stop + trial.context :]
    require("silence", bool(np.isfinite(late).all()), "no scores after a silence")


def constant_series(trial: Trial) -> None:
    """A constant series is quiet under jitter and alarms on a clear move, whatever its unit."""
    levels = np.array([[0.0], [1.0], [0.002], [1e10]])
    calm = np.repeat(levels, trial.n_times, axis=1)
    jitter = calm * (1.0 + 1e-4 * np.random.default_rng(0).normal(size=calm.shape))
    moved = jitter.copy()
    moved[:, trial.fault] += np.array([[5.0], [-1.0], [0.01], [1e10]])
    grid = Panel(calm, 0, MINUTE, np.arange(len(levels)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = trial.make().fit(trial.training(grid))
        quiet = detector.score(grid.with_values(jitter)).score
        loud = detector.score(grid.with_values(moved)).score[:, trial.fault]
    if np.isnan(quiet).all():
        return  # A model that cannot be fitted on singular data may say so by NaN.
    require("constant_series", bool(np.nanmax(quiet) < 1.0), "alarm on jitter")
    require("constant_series", bool((np.nanmax(loud, axis=1) > 1.0).all()), "a move passed over")


def one_point(trial: Trial) -> None:
    """A series of one point, in training or to be scored, gives no infinity and raises nothing."""
    law = "one_point"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        young = trial.spoilt_fitted.score(trial.spoilt).score
        newest = Panel(trial.panel.values[:, -1:], 0, MINUTE, trial.panel.series_id)
        alone = trial.fitted.score(newest).score
        none = trial.fitted.score(trial.panel.window(0, 0)).score
    require(law, not np.isinf(young).any() and not np.isinf(alone).any(), "infinite score")
    if trial.scope == "series":
        learned = bool(np.isnan(young[POINT]).all())
        require(law, learned, "scores by a training range of one point")
    require(law, alone.shape[1] == 1, f"shape {alone.shape} for a panel of one column")
    require(law, none.shape[1] == 0, f"shape {none.shape} for a panel without columns")


def unknown_series(trial: Trial) -> None:
    """A series that was not fitted has no score, and changes none of the others'."""
    law = "unknown_series"
    panel = trial.panel
    ids = np.append(panel.series_id, 7)
    wider = Panel(np.concatenate([panel.values, panel.values[:1] * 3.0]), 0, MINUTE, ids)
    wanted = trial.fitted.decision_function(panel)
    found = trial.fitted.decision_function(wider)
    if trial.scope == "series":
        require(law, found.shape[0] == ids.size, f"{found.shape[0]} rows of {ids.size}")
        require(law, bool(np.isnan(found[-1]).all()), "a score of a series that was not fitted")
        found = found[:-1]
    same(law, wanted, found, "a series that was not fitted")


def huge_values(trial: Trial) -> None:
    """Values that float32 holds and its square does not are abnormal, not infinite."""
    law = "huge_values"
    values = trial.panel.values.copy()
    values[:, trial.fault] = HUGE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = trial.fitted.score(trial.panel.with_values(values))
    require(law, not np.isinf(scores.score).any(), "infinite score")
    require(law, _abnormal(scores, trial.fault), "1e30 passed over")


def other_step(trial: Trial) -> None:
    """A panel of another step is refused with an error of this package."""
    odd = Panel(trial.panel.values, 0, 2 * MINUTE, trial.panel.series_id)
    require("other_step", _refuses(trial.fitted, odd), "scores a panel of another step")


def _abnormal(scores: Scores, columns: slice) -> bool:
    found = scores.score[:, columns]
    return bool((np.where(np.isnan(found), -np.inf, found).max(axis=1) > 1.0).all())


def _refuses(detector: Detector, panel: Panel) -> bool:
    try:
        detector.score(panel)
    except DetectorsError:
        return True
    return False
