"""The laws every detector obeys, as code.

Each law is a name and a function that takes a maker of unfitted detectors (all alike) and
raises `LawBrokenError` where the law does not hold. One test file runs them over the whole
catalogue; run them over a detector of your own in the same way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from detectors.base import Detector
from detectors.errors import DetectorsError, LawBrokenError
from detectors.panel import Panel

Float32 = npt.NDArray[np.float32]
Factory = Callable[[], Detector]
Law = Callable[[Factory], None]

MINUTE = 60_000_000
N_SERIES, N_TIMES, N_TRAIN = 5, 480, 360
# Columns of the injected fault, after training.
FAULT = slice(420, 440)
# Matrix products of PyOD's models round differently for other shapes.
TOLERANCE = 1e-3


def laws(clock: Callable[[], float] | None = None) -> Iterator[tuple[str, Law]]:
    """Yield (name, law).

    Args:
        clock: seconds that only grow, as `time.process_time`; without it the law of linear
            cost, which alone needs one, is left out.
    """
    yield "higher_is_more_abnormal", higher_is_more_abnormal
    yield "scoring_keeps_state", scoring_keeps_state
    yield "causal", causal
    yield "newest_alone", newest_alone
    yield "no_batch_neighbours", no_batch_neighbours
    yield "same_bytes", same_bytes
    yield "gaps_tolerated", gaps_tolerated
    yield "constant_series", constant_series
    yield "permutation", permutation
    yield "clone", clone
    yield "state_round_trip", state_round_trip
    if clock is not None:
        timer = clock
        yield "linear_cost", lambda make: linear_cost(make, timer)


def normal_panel(seed: int = 0, n_series: int = N_SERIES, n_times: int = N_TIMES) -> Panel:
    """Return a panel of hourly waves with noise, in units from seconds to bytes."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0.0, 2.0 * np.pi, size=(n_series, 1))
    wave = np.sin(2.0 * np.pi * np.arange(n_times) / 60.0 + phase)
    noise = rng.normal(size=(n_series, n_times))
    unit = 10.0 ** rng.integers(-3, 9, size=(n_series, 1))
    values = unit * (10.0 + wave + 0.3 * noise)
    return Panel(values, 0, MINUTE, 100 + np.arange(n_series))


def higher_is_more_abnormal(make: Factory) -> None:
    """A sustained shift scores above everything normal, and above the threshold."""
    panel, detector = _fitted(make)
    values = panel.values.copy()
    values[:, FAULT] *= 3.0
    score = detector.score(panel.with_values(values)).score
    usual = detector.score(panel).score[:, N_TRAIN:]
    worst = np.nanmax(score[:, FAULT], axis=1)
    _require("higher_is_more_abnormal", bool((worst > np.nanmax(usual, axis=1)).all()), "a shift")
    _require("higher_is_more_abnormal", bool((worst > 1.0).all()), "threshold above a shift")


def scoring_keeps_state(make: Factory) -> None:
    """Scoring, even of nonsense, leaves the fitted arrays as they were."""
    panel, detector = _fitted(make)
    before = {name: array.copy() for name, array in detector.to_arrays().items()}
    detector.score(panel.with_values(panel.values * 100.0))
    for name, array in detector.to_arrays().items():
        same = before[name].tobytes() == array.tobytes()
        _require("scoring_keeps_state", same, f"array {name!r} changed")


def causal(make: Factory) -> None:
    """What comes later changes no score."""
    panel, detector = _fitted(make)
    values = panel.values.copy()
    values[:, FAULT.start :] *= 50.0
    changed = detector.decision_function(panel.with_values(values))[:, : FAULT.start]
    whole = detector.decision_function(panel)[:, : FAULT.start]
    cut = detector.decision_function(panel.window(0, FAULT.start * MINUTE))
    _same("causal", whole, changed, "later values")
    _same("causal", whole, cut, "the panel's end")


def newest_alone(make: Factory) -> None:
    """Asking for the newest columns alone gives what asking for all gives of them."""
    panel, detector = _fitted(make)
    whole = detector.score(panel)
    for newest in (1, 7):
        some = detector.score(panel, newest)
        for name in ("score", "p_value", "expected", "lower", "upper"):
            wanted, found = getattr(whole, name), getattr(some, name)
            _require("newest_alone", (wanted is None) == (found is None), f"{name} is missing")
            if wanted is not None:
                _same("newest_alone", wanted[:, -newest:], found, "how many columns are asked for")


def no_batch_neighbours(make: Factory) -> None:
    """A column scores the same with only its context before it, a row the same alone."""
    panel, detector = _fitted(make)
    whole = detector.decision_function(panel)
    begin = FAULT.start - detector.context
    tail = detector.decision_function(panel.window(begin * MINUTE, panel.end))
    _same("no_batch_neighbours", whole[:, FAULT.start :], tail[:, detector.context :], "columns")
    if detector.scope == "entity":
        return
    for row in range(panel.n_series):
        alone = Panel(panel.values[row : row + 1], 0, MINUTE, panel.series_id[row : row + 1])
        found = detector.decision_function(alone)
        _same("no_batch_neighbours", whole[row : row + 1], found, "rows")


def same_bytes(make: Factory) -> None:
    """The same data and parameters give the same bytes."""
    panel, first = _fitted(make)
    _, second = _fitted(make)
    one, two = first.decision_function(panel), second.decision_function(panel)
    _require("same_bytes", one.tobytes() == two.tobytes(), "two fits differ")
    again = first.decision_function(panel)
    _require("same_bytes", one.tobytes() == again.tobytes(), "two calls differ")


def gaps_tolerated(make: Factory) -> None:
    """Gaps and a series without any data pass without a warning; whole rows stay scored."""
    panel = normal_panel()
    values = panel.values.copy()
    values[0, ::7] = np.nan
    values[1] = np.nan
    values[2, 200:260] = np.nan
    gappy = panel.with_values(values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = make().fit(_training(gappy))
        score = detector.score(gappy).score
    _require("gaps_tolerated", not np.isinf(score).any(), "infinite score")
    if detector.scope == "series":
        _require("gaps_tolerated", bool(np.isnan(score[1]).all()), "scores without data")
        _require("gaps_tolerated", bool(np.isfinite(score[3, N_TRAIN:]).all()), "lost scores")


def constant_series(make: Factory) -> None:
    """A constant series is quiet under jitter and alarms on a clear move, whatever its unit."""
    levels = np.array([[0.0], [1.0], [0.002], [1e10]])
    calm = np.repeat(levels, N_TIMES, axis=1)
    jitter = calm * (1.0 + 1e-4 * np.random.default_rng(0).normal(size=calm.shape))
    moved = jitter.copy()
    moved[:, FAULT] += np.array([[5.0], [-1.0], [0.01], [1e10]])
    grid = Panel(calm, 0, MINUTE, np.arange(len(levels)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = make().fit(_training(grid))
        quiet = detector.score(grid.with_values(jitter)).score
        loud = detector.score(grid.with_values(moved)).score[:, FAULT]
    if np.isnan(quiet).all():
        return  # A model that cannot be fitted on singular data may say so by NaN.
    _require("constant_series", bool(np.nanmax(quiet) < 1.0), "alarm on jitter")
    _require("constant_series", bool((np.nanmax(loud, axis=1) > 1.0).all()), "a move passed over")


def permutation(make: Factory) -> None:
    """Scores follow their series, in whatever order the panel to score has them."""
    panel, detector = _fitted(make)
    order = np.random.default_rng(1).permutation(panel.n_series)
    mixed = Panel(panel.values[order], 0, MINUTE, panel.series_id[order])
    whole, found = detector.decision_function(panel), detector.decision_function(mixed)
    wanted = whole if detector.scope == "entity" else whole[order]
    _same("permutation", wanted, found, "order of series")


def clone(make: Factory) -> None:
    """An unfitted copy from the parameters fits to the same model."""
    panel, detector = _fitted(make)
    copy = type(detector)(**detector.get_params())
    try:
        copy.decision_function(panel)
    except DetectorsError:
        pass
    else:
        raise LawBrokenError("clone", "a clone scores before it is fitted")
    found = copy.fit(_training(panel)).decision_function(panel)
    _same("clone", detector.decision_function(panel), found, "the copy")


def state_round_trip(make: Factory) -> None:
    """The state is plain arrays, from which the same detector comes back."""
    panel, detector = _fitted(make)
    arrays = detector.to_arrays()
    for name, array in arrays.items():
        _require("state_round_trip", array.dtype.kind != "O", f"array {name!r} holds objects")
    found = type(detector).from_arrays(arrays).score(panel)
    wanted = detector.score(panel)
    _same("state_round_trip", wanted.score, found.score, "score")
    _same("state_round_trip", wanted.p_value, found.p_value, "p-value")


def linear_cost(make: Factory, clock: Callable[[], float]) -> None:
    """Four times the columns cost less than ten times the seconds."""
    detector = make().fit(_training(normal_panel()))

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
    _require("linear_cost", long < bound, f"{short:.3f} s became {long:.3f} s")


def _fitted(make: Factory) -> tuple[Panel, Detector]:
    panel = normal_panel()
    return panel, make().fit(_training(panel))


def _training(panel: Panel) -> Panel:
    return panel.window(0, N_TRAIN * MINUTE)


def _require(law: str, holds: bool, reason: str) -> None:
    if not holds:
        raise LawBrokenError(law, reason)


def _same(law: str, wanted: Float32, found: Float32, reason: str) -> None:
    same = wanted.shape == found.shape and np.allclose(
        wanted, found, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True
    )
    _require(law, same, f"scores depend on {reason}")
