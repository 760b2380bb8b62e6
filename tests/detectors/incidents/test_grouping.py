"""Grouping against the rules in their plainest form, pair by pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import SEVERITIES, Mentions, Near, group, severity

NEAR = Near(gap=30, onset=15, same=5)


def grouped(start, end, mentions, near=NEAR):
    anomaly, key, owned = zip(*mentions, strict=True) if mentions else ((), (), ())
    of = Mentions(np.array(anomaly, np.int64), np.array(key, np.int64), np.array(owned, bool))
    return group(np.array(start, np.int64), np.array(end, np.int64), of, near).tolist()


def test_what_owns_the_same_is_one_while_it_goes_on():
    owned = [(0, 7, True), (1, 7, True), (2, 7, True)]
    assert grouped([0, 500, 700], [600, 510, 710], owned) == [0, 0, 2]


def test_the_longest_so_far_counts_and_not_the_last():
    owned = [(0, 7, True), (1, 7, True), (2, 7, True)]
    assert grouped([0, 10, 990], [1000, 20, 995], owned) == [0, 0, 0]


@pytest.mark.parametrize(("later", "same"), [(15, True), (16, False)])
@pytest.mark.parametrize("owner_first", [True, False])
def test_a_neighbour_belongs_to_it_if_they_began_together(later, same, owner_first):
    mentions = [(0, 7, owner_first), (1, 7, not owner_first)]
    # Both go on for long: only their begins count.
    assert (grouped([0, later], [900, 900], mentions) == [0, 0]) == same


@pytest.mark.parametrize(("later", "same"), [(5, True), (6, False)])
def test_two_neighbours_of_the_same_are_one_if_they_began_at_one_moment(later, same):
    mentions = [(0, 7, False), (1, 7, False)]
    assert (grouped([0, later], [900, 900], mentions) == [0, 0]) == same


def test_neighbours_that_begin_now_and_then_are_no_chain():
    start = [0, 4, 8, 12, 16]
    mentions = [(place, 7, False) for place in range(5)]
    assert grouped(start, [one + 2 for one in start], mentions) == [0, 0, 2, 2, 4]


def test_what_has_nothing_in_common_stays_apart():
    assert grouped([0, 0], [10, 10], [(0, 1, True), (1, 2, True)]) == [0, 1]


def test_a_chain_is_one_incident():
    mentions = [(0, 1, True), (1, 1, False), (1, 2, True), (2, 2, False)]
    assert grouped([0, 10, 20], [100, 100, 100], mentions) == [0, 0, 0]


def test_without_anomalies_there_are_no_groups():
    assert grouped([], [], []) == []


anomalies = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.integers(1, 40),
        st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=3),
    ),
    max_size=12,
)


def by_pairs(start, end, mentions):
    """The transitive closure of what is near; of touchers that follow one another, each pair."""
    parent = list(range(len(start)))

    def root(one):
        return one if parent[one] == one else root(parent[one])

    for one, key, mine in mentions:
        for other, same_key, theirs in mentions:
            if key != same_key:
                continue
            first, second = sorted((one, other), key=lambda each: (start[each], each))
            apart = start[second] - start[first]
            if mine and theirs:
                near = start[second] <= end[first] + NEAR.gap
            else:
                near = apart <= (NEAR.onset if mine or theirs else NEAR.same)
            if near:
                low, high = sorted((root(one), root(other)))
                parent[high] = low
    return [root(one) for one in range(len(start))]


@given(anomalies)
def test_nothing_is_grouped_that_no_rule_joins_and_owners_always_are(many):
    start = [one[0] for one in many]
    end = [one[0] + one[1] for one in many]
    mentions = [(place, key, mine) for place, one in enumerate(many) for key, mine in one[2]]
    found, plain = grouped(start, end, mentions), by_pairs(start, end, mentions)
    for one in range(len(many)):
        for other in range(len(many)):
            if found[one] == found[other]:
                assert plain[one] == plain[other]
    owned = [mention for mention in mentions if mention[2]]
    alone = by_pairs(start, end, owned)
    for one in range(len(many)):
        assert found[one] == found[alone[one]]


@given(anomalies, st.randoms())
def test_the_order_of_mentions_does_not_matter(many, random):
    start = [one[0] for one in many]
    end = [one[0] + one[1] for one in many]
    mentions = [(place, key, mine) for place, one in enumerate(many) for key, mine in one[2]]
    shuffled = list(mentions)
    random.shuffle(shuffled)
    assert grouped(start, end, mentions) == grouped(start, end, shuffled)


def test_severity_grows_with_each_of_what_it_weighs():
    plain = {"entities": 2, "clusters": 1, "peak": 2.0, "minutes": 30.0, "users_see": False}
    rank = SEVERITIES.index
    usual = rank(severity(**plain))
    for more in ({"entities": 64}, {"clusters": 32}, {"peak": 30.0}, {"minutes": 900.0}):
        assert rank(severity(**plain | more)) < usual
    assert rank(severity(**plain | {"entities": 3, "users_see": True})) < usual


def test_a_score_beyond_measure_makes_no_emergency():
    lone = {"entities": 1, "clusters": 1, "minutes": 1.0, "users_see": False}
    assert severity(peak=1e9, **lone) == severity(peak=32.0, **lone) != "critical"
