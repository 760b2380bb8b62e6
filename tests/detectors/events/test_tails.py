"""Tails against scipy's distributions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.events import tails

COUNT = st.integers(1, 500)
MEAN = st.floats(0.01, 300.0)


@given(COUNT, MEAN)
def test_spread_one_is_poisson(count, mean):
    exact = max(stats.poisson.sf(count - 1, mean), 1e-300)
    assert tails.at_least(count, mean, 1.0) == pytest.approx(exact, rel=1e-6)


@given(COUNT, MEAN, st.floats(1.1, 50.0))
def test_no_tail_is_lighter_than_the_negative_binomial(count, mean, spread):
    size = mean / (spread - 1.0)
    exact = stats.nbinom.sf(count - 1, size, 1.0 / spread)
    found = tails.at_least(count, mean, spread)
    assert exact * (1 - 1e-6) <= found <= 1.0
    # What is common is hardly bent.
    if exact > 0.3:
        assert found == pytest.approx(exact, abs=0.05)


@given(MEAN, st.floats(1.0, 50.0))
def test_more_is_rarer(mean, spread):
    p = tails.at_least(np.arange(600), mean, spread)
    assert p[0] == 1.0
    assert np.all(np.diff(p) <= 0)


@given(st.integers(1, 400), st.floats(0.001, 0.9))
def test_shares_of_independent_trials_are_binomial(whole, share):
    part = np.arange(1, whole + 1)
    exact = np.maximum(stats.binom.sf(part - 1, whole, share), 1e-300)
    np.testing.assert_allclose(tails.share_at_least(part, whole, share, 1.0), exact, rtol=1e-5)


@given(MEAN, st.floats(1.0, 50.0))
def test_bounds_are_where_the_tail_is_as_rare(mean, spread):
    low, high = tails.bounds(1e-4, np.array([mean]), np.array([spread]))
    assert low[0] <= mean <= high[0]
    assert tails.at_least(high[0] * 1.001, mean, spread) <= 1e-4 * 1.001
    assert tails.at_least(high[0] * 0.99, mean, spread) > 1e-4 * 0.9
