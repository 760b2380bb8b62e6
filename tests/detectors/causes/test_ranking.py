import numpy as np
import pytest

from detectors.causes import ranked, rate_changes


def names(kinds):
    return [one.entity for one in ranked(kinds)]


def test_two_kinds_that_agree_beat_one_and_many_faint_ones_do_not_beat_a_strong_one():
    others = {f"x{n}": 1.0 for n in range(7)}
    kinds = {
        "logs": others | {"a": 8.0, "b": 8.0},
        "latency": others | {"b": 6.0},
        "calls": others | {"c": 1.5},
        "metrics": others | {"c": 2.0},
        "edges": others | {"c": 2.0},
    }
    assert names(kinds)[:3] == ["b", "a", "c"]


def test_where_half_the_fleet_deviates_deviating_says_little():
    spread = {f"x{n}": 40.0 for n in range(6)} | {"a": 50.0, "b": 0.0}
    calm = {f"x{n}": 1.0 for n in range(6)} | {"a": 1.0, "b": 9.0}
    assert names({"latency": spread, "logs": calm})[0] == "b"


def test_a_deviation_beyond_all_measure_counts_hardly_more_than_a_large_one():
    kinds = {"metrics": {"a": 1e9, "b": 30.0, "c": 1.0, "d": 1.0, "e": 1.0}}
    first, second, *_ = ranked(kinds)
    assert (first.entity, second.entity) == ("a", "b")
    assert first.score < 1.5 * second.score


def test_confidence_is_a_share_and_equals_are_in_order_of_name():
    found = ranked({"logs": {"b": 5.0, "a": 5.0, "c": 1.0, "d": 1.0, "e": 1.0}})
    assert [one.entity for one in found][:2] == ["a", "b"]
    assert sum(one.confidence for one in found) == pytest.approx(1.0)
    assert found[0].kinds[0][0] == "logs"
    assert ranked({}) == []
    assert ranked({"logs": {"a": 0.0}})[0].score == 0.0


def test_rates_that_scatter_widely_surprise_less():
    rng = np.random.default_rng(7)
    chances = np.full((2, 60), 100.0)
    steady = rng.binomial(100, 0.3, 60)
    bursty = rng.choice([0, 60], 60)
    counts = np.stack([steady, bursty]).astype(float)
    change = rate_changes(counts, chances, np.array([0.0, 0.0]), np.array([100.0, 100.0]))
    assert change[0] < -4.0
    assert -2.0 < change[1] < 0.0


def test_a_new_line_is_odd_by_how_often_it_comes():
    counts, chances = np.zeros((2, 30)), np.full((2, 30), 50.0)
    change = rate_changes(counts, chances, np.array([1.0, 25.0]), np.array([50.0, 50.0]))
    assert change[0] == pytest.approx(1.0, abs=0.1)
    assert change[1] > 20.0


def test_minutes_without_chances_and_short_baselines_say_nothing_of_scatter():
    counts, chances = np.array([[5.0, 0.0, 0.0]]), np.array([[10.0, 0.0, 0.0]])
    change = rate_changes(counts, chances, np.array([5.0]), np.array([10.0]), at_most_once=True)
    assert change == pytest.approx([0.0])
