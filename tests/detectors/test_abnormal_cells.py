import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import Panel, build, find_intervals
from detectors.abnormal_cells import abnormal_cells, at_most
from detectors.discovery import most_relief

MINUTE = 60_000_000
TESTED = 5000


@pytest.fixture(scope="module")
def scored():
    """Forty series, of which a few are abnormal, some a little, and some have gaps."""
    rng = np.random.default_rng(0)
    values = rng.normal(100.0, 5.0, (40, 900))
    values[3, 700:720] += 40.0
    values[5:25, 700:720] += 18.0
    values[30, 750:760] = np.nan
    values[31, 740:790:2] += 60.0
    panel = Panel(values, 0, MINUTE, np.arange(40))
    detector = build("window_memory", lengths=(2, 32)).fit(panel.window(0, 600 * MINUTE))
    panel = panel.window(560 * MINUTE, 900 * MINUTE)
    return panel, detector.score(panel), detector.calibration_of(panel)


def cells_of(scored):
    panel, scores, fit = scored
    return abnormal_cells(
        scores, scores, at_most(scores, fit, np.full(40, most_relief(TESTED))), panel, fit
    )


@given(length=st.integers(1, 8), gap=st.integers(0, 40))
def test_intervals_are_those_of_the_scores(scored, length, gap):
    panel, scores, _ = scored
    cells = cells_of(scored)
    wanted = find_intervals(scores, length, gap)
    found, peaks = cells.intervals(length, gap)
    row = np.unique(cells.row[cells.score >= 1.0])[found.row]
    assert len(wanted)
    assert row.tolist() == wanted.row.tolist()
    for name in ("start", "end", "peak", "score", "p_value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert cells.row[peaks].tolist() == wanted.row.tolist()
    assert cells.column[peaks].tolist() == wanted.peak.tolist()
    for name, array in (("actual", panel.values), ("expected", scores.expected)):
        told = getattr(cells, name)[peaks]
        np.testing.assert_array_equal(told, array[wanted.row, wanted.peak])


def test_few_cells_are_kept(scored):
    assert len(cells_of(scored).row) < 0.15 * scored[1].score.size


def test_thresholds_that_come_down_tell_more_and_never_less(scored):
    cells = cells_of(scored)
    changed = (cells.column >= 140) & (cells.column < 160)
    raised = cells.raised(np.where(changed, most_relief(TESTED), 1.0))
    assert (raised.score[changed] >= cells.score[changed]).all()
    assert raised.score[~changed].tobytes() == cells.score[~changed].tobytes()
    told = {int(row) for row in cells.row[raised.score >= 1.0]}
    assert told > {int(row) for row in cells.row[cells.score >= 1.0]}
    # A score of 1 is where the p-value is that many times the rate, floors apart.
    free = raised.score > cells.score
    limit = cells.fit.rate * most_relief(TESTED)
    at_one = np.isclose(raised.score, 1.0, atol=0.02) & free & changed
    np.testing.assert_allclose(cells.p_value[at_one], limit, rtol=0.5)


def test_the_band_comes_nearer_as_the_threshold_does(scored):
    cells = cells_of(scored)
    raised = cells.raised(np.full(cells.row.size, 50.0))
    grown = raised.score / cells.score
    narrower = (raised.upper - raised.lower) / (cells.upper - cells.lower)
    np.testing.assert_allclose(narrower, 1.0 / grown, rtol=1e-3)
    assert grown.max() > 1.2
    np.testing.assert_allclose(raised.lower + raised.upper, 2.0 * raised.expected, rtol=1e-4)


def test_an_entity_without_a_driver_is_told_by_its_farthest_series():
    rng = np.random.default_rng(1)
    values = rng.normal(100.0, 5.0, (6, 900))
    values[4, 800:820] += 80.0
    values[2, :] = np.nan
    panel = Panel(values, 0, MINUTE, np.arange(6))
    model = build("pyod.KNN", scope="entity").fit(panel.window(0, 600 * MINUTE))
    scores, fit = model.score(panel), model.calibration_of(panel)
    cells = abnormal_cells(
        scores, scores, at_most(scores, fit, np.full(1, most_relief(10))), panel, fit
    )
    loud = cells.column[cells.score >= 1.0]
    assert {800, 819} <= set(loud.tolist())
    there = (cells.column >= 800) & (cells.column < 820)
    assert (cells.series[there] == 4).mean() > 0.9
    assert cells.actual[there].max() > 150.0


def test_nothing_abnormal_is_nothing():
    panel = Panel(np.random.default_rng(2).normal(100.0, 1.0, (3, 600)), 0, MINUTE, [1, 2, 3])
    model = build("window_memory").fit(panel.window(0, 500 * MINUTE))
    quiet = panel.with_values(np.full(panel.values.shape, 100.0))
    scores, fit = model.score(quiet), model.calibration_of(quiet)
    cells = abnormal_cells(
        scores, scores, at_most(scores, fit, np.full(3, most_relief(3))), quiet, fit
    )
    found, peaks = cells.intervals(5, 30)
    assert (len(found), len(peaks)) == (0, 0)
