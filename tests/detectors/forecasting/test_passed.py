"""Since when what is past its threshold is past it."""

import numpy as np
import pytest

from detectors.forecasting import passed_between

GAP = np.nan
SEEN = {
    "in the newest column": ([1, 1, 1, 9], -0.5 - 1.0, 0.0),
    "some columns ago": ([1, 1, 9, 9], -2.5, -1.0),
    "after a time below": ([9, 1, 9, 9], -2.5, -1.0),
    "at the threshold": ([1, 1, 5, 5], -2.5, -1.0),
    "in a gap": ([1, GAP, GAP, 9], -3.5, 0.0),
    "before a gap": ([1, 9, GAP, GAP], -3.5, -2.0),
    "before what is known": ([GAP, 9, 9, 9], GAP, GAP),
    "before all": ([9, 9, 9, 9], GAP, GAP),
}


@pytest.mark.parametrize("name", SEEN)
def test_since_when(name):
    values, lower, upper = SEEN[name]
    told = passed_between(np.array([values], float), np.array([5.0]), step_hours=0.5)
    assert np.array_equal(np.ravel(told), 0.5 * np.array([lower, upper]), equal_nan=True)
