"""Requests and limits: what they promise of the past, and what they cost."""

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.rightsizing import Usage, bins_of, chance_above, cpu_requests, memory_limits, rising
from detectors.rightsizing.memory import MARGINS

GIB = 1024.0**3


def usage_of(*values):
    who = np.repeat(np.arange(len(values)), [len(one) for one in values])
    told = np.concatenate(values)
    return Usage.of(who, bins_of(told), np.ones(len(told)), len(values)), np.array(
        [max(one, default=np.nan) for one in values]
    )


def test_what_is_cheap_is_covered_and_what_is_dear_is_not():
    random = np.random.default_rng(1)
    steady = random.normal(4.0, 0.02, 2000)
    bursty = np.where(random.uniform(size=2000) < 0.03, 40.0, 1.0)
    found = cpu_requests(*usage_of(steady, bursty), [3, 3], most=0.05, worth=10.0)
    assert found.above[0] < 0.005
    assert found.cores[0] == pytest.approx(4.05, rel=0.02)
    assert found.cores[1] == pytest.approx(1.0, rel=0.03)
    assert found.above[1] == pytest.approx(0.03, abs=0.01)


def test_never_more_above_than_allowed():
    random = np.random.default_rng(2)
    values = [random.lognormal(size=500) * 10.0**size for size in range(-3, 3)]
    for most in (0.0, 0.01, 0.2):
        found = cpu_requests(*usage_of(*values), np.ones(6), most=most, worth=0.0)
        assert np.all(found.above <= most + 1 / 500)
        assert np.all(found.above > most - 0.02)


def test_no_request_is_above_the_highest():
    values = [np.full(100, 0.2), np.array([])]
    found = cpu_requests(*usage_of(*values), [1, 1], most=0.05, worth=1e6)
    assert found.cores[0] == 0.2
    assert np.isnan(found.cores[1])


def test_a_margin_as_wide_as_days_differ():
    even, uneven = [1.0, 1.01, 1.0, 0.99, 1.0], [1.0, 0.6, 0.8, 0.5, 0.9]
    found = memory_limits(np.array([even, uneven]) * GIB, [1, 1], most=0.2, worth=0.0)
    assert found.bytes[0] / GIB / 1.01 < found.bytes[1] / GIB
    assert np.all(found.chance <= 0.2)
    assert np.all(found.bytes >= np.array([1.01, 1.0]) * GIB * 1.08)


def test_a_wider_margin_where_memory_is_cheap():
    peaks = np.array([[1.0, 0.9, 0.95], [100.0, 90.0, 95.0]]) * GIB
    found = memory_limits(peaks, [1, 1], most=0.5, worth=10 * GIB)
    margins = found.bytes / peaks[:, 0] - 1.0
    assert margins[0] > margins[1] >= MARGINS[0] - 1e-9
    assert found.chance[0] < found.chance[1]


def test_the_chance_is_about_what_comes():
    """Days of Gumbel's law, as it supposes: a fortnight after a fortnight."""
    random = np.random.default_rng(7)
    days = random.gumbel(1.0, 0.08, (4000, 28)) * GIB
    found = memory_limits(days[:, :14], np.ones(4000), most=0.2, worth=0.0)
    came = np.mean(days[:, 14:].max(axis=1) > found.bytes)
    assert came == pytest.approx(found.chance.mean(), abs=0.06)


def test_days_that_it_did_not_run_and_none_at_all():
    peaks = np.array([[np.nan, 1.0, np.nan, 1.1], [np.nan] * 4]) * GIB
    found = memory_limits(peaks, [1, 1], most=0.2, worth=0.0)
    assert found.bytes[0] > 1.1 * GIB
    assert np.isnan(found.bytes[1])
    assert np.isnan(found.chance[1])


def test_what_grows_and_grows():
    peaks = np.array(
        [
            [1.0, 1.1, 1.2, 1.3, 1.4],
            [1.0, 1.1, 1.2, 1.3, 0.6],
            [1.0, 1.0, 1.01, 1.0, 1.01],
            [np.nan, 1.0, np.nan, 1.2, 1.4],
            [np.nan, np.nan, np.nan, 1.0, 2.0],
            [np.nan] * 5,
        ]
    )
    assert rising(peaks).tolist() == [True, False, False, True, False, False]
    assert rising(peaks[:, :2]).tolist() == [False] * 6


@pytest.mark.parametrize(("most", "worth"), [(1.0, 0.0), (-0.1, 0.0), (0.05, -1.0)])
def test_what_is_out_of_range_is_refused(most, worth):
    usage, peaks = usage_of([1.0])
    with pytest.raises(InvalidParameterError):
        cpu_requests(usage, peaks, [1], most=most, worth=worth)
    with pytest.raises(InvalidParameterError):
        memory_limits(peaks[:, None], [1], most=most + 1.0 if most > 0.5 else 0.0, worth=worth)


def test_the_chance_of_other_levels_is_that_of_limits():
    peaks = np.array([[100.0, 120.0, 110.0], [100.0, 100.0, 100.0], [np.nan] * 3])
    found = memory_limits(peaks, np.ones(3), 0.2, 0.0)
    np.testing.assert_allclose(chance_above(peaks, found.bytes), found.chance)
    at_highest = chance_above(peaks, [120.0, 100.0, 100.0])
    np.testing.assert_allclose(at_highest[:2], 1.0 - np.exp(-1.0))
    assert np.isnan(at_highest[2])
    assert np.isnan(chance_above(peaks, [np.nan] * 3)).all()
    np.testing.assert_allclose(chance_above(peaks, [0.0, 0.0, 0.0])[:2], 1.0)
