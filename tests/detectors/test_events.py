import math

import numpy as np

from detectors.evaluation import EventCounts, count_events


def test_counts():
    labels = np.zeros(100)
    labels[10:20] = labels[30:31] = labels[50:60] = labels[99] = 1
    found = count_events([0, 19, 31, 45, 99], [10, 25, 33, 70, 100], labels, 50)
    assert found == EventCounts(false=2, found=3, events=4, days=2.0)
    assert (found.false_a_day, found.recall) == (1.0, 0.75)


def test_one_interval_over_two_events_and_two_in_one():
    labels = np.array([0, 1, 0, 1, 1, 1, 1, 0])
    found = count_events([0, 5], [5, 6], labels, 8)
    assert found == EventCounts(false=0, found=2, events=2, days=1.0)


def test_nothing():
    none = count_events([], [], np.zeros(4), 4)
    assert none == EventCounts(0, 0, 0, 1.0)
    assert math.isnan(none.recall)
    assert none + EventCounts(1, 2, 3, 0.5) == EventCounts(1, 2, 3, 1.5)
