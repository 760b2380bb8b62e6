import numpy as np

from detectors.memory.ranges import FOLDS, fit_range, held_out_excess


def test_only_what_lies_outside_counts():
    points = np.array([[0.0, -1.0], [1.0, 1.0]], dtype="f4")
    found = fit_range(points).excess(np.array([[0.5, 0.0], [1.0, 4.0], [-2.0, -5.0]], "f4"))
    np.testing.assert_allclose(found, [0.0, np.sqrt(9 / 2), np.sqrt((4 + 16) / 2)], rtol=1e-6)


def test_gaps_and_metrics_never_seen_are_left_out():
    points = np.array([[0.0, np.nan], [1.0, np.nan]], dtype="f4")
    learned = fit_range(points)
    found = learned.excess(np.array([[3.0, 100.0], [np.nan, 100.0]], "f4"))
    assert found[0] == 2.0
    assert np.isnan(found[1])


def test_a_training_column_is_judged_by_the_other_tenths():
    points = np.zeros((100, 1), "f4")
    points[40] = 5.0
    points[41] = 3.0
    found = held_out_excess(points)
    assert found[40] == 5.0
    assert found[41] == 3.0
    assert np.count_nonzero(found) == 2
    points[80] = 5.0
    assert not held_out_excess(points).any(), "two tenths have seen it"


def test_few_columns():
    assert held_out_excess(np.zeros((1, 2), "f4")).tolist() == [0.0]
    assert held_out_excess(np.zeros((0, 2), "f4")).size == 0
    assert held_out_excess(np.ones((FOLDS - 3, 2), "f4")).tolist() == [0.0] * (FOLDS - 3)
