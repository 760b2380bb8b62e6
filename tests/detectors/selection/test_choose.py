import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.selection import KINDS, Judged, choose, confirm, kind_means, regret
from detectors.selection.choose import MARGIN

SERIES, ROUNDS = 8, 2


def judged(
    vus,
    *,
    recall=None,
    false=None,
    alarmed=None,
    seconds=None,
    noise=0.0,
    series=SERIES,
    seed=0,
):
    """Candidates a, b, … with these mean VUS-PR: each a number, or one by kind."""
    rng = np.random.default_rng(seed)
    names = "abcdef"[: len(vus)]
    shape = (len(vus), len(KINDS), series, ROUNDS)
    figures = np.empty(shape)
    for place, mean in enumerate(vus):
        figures[place] = np.broadcast_to(np.asarray(mean, float).reshape(-1, 1, 1), shape[1:])
    figures += noise * rng.normal(size=shape)
    found = np.zeros(shape)
    for place, share in enumerate(recall or [0.5] * len(vus)):
        found[place] = share
    return Judged(
        tuple(names),
        KINDS,
        figures,
        found,
        np.array(false or [0] * len(vus)),
        np.array(alarmed or [0] * len(vus)),
        days=4.0,
        seconds=np.array(seconds or [1.0] * len(vus)),
        values=1000,
    )


def test_takes_the_better_one():
    choice = choose(judged([0.4, 0.6, 0.5], noise=0.05), "a")
    assert (choice.chosen, choice.runner_up) == ("b", "c")
    assert choice.gain[0] < choice.gain[1] < choice.gain[2]
    assert choice.gain[1] == pytest.approx(0.2, abs=0.03)


def test_keeps_the_incumbent_within_noise():
    """A greater mean that rests on one series of eight: another draw could turn it round."""
    found = judged([0.40, 0.39])
    found.vus[1, :, 0] = 1.0
    means = kind_means(found.vus).mean(axis=1)
    assert means[1] - means[0] > MARGIN
    choice = choose(found, "a")
    assert choice.chosen == "a"
    assert "not better beyond noise" in choice.reason
    steady = choose(judged([0.40, 0.46]), "a")
    assert steady.chosen == "b", "the same gain in each is enough"


def test_keeps_the_incumbent_where_the_gain_is_not_worth_it():
    """However sure it is: not to change costs no more than a choice may cost at all."""
    just_below, just_above = (
        choose(judged([0.40, 0.40 + MARGIN + by]), "a") for by in (-0.001, 0.001)
    )
    assert (just_below.chosen, just_above.chosen) == ("a", "b")
    assert "less than 0.05" in just_below.reason


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"false": [1, 2]}, "more false alarms"),
        ({"false": [1, 1], "alarmed": [9, 10]}, "more false alarms"),
        ({"recall": [0.6, 0.6 - MARGIN - 0.001]}, "fewer at its threshold"),
    ],
)
def test_what_ranks_better_but_alarms_worse_is_not_taken(more, why):
    choice = choose(judged([0.4, 0.6], **more), "a")
    assert choice.chosen == "a"
    assert why in choice.reason


def test_a_fault_in_a_hundred_that_is_not_told_is_noise():
    assert choose(judged([0.4, 0.6], recall=[0.04, 0.01]), "a").chosen == "b"


def test_no_kind_of_fault_is_given_up():
    for spikes, chosen in ((0.4 - MARGIN - 0.001, "a"), (0.4 - MARGIN + 0.001, "b")):
        better = [0.7] * len(KINDS)
        better[KINDS.index("spike")] = spikes
        choice = choose(judged([0.4, better]), "a")
        assert choice.chosen == chosen
        assert ("loses a kind" in choice.reason) == (chosen == "a")


def test_what_costs_half_and_is_as_good_goes_first():
    assert choose(judged([0.4, 0.601, 0.6], seconds=[1, 9, 2], noise=0.05), "a").chosen == "c"
    assert choose(judged([0.4, 0.601, 0.6], seconds=[1, 9, 7], noise=0.05), "a").chosen == "b"
    assert choose(judged([0.4, 0.7, 0.5], seconds=[1, 9, 2]), "a").chosen == "b"


def test_few_faults_prove_nothing():
    few = judged([0.2, 0.9], series=1)
    few.vus[:, 1:] = np.nan
    choice = choose(few, "a")
    assert choice.chosen == "a"
    assert "too few" in choice.reason


def test_a_family_of_one_series_can_be_chosen_for():
    assert choose(judged([0.4, 0.6], series=1, noise=0.02), "a").chosen == "b"


def test_a_nominee_is_confirmed_by_what_it_was_not_picked_on():
    nominated = choose(judged([0.4, 0.8, 0.9]), "a")
    assert nominated.chosen == "c"
    confirmed = confirm(nominated, judged([0.4, 0.2, 0.5]), seed=1)
    assert (confirmed.chosen, confirmed.runner_up) == ("c", "b")
    assert confirmed.gain[1] == pytest.approx(0.1), "what it gains where it was not picked"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"vus": [0.4, 0.3]}, "is not better"),
        ({"vus": [0.4, 0.44]}, "by less than 0.05"),
        ({"vus": [0.4, 0.6], "false": [0, 1]}, "more false alarms"),
        ({"vus": [0.4, 0.6], "recall": [0.6, 0.2]}, "fewer at its threshold"),
    ],
)
def test_a_nominee_that_is_not_confirmed_leaves_the_incumbent(more, why):
    """Nor is the next best tried: who tries often enough passes by luck."""
    nominated = choose(judged([0.4, 0.8, 0.7]), "a")
    assert nominated.changes
    unseen = judged([*more.pop("vus"), 0.9], **{name: [*of, of[0]] for name, of in more.items()})
    left = confirm(nominated, unseen)
    assert (left.chosen, left.runner_up, left.changes) == ("a", "b", False)
    assert why in left.reason
    assert "b was better at first" in left.reason


def test_who_keeps_the_incumbent_needs_no_confirmation():
    kept = choose(judged([0.6, 0.4]), "a")
    assert confirm(kept, judged([0.1, 0.9])) is kept


def test_noise_alone_dethrones_nobody():
    """Six candidates that are equally good, a hundred histories: the best of them looks better."""
    taken = 0
    for seed in range(100):
        parts = [
            judged([0.5] * 6, noise=0.3, series=4, seed=2 * seed + part, recall=[0.5] * 6)
            for part in (0, 1)
        ]
        taken += confirm(choose(parts[0], "a"), parts[1]).changes
    assert taken == 0


def test_regret_is_what_the_best_in_hindsight_has_more():
    spiky = [0.5] * len(KINDS)
    spiky[KINDS.index("spike")] = 0.9
    found = regret(judged([0.6, 0.5, spiky]), "a")
    assert found.best == "a"
    assert found.overall == 0.0
    assert found.by_kind["spike"] == pytest.approx(0.3)
    assert found.by_kind["ramp"] == 0.0
    assert regret(judged([0.6, 0.5]), "b").overall == pytest.approx(0.1)


def test_regret_is_told_of_those_that_are_no_louder_too():
    found = regret(judged([0.5, 0.9, 0.6], false=[1, 2, 1]), "a")
    assert (found.best, found.overall) == ("b", pytest.approx(0.4))
    assert found.quiet == pytest.approx(0.1)


def test_kinds_that_could_not_be_put_in_count_for_nothing():
    found = judged([0.4, 0.6])
    found.vus[:, KINDS.index("period")] = np.nan
    assert choose(found, "a").chosen == "b"
    assert "period" not in regret(found, "a").by_kind


def test_refuses_an_incumbent_that_was_not_judged():
    with pytest.raises(InvalidParameterError, match="incumbent"):
        choose(judged([0.4, 0.6]), "z")
