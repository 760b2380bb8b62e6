"""What does no harm reaches no threshold."""

import numpy as np
import pytest

from detectors import Panel, Scores
from detectors.families import HARMLESS_SCORE, Family, Limits, gate
from detectors.intervals import STOP_SCORE
from detectors.memory import WindowMemory

P_HARMLESS = np.array([0.02], "f4")


def scores(score, expected, lower=None, upper=None, driver=None):
    rows = np.atleast_2d(np.asarray(score, "f4"))
    full = np.full(rows.shape, expected, "f4") if expected is not None else None
    return Scores(
        rows,
        np.full(rows.shape, 1e-6, "f4"),
        full,
        None
        if full is None
        else np.full(rows.shape, expected - 1 if lower is None else lower, "f4"),
        None
        if full is None
        else np.full(rows.shape, expected + 1 if upper is None else upper, "f4"),
        driver,
    )


def gated(values, expected, **family):
    panel = Panel([values], 0, 1, [7])
    limits = Limits.of([Family("any", (".*",), **family)], [7])
    return gate(scores([3.0] * len(values), expected), panel, limits, P_HARMLESS)


def test_a_harmless_score_keeps_no_interval_going():
    assert HARMLESS_SCORE < STOP_SCORE


@pytest.mark.parametrize(
    ("direction", "told"),
    [("both", [True, True]), ("above", [False, True]), ("below", [True, False])],
)
def test_direction(direction, told):
    found = gated([5.0, 15.0], 10.0, direction=direction)
    assert (found.score[0] == 3.0).tolist() == told
    assert (found.p_value[0] > 1e-3).tolist() == [not each for each in told]


def test_least_deviations_the_greater_counts():
    values = [10.0, 10.9, 11.1, 8.9]
    found = gated(values, 10.0, least_absolute=0.5, least_relative=0.1)
    assert (found.score[0] >= 1.0).tolist() == [False, False, True, True]
    # The band shows what counts.
    assert found.lower[0, 0] == pytest.approx(9.0)
    wide = gated(values, 10.0, least_absolute=5.0)
    assert (wide.lower[0, 0], wide.upper[0, 0]) == (5.0, 15.0)


def test_a_band_ends_where_values_do_and_is_open_where_nothing_does_harm():
    both = gated([10.0], 10.0, least_absolute=50.0)
    assert (both.lower[0, 0], both.upper[0, 0]) == (0.0, 60.0)
    above = gated([10.0], 10.0, direction="above", floor=None)
    assert np.isnan(above.lower[0, 0])
    assert above.upper[0, 0] == 11.0
    below = gated([1.0], 1.0, direction="below", ceiling=1.0)
    assert (below.lower[0, 0], below.upper[0, 0]) == (0.0, 1.0)


def test_what_is_expected_lies_within_the_band():
    found = gated([0.0], -0.01, least_absolute=1.0)
    assert found.lower[0, 0] <= found.expected[0, 0] <= found.upper[0, 0]


def test_low_scores_and_gaps_stay():
    panel = Panel([[5.0, np.nan]], 0, 1, [7])
    limits = Limits.of([Family("any", (".*",), direction="above")], [7])
    found = gate(scores([0.3, 2.0], 10.0), panel, limits, P_HARMLESS)
    assert found.score[0].tolist() == [np.float32(0.3), 2.0]
    assert found.p_value[0].tolist() == [np.float32(1e-6)] * 2


def test_a_detector_that_expects_nothing_stays_as_it_is():
    panel = Panel([[5.0]], 0, 1, [7])
    limits = Limits.of([Family("any", (".*",), direction="above", least_absolute=9.0)], [7])
    given = scores([2.0], None)
    assert gate(given, panel, limits, P_HARMLESS) is given


def test_of_an_entity_the_driver_is_judged():
    panel = Panel([[5.0, 5.0, 5.0], [50.0, 50.0, 50.0]], 0, 1, [7, 3])
    limits = Limits.of([Family("a", (".*",), direction="above"), Family("b", (".*",))], [7, 3])
    driver = np.array([[0, 1, -1]], np.int32)
    found = gate(scores([2.0, 2.0, 2.0], 10.0, driver=driver), panel, limits, P_HARMLESS)
    assert found.score[0].tolist() == [np.float32(HARMLESS_SCORE), 2.0, 2.0]


def test_series_that_are_not_known_have_no_limits():
    panel = Panel([[5.0]], 0, 1, [99])
    limits = Limits.of([Family("a", (".*",), direction="above")], [7])
    assert gate(scores([2.0], 10.0), panel, limits, P_HARMLESS).score[0, 0] == 2.0
    nothing = Limits.of([], [])
    assert gate(scores([2.0], 10.0), panel, nothing, P_HARMLESS).score[0, 0] == 2.0


def test_the_p_value_of_a_score_is_that_of_columns_with_it():
    values = np.random.default_rng(0).normal(100.0, 5.0, (2, 700)).astype("f4")
    panel = Panel(values, 0, 60_000_000, [1, 2])
    detector = WindowMemory(lengths=(2, 32)).fit(panel)
    found = detector.score(panel)
    at = detector.calibration_of(panel).p_values_at(HARMLESS_SCORE)
    above = found.score > HARMLESS_SCORE
    below = found.score < HARMLESS_SCORE
    assert (found.p_value <= at[:, None])[above].all()
    assert (found.p_value >= at[:, None])[below].all()
