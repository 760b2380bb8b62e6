"""Who departs from its siblings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Panel, find_intervals
from detectors.siblings import combined, joined, learn
from detectors.siblings.apart import apart

MINUTE = 60_000_000
DAY = 1440
RATE = 1e-5
NAN = np.float32(np.nan)


def fleet(n_clusters=5, days=2, seed=0, shifts=None, noise=0.05):
    """Trailing means of one workload: a daily rhythm, each cluster its own size and noise."""
    rng = np.random.default_rng(seed)
    minutes = np.arange(days * DAY)
    shifts = np.zeros(n_clusters) if shifts is None else np.asarray(shifts)
    hours = (minutes / 60 + shifts[:, None]) % 24
    rhythm = 0.3 + 0.7 * np.exp(-0.5 * ((hours - 14) / 3) ** 2)
    own = rng.normal(size=(n_clusters, days * DAY))
    keep = np.exp(-1 / 20)
    for at in range(1, own.shape[1]):
        own[:, at] = keep * own[:, at - 1] + np.sqrt(1 - keep**2) * own[:, at]
    size = 100.0 * 3.0 ** np.arange(n_clusters)
    return size[:, None] * rhythm * np.exp(noise * own)


def panel(values, first=0):
    values = np.asarray(values, np.float32)
    return Panel(values, first * MINUTE, MINUTE, np.arange(len(values)) + 10)


def bounds(values):
    return np.array([0, len(values)])


def judged(values, learned=DAY):
    values = np.asarray(values, np.float32)
    usual = learn(panel(values[:, :learned]), bounds(values), RATE)
    return usual.judge(panel(values[:, learned:], learned), bounds(values))[0]


def found(scores):
    own = find_intervals(scores, 5, 30)
    return list(zip(own.row.tolist(), own.start.tolist(), strict=True))


def test_a_clean_fleet_has_no_departures():
    for seed in range(5):
        assert found(judged(fleet(seed=seed))) == []


def test_a_common_peak_is_no_departure():
    values = fleet()
    values[:, DAY + 300 : DAY + 400] *= 3.0
    assert found(judged(values)) == []


def test_a_departure_within_the_clusters_own_range_is_found():
    values = fleet(noise=0.03)
    night = slice(DAY + 120, DAY + 200)
    values[2, night] *= 2.5
    assert values[2, night].max() < 0.9 * values[2, :DAY].max()
    ((row, start),) = found(judged(values))
    assert row == 2
    assert 120 <= start <= 125


def test_what_siblings_say_is_in_the_clusters_own_unit():
    values = fleet(noise=0.01)
    values[3, DAY + 600] *= 3.0
    scores = judged(values)
    truth = fleet(noise=0.0)[3, DAY + 600]
    assert scores.expected[3, 600] == pytest.approx(truth, rel=0.1)
    assert scores.lower[3, 600] < truth < scores.upper[3, 600] < values[3, DAY + 600]
    inside = (values[:, DAY:] > scores.lower) & (values[:, DAY:] < scores.upper)
    np.testing.assert_array_equal(inside, scores.score < 1.0)


def test_where_siblings_disagree_nobody_departs():
    values = fleet()
    values[2, DAY + 120 : DAY + 200] *= 2.5
    values[[0, 4], DAY + 120 : DAY + 200] *= np.array([[0.4], [3.0]])
    assert found(judged(values)) == []


def test_one_ill_sibling_in_four_hides_nobody():
    values = fleet()
    values[2, DAY + 120 : DAY + 200] *= 2.5
    values[0, DAY + 100 : DAY + 220] *= 0.2
    assert {row for row, _ in found(judged(values))} == {0, 2}


def test_half_of_four_is_no_majority():
    values = fleet(4)
    values[:2, DAY + 120 : DAY + 200] *= 2.5
    assert found(judged(values)) == []


def test_clusters_of_other_time_zones_are_compared_by_their_own_time_of_day():
    shifts = [0, 6, 12, 18, 3]
    for seed in range(5):
        assert found(judged(fleet(seed=seed, shifts=shifts))) == []
    values = fleet(shifts=shifts)
    values[1, DAY + 700 : DAY + 800] *= 2.5
    assert {row for row, _ in found(judged(values))} == {1}


def test_with_less_than_a_day_other_time_zones_are_usual_as_far_as_they_were_apart():
    values = fleet(shifts=[0, 6, 12, 18, 3])
    assert found(judged(values[:, : DAY + 600], learned=1200)) == []


def test_two_clusters_say_nothing():
    values = fleet(2)
    values[0, DAY:] *= 10.0
    assert np.isnan(judged(values).score).all()


def test_a_cluster_that_joined_lately_is_neither_judged_nor_a_judge():
    values = fleet(3)
    values[2, : DAY + 60] = np.nan
    scores = judged(values)
    assert np.isnan(scores.score).all()


def test_where_data_is_missing_there_is_no_score():
    values = fleet(4)
    values[1, DAY + 100 : DAY + 300] = np.nan
    values[:, DAY + 500 : DAY + 600] = np.nan
    scores = judged(values)
    assert np.isnan(scores.score[1, 100:300]).all()
    assert np.isnan(scores.score[:, 500:600]).all()
    assert np.isfinite(scores.score[0, 100:300]).all()
    assert found(scores) == []


def test_what_has_always_been_nothing_has_no_size_to_depart_by():
    values = np.zeros((3, 2 * DAY))
    values[0, DAY + 100 :] = 5.0
    assert np.isnan(judged(values).score).all()


def test_a_silent_constant_is_judged_by_the_least_departure():
    values = np.ones((3, 2 * DAY))
    values[0, DAY + 100 : DAY + 200] = 0.0
    values[1, DAY + 400 : DAY + 500] = 1.1
    assert found(judged(values)) == [(0, 100)]


def test_groups_and_columns_are_judged_each_alone():
    one, other = fleet(3, seed=1), fleet(4, seed=2)
    both = panel(np.concatenate([one, other])[:, :DAY])
    usual = learn(both, np.array([0, 3, 7]), RATE)
    alone = learn(panel(one[:, :DAY]), np.array([0, 3]), RATE)
    now = panel(one[:, DAY:], DAY)
    whole, _ = usual.judge(now, np.array([0, 3]))
    np.testing.assert_array_equal(whole.score, alone.judge(now, np.array([0, 3]))[0].score)
    part, _ = usual.judge(now.window((DAY + 50) * MINUTE, (DAY + 60) * MINUTE), np.array([0, 3]))
    np.testing.assert_array_equal(part.score, whole.score[:, 50:60])


def test_models_of_blocks_are_one_model():
    values = np.concatenate([fleet(3, seed=1), fleet(4, seed=2)])
    history, now = panel(values[:, :DAY]), panel(values[:, DAY:], DAY)
    cut = np.array([0, 3, 7])
    whole = learn(history, cut, RATE)
    parts = [
        learn(Panel(history.values[rows], 0, MINUTE, history.series_id[rows]), own, RATE)
        for rows, own in ((slice(3, 7), np.array([0, 4])), (slice(0, 3), np.array([0, 3])))
    ]
    for name in ("score", "p_value", "expected", "lower", "upper"):
        np.testing.assert_array_equal(
            getattr(joined(parts).judge(now, cut)[0], name),
            getattr(whole.judge(now, cut)[0], name),
        )


level = st.one_of(st.just(float("nan")), st.floats(-10, 10).map(lambda x: round(x, 1)))


@settings(max_examples=200, deadline=None)
@given(st.lists(level, min_size=1, max_size=12))
def test_the_others_are_the_others(levels):
    values = np.array(levels)[:, None]
    common, spread = np.empty_like(values), np.empty_like(values)
    apart(values, np.array([0, len(values)]), common, spread)
    for row in range(len(values)):
        others = np.delete(values[:, 0], row)
        others = others[~np.isnan(others)]
        if np.isnan(values[row, 0]) or len(others) < 2:
            assert np.isnan(common[row, 0])
            assert np.isnan(spread[row, 0])
            continue
        middle = np.median(others)
        away = np.sort(np.abs(others - middle))[::-1]
        assert common[row, 0] == pytest.approx(middle)
        assert spread[row, 0] == pytest.approx(away[len(others) // 4], abs=1e-9)


def test_counters_add_up_and_gauges_are_averaged():
    values = np.array([[1, 1, 1], [3, 3, NAN], [5, 5, 5], [7, 7, 7]], np.float32)
    row = np.array([0, 0, 1, 1])
    plain, _ = combined(values, row, np.array([True, False]))
    np.testing.assert_array_equal(plain, [[4, 4, 4], [6, 6, 6]])


def test_a_value_is_held_as_long_as_samples_were_apart_and_no_longer():
    values = np.full((1, 12), NAN)
    values[0, [0, 3, 6]] = [2, 4, 6]
    plain, _ = combined(values, np.array([0]), np.array([True]))
    np.testing.assert_array_equal(plain[0], [2, 2, NAN, 4, 4, 4, 6, 6, 6, 6, NAN, NAN])


def test_means_are_the_same_wherever_the_panel_begins():
    rng = np.random.default_rng(1)
    values = rng.lognormal(size=(6, 200)).astype(np.float32)
    values[rng.random(values.shape) < 0.3] = np.nan
    row, total = np.array([0, 0, 0, 1, 1, 2]), np.array([True, False, True])
    for whole, part in zip(
        combined(values, row, total), combined(values[:, 100:], row, total), strict=True
    ):
        np.testing.assert_array_equal(whole[:, 119:], part[:, 19:])
