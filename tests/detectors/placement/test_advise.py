"""Which pool, what is said of it, and whether a later hour would do."""

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.placement import Chances, Dataset, Job, Refusal, advise

NOON = 480_012.0  # hours since 1970
CHEAP_NIGHT = np.where((np.arange(24) >= 22) | (np.arange(24) < 6), 1.0, 3.0)


def names(advice):
    return [place.pool.name[0] for place in advice.places]


def test_the_pool_whose_jobs_are_nearly_done_is_better_than_the_less_loaded(make_pool):
    """The rival's mistake: three quarters in use for long are worse than full for minutes."""
    long = make_pool("long", running=[6], elapsed=[0.0])
    soon = make_pool("soon", running=[8], elapsed=[1.9])
    advice = advise([long, soon], Job(gpus=4, hours=1.0), NOON)
    assert names(advice) == ["soon", "long"]
    first, second = advice.places
    assert first.wait[2] < 0.2
    assert second.wait[0] > 1.5
    assert second.at_once == 0.0


def test_a_free_pool_starts_at_once_and_a_queue_in_front_costs(make_pool):
    free, queued = make_pool("free"), make_pool("queued", running=[8], elapsed=[1.0], waiting=3)
    advice = advise([queued, free], Job(gpus=8, hours=1.0), NOON)
    assert names(advice) == ["free", "queued"]
    assert advice.places[0].wait == (0.0, 0.0, 0.0)
    # An hour for those that run, then two at a time of three that run for two hours each.
    assert advice.places[1].wait[1] == pytest.approx(5.0, abs=0.5)


def test_those_that_will_come_matter_to_a_later_hour_alone(make_pool, make_habits):
    busy = make_pool("busy", habits=make_habits(hours=3.0, rate=1.5, size=(8.0,)))
    advice = advise([busy], Job(gpus=8, hours=1.0, deadline=70.0), NOON)
    assert advice.places[0].wait[2] == 0.0
    assert advice.places[0].free[1][0] <= 8.0
    assert advice.places[0].free[1][12] == 0.0
    assert advice.later is None


def test_a_cached_data_set_outweighs_a_short_queue(make_pool):
    data = {"clicks": Dataset(size=7.2e12, cached=0.0, bandwidth=1e9)}
    cached = {"clicks": Dataset(size=7.2e12, cached=7.2e12, bandwidth=1e9)}
    far = make_pool("far", datasets=data)
    near = make_pool("near", running=[8], elapsed=[1.5], datasets=cached)
    with_data = advise([far, near], Job(gpus=4, hours=1.0, dataset="clicks"), NOON)
    assert names(with_data) == ["near", "far"]
    assert [place.transfer for place in with_data.places] == [0.0, 2.0]
    assert names(advise([far, near], Job(gpus=4, hours=1.0), NOON)) == ["far", "near"]
    unknown = advise([far], Job(gpus=4, hours=1.0, dataset="other"), NOON).places[0]
    assert np.isnan(unknown.transfer)


def test_the_chance_of_a_deadline(make_pool):
    free = make_pool()
    chance = [
        advise([free], Job(gpus=1, hours=4.0, deadline=deadline), NOON).places[0].in_time
        for deadline in (2.0, 4.0, 8.0)
    ]
    assert chance[0] < 0.05
    assert 0.35 < chance[1] < 0.65
    assert chance[2] > 0.95
    assert np.isnan(advise([free], Job(gpus=1, hours=4.0), NOON).places[0].in_time)


@pytest.mark.parametrize(
    ("more", "job", "why"),
    [
        ({"capacity": 4}, Job(8, 1.0), Refusal.TOO_FEW_GPUS),
        ({"capacity": np.nan}, Job(8, 1.0), Refusal.UNKNOWN_CAPACITY),
        ({"known": False}, Job(8, 1.0), Refusal.UNKNOWN_STATE),
        ({"waiting": 1001}, Job(8, 1.0), Refusal.LONG_QUEUE),
        ({"running": [1] * 1001, "elapsed": [1.0] * 1001}, Job(1, 1.0), Refusal.MANY_RUNNING),
        ({"memory": 40e9}, Job(8, 1.0, memory=70e9), Refusal.TOO_LITTLE_MEMORY),
        ({}, Job(8, 1.0, memory=70e9), Refusal.UNKNOWN_MEMORY),
    ],
)
def test_a_pool_that_never_holds_it_says_why(make_pool, more, job, why):
    advice = advise([make_pool(**more)], job, NOON)
    assert not advice.places
    assert [reason for _, reason in advice.refused] == [why]
    assert advice.later is None


def test_where_no_job_was_seen_to_end_only_free_gpus_are_sure(make_pool, make_habits):
    young = make_habits(ended=3)
    full = make_pool("full", running=[8], elapsed=[1.0], habits=young)
    free = make_pool("free", running=[2], elapsed=[1.0], habits=young)
    advice = advise([full, free], Job(4, 1.0), NOON)
    assert names(advice) == ["free"]
    assert advice.refused == [(full, Refusal.SHORT_HISTORY)]


def test_at_night_where_it_is_cheaper_and_in_time_all_the_same(make_pool):
    pool = make_pool(price=CHEAP_NIGHT)
    advice = advise([pool], Job(gpus=4, hours=2.0, deadline=24.0), NOON)
    assert NOON % 24 == 12.0
    assert advice.later.hours == 10.0  # 22:00
    assert advice.later.in_time > 0.98
    assert advice.places[0].cost == pytest.approx(4 * 2 * 3.0, rel=0.1)
    assert advice.later.cost == pytest.approx(4 * 2 * 1.0, rel=0.1)
    assert advice.later.saving == pytest.approx(advice.places[0].cost - advice.later.cost)
    assert advise([pool], Job(gpus=4, hours=2.0, deadline=11.0), NOON).later is None
    assert advise([pool], Job(gpus=4, hours=2.0), NOON).later is None


def test_a_cheaper_pool_now_is_no_later_hour(make_pool):
    fast = make_pool("fast", price=np.full(24, 3.0))
    slow = make_pool("slow", running=[8], elapsed=[1.0], price=np.full(24, 1.0))
    advice = advise([fast, slow], Job(gpus=4, hours=1.0, deadline=30.0), NOON)
    assert names(advice) == ["fast", "slow"]
    assert advice.later.pool.name[0] == "slow"
    assert advice.later.hours >= 1.0


def test_what_has_run_for_long_is_of_those_that_run_long(make_pool, make_habits):
    """Half of the jobs take an hour, half ten: after two hours it is one of ten."""
    mixed = make_habits()
    mixed.length[-1], mixed.weight[-1] = np.array([1.0, 10.0]), np.array([0.5, 0.5])
    fresh = make_pool("fresh", running=[8], elapsed=[0.0], habits=mixed)
    old = make_pool("old", running=[8], elapsed=[2.0], habits=mixed)
    advice = advise([fresh, old], Job(gpus=8, hours=1.0), NOON)
    assert names(advice) == ["fresh", "old"]
    assert advice.places[0].wait[0] == pytest.approx(1.0, rel=0.3)
    assert advice.places[0].wait[2] == pytest.approx(10.0, rel=0.3)
    assert advice.places[1].wait[0] == pytest.approx(7.0, rel=0.3)


def test_without_prices_a_later_hour_is_one_that_finds_free_gpus(make_pool):
    full = make_pool(running=[8], elapsed=[0.5])
    advice = advise([full], Job(gpus=4, hours=1.0, deadline=23.0), NOON)
    assert advice.places[0].at_once == 0.0
    assert advice.later.hours == 2.0
    assert advice.later.at_once > 0.9
    assert np.isnan(advice.later.cost)


def test_the_same_question_has_the_same_answer_and_order_does_not_matter(make_pool, make_habits):
    pools = [
        make_pool(name, running=[4, 2], elapsed=[0.3, 1.0], waiting=2, waiting_gpus=6.0,
                  habits=make_habits(hours=3.0, rate=0.5, size=(1.0, 2.0, 4.0)))
        for name in "abc"
    ]  # fmt: skip
    job = Job(gpus=4, hours=2.0, deadline=20.0)
    one, other = advise(pools, job, NOON), advise(pools[::-1], job, NOON)
    assert names(one) == names(other)
    assert [place.wait for place in one.places] == [place.wait for place in other.places]
    assert advise(pools, job, NOON, Chances(seed=8)).places[0].mean_wait != one.places[0].mean_wait


def test_a_larger_gang_never_waits_less_on_the_whole(make_pool, make_habits):
    pool = make_pool(
        running=[4, 2, 1], elapsed=[0.3, 1.0, 0.1], waiting=2,
        habits=make_habits(hours=3.0, rate=0.5, size=(1.0, 2.0, 4.0)),
    )  # fmt: skip
    waits = [advise([pool], Job(gpus, 1.0), NOON).places[0].mean_wait for gpus in (1, 2, 4, 8)]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


@pytest.mark.parametrize(
    "bad",
    [{"gpus": 0}, {"gpus": -1}, {"hours": 0.0}, {"hours": np.inf}, {"memory": -1.0},
     {"deadline": 0.0}, {"deadline": -3.0}, {"deadline": np.nan}],
)  # fmt: skip
def test_impossible_jobs_are_refused(bad):
    with pytest.raises(InvalidParameterError):
        Job(**({"gpus": 1, "hours": 1.0} | bad))
