"""Nodes are emptied only where every pod finds its place, and what is in the way is told."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.errors import InvalidParameterError
from detectors.packing import NOT_PLACED, Blocker, Fate, Nodes, Pods, Rules, empty

RULES = Rules((0.1, 0.1, 0.0, 0.0))
PLAIN = Rules((0.0,), spare=False)


@pytest.mark.parametrize("seed", range(0, 300, 50))
def test_every_plan_can_be_carried_out_under_all_constraints(by_chance, judge, seed):
    emptied = 0
    for one in range(seed, seed + 50):
        nodes, pods = by_chance(one)
        rules = replace(RULES, spare=one % 2 == 0)
        plan = empty(nodes, pods, rules)
        assert judge(nodes, pods, rules)(plan) == [], f"seed {one}"
        emptied += len(plan.drained)
    assert emptied > 20


def test_the_judge_sees_what_is_wrong(by_chance, judge):
    nodes, pods, plan = next(
        (nodes, pods, plan)
        for nodes, pods in map(by_chance, range(100))
        if len((plan := empty(nodes, pods, RULES)).pod) > 4
    )
    for broken in (
        replace(plan, pod=plan.pod[1:], target=plan.target[1:], step=plan.step[1:]),
        replace(plan, target=np.full_like(plan.target, plan.target[0])),
        replace(plan, target=np.full_like(plan.target, plan.drained[0])),
    ):
        assert judge(nodes, pods, RULES)(broken)


def test_a_pod_goes_where_there_is_most_already(cluster):
    nodes, pods = cluster([[10.0]] * 3, [[6.0], [4.0], [2.0]], [0, 1, 2])
    plan = empty(nodes, pods, PLAIN)
    assert plan.drained.tolist() == [2]
    assert plan.target.tolist() == [0]
    assert plan.blocker.tolist() == [Blocker.RECEIVES, Blocker.ROOM, Blocker.NONE]
    assert plan.used_before.tolist() == [[6.0], [4.0], [2.0]]
    assert plan.used_after.tolist() == [[8.0], [4.0], [0.0]]


def test_what_costs_more_is_emptied_first(cluster):
    worth = {"worth": [1.0, 1.0, 5.0]}
    nodes, pods = cluster([[10.0]] * 3, [[8.0], [2.0], [3.0]], [0, 1, 2], worth)
    plan = empty(nodes, pods, Rules((0.0,), spare=False, least=2))
    assert plan.drained.tolist() == [2]
    assert plan.target.tolist() == [1]


@pytest.mark.parametrize(
    ("fate", "blocker"),
    [(Fate.BARE, Blocker.BARE), (Fate.LOCAL, Blocker.LOCAL), (Fate.BUDGET, Blocker.BUDGET)],
)
def test_a_pod_that_must_not_go_keeps_its_node(cluster, fate, blocker):
    nodes, pods = cluster(
        [[10.0]] * 2, [[1.0], [1.0], [5.0]], [1, 1, 0], fate=[Fate.MOVES, fate, Fate.MOVES]
    )
    plan = empty(nodes, pods, PLAIN)
    assert plan.blocker[1] == blocker
    assert plan.blocking[1] == 1
    assert plan.drained.tolist() == [0]


def test_what_goes_with_its_node_needs_no_room(cluster):
    nodes, pods = cluster(
        [[10.0]] * 2, [[9.0], [8.0], [0.5]], [0, 1, 1], fate=[0, Fate.LEAVES, Fate.MOVES]
    )
    plan = empty(nodes, pods, PLAIN)
    assert plan.drained.tolist() == [1]
    assert plan.used_after.tolist() == [[9.5], [0.0]]


def test_a_pod_that_nothing_else_admits(cluster):
    nodes, pods = cluster(
        [[10.0]] * 2, [[1.0], [1.0]], [0, 1], rules=[0, 1], admits=[[True, True], [False, True]]
    )
    plan = empty(nodes, pods, PLAIN)
    assert plan.drained.tolist() == [0]
    nodes, pods = cluster([[10.0]] * 2, [[1.0], [1.0]], [0, 1], admits=np.eye(2)[:1])
    plan = empty(nodes, pods, Rules((0.0,), spare=False, least=2))
    assert plan.blocker.tolist() == [Blocker.LEAST] * 2
    nodes, pods = cluster([[10.0]] * 2, [[1.0], [1.0]], [0, 1], rules=[0, 1], admits=np.eye(2))
    plan = empty(nodes, pods, PLAIN)
    assert plan.blocker.tolist() == [Blocker.NOWHERE] * 2
    assert plan.blocking.tolist() == [0, 1]


def test_replicas_that_are_apart_stay_apart(cluster):
    nodes, pods = cluster([[10.0]] * 2, [[1.0], [1.0]], [0, 1], group=[0, 0])
    plan = empty(nodes, pods, PLAIN)
    assert plan.blocker.tolist() == [Blocker.SPREAD] * 2
    zones = {"zone": [0, 1, 1]}
    nodes, pods = cluster([[10.0]] * 3, [[1.0], [2.0], [9.5]], [0, 1, 2], zones, group=[0, 0, 1])
    assert empty(nodes, pods, PLAIN).drained.tolist() == []


def test_a_pod_with_a_volume_stays_in_its_zone(cluster):
    zones = {"zone": [0, 1, 1]}
    nodes, pods = cluster([[10.0]] * 3, [[1.0], [5.0], [2.0]], [0, 1, 2], zones, bound=[1, 0, 1])
    plan = empty(nodes, pods, PLAIN)
    assert plan.drained.tolist() == [2]
    assert plan.target.tolist() == [1]
    assert plan.blocker[0] == Blocker.NOWHERE


def test_the_resource_that_is_short_is_told(cluster):
    nodes, pods = cluster([[10.0, 10.0]] * 2, [[1.0, 6.0], [2.0, 6.0]], [0, 1])
    plan = empty(nodes, pods, Rules((0.0, 0.0), spare=False))
    assert plan.blocker.tolist() == [Blocker.ROOM] * 2
    assert plan.short.tolist() == [1, 1]
    assert plan.blocking.tolist() == [0, 1]


def test_headroom_stays_free(cluster):
    nodes, pods = cluster([[10.0]] * 2, [[6.0], [3.5]], [0, 1])
    assert len(empty(nodes, pods, Rules((0.0,), spare=False)).drained) == 1
    assert len(empty(nodes, pods, Rules((0.1,), spare=False)).drained) == 0


def test_another_node_may_fail_afterwards(cluster):
    # Any one of three may fail now; of two no more.
    nodes, pods = cluster([[10.0]] * 3, [[5.0], [5.0], [1.0]], [0, 1, 2])
    assert empty(nodes, pods, Rules((0.0,), spare=False)).drained.tolist() == [2]
    nodes, pods = cluster([[10.0]] * 3, [[6.0], [4.0], [1.0]], [0, 1, 2])
    plan = empty(nodes, pods, Rules((0.0,)))
    assert plan.drained.tolist() == []
    assert plan.blocker[2] == Blocker.SPARE
    # What would not find room now is nobody's reason to keep a node.
    nodes, pods = cluster([[20.0], [10.0], [10.0]], [[15.0], [2.0], [1.0]], [0, 1, 2])
    assert empty(nodes, pods, Rules((0.0,))).drained.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("fate", "emptied"),
    [
        # What does not come back when its node fails needs no room.
        (Fate.LEAVES, [3]),
        (Fate.BARE, [3]),
        (Fate.LOCAL, [3]),
        # What a budget protects comes back, as anything else.
        (Fate.BUDGET, []),
        (Fate.MOVES, []),
    ],
)
def test_what_comes_back_needs_room_when_its_node_fails(cluster, fate, emptied):
    # Seven find room on the fourth node alone.
    nodes, pods = cluster(
        [[10.0]] * 4, [[7.0], [4.0], [4.0], [3.0]], [0, 1, 2, 3],
        {"candidate": [False, False, False, True]}, fate=[fate, *[Fate.MOVES] * 3],
    )  # fmt: skip
    assert empty(nodes, pods, Rules((0.0,))).drained.tolist() == emptied


def test_nodes_fail_one_at_a_time_each_with_all_others_as_they_were(cluster):
    # Either of the full ones has its whole room on the reserve, not both; and what does not all
    # find a place was not put there by half.
    nodes, pods = cluster(
        [[10.0]] * 4, [[9.0], [9.0], [1.0], [0.5]], [0, 1, 3, 2],
        {"candidate": [False, False, True, False]},
    )  # fmt: skip
    assert empty(nodes, pods, Rules((0.0,))).drained.tolist() == [2]


def test_a_node_whose_pods_only_some_found_room_for_cannot_be_spared(cluster):
    # Without the third, the first's larger pod finds room and the smaller ones do not.
    nodes, pods = cluster(
        [[10.0]] * 3, [[5.0], [3.0], [2.0], [4.0], [1.0]], [0, 0, 0, 1, 2],
        {"candidate": [False, False, True]},
    )  # fmt: skip
    plan = empty(nodes, pods, Rules((0.0,)))
    assert plan.drained.tolist() == []
    assert plan.blocker[2] == Blocker.SPARE


def test_a_node_that_cannot_be_spared_does_not_keep_others(cluster):
    # The first two share a zone and hold volumes of it; of the other zone one is enough.
    nodes, pods = cluster(
        [[10.0]] * 5,
        [[1.0], [2.0], [3.0], [3.0], [3.0]],
        [0, 1, 2, 3, 4],
        {"zone": [0, 0, 1, 1, 1]},
        bound=[1, 1, 0, 0, 0],
    )
    plan = empty(nodes, pods, Rules((0.0,)))
    assert plan.blocker[0] == Blocker.SPARE
    assert plan.blocker[1] in (Blocker.SPARE, Blocker.RECEIVES)
    assert set(plan.drained.tolist()) & {2, 3, 4}


@pytest.mark.parametrize("seed", range(40))
def test_with_equal_pods_any_node_may_fail_that_could_before(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    counts = rng.integers(0, 11, n)
    nodes_of, where = np.full((n, 1), 10.0), np.repeat(np.arange(n), counts)

    def holds(left, there):
        return all(sum(10 - there[o] for o in left if o != at) >= there[at] for at in left)

    if not holds(range(n), counts):
        return
    nodes, pods = _plain(nodes_of, np.ones((len(where), 1)), where)
    plan = empty(nodes, pods, Rules((0.0,)))
    left = np.setdiff1d(np.arange(n), plan.drained)
    assert holds(left, plan.used_after[:, 0])
    # And one more could not have been spared: all pods need so many nodes, and one in reserve.
    needed = max(-(-len(where) // 10) + 1, 1)
    assert len(left) <= needed + 1


def _plain(allocatable, request, node):
    n, p = len(allocatable), len(node)
    nodes = Nodes(allocatable, np.ones(n, bool), np.ones(n, bool), np.zeros(n, int), np.ones(n))
    pods = Pods(
        request, node, np.zeros(p, np.int8), np.zeros(p, int), np.ones((1, n), bool),
        np.arange(p), np.zeros(p, bool),
    )  # fmt: skip
    return nodes, pods


@pytest.mark.parametrize("use", [0.2, 0.5, 0.7])
def test_few_nodes_more_than_any_packing_could_need(use):
    rng = np.random.default_rng(11)
    n, p = 200, 3_000
    request = np.stack([rng.gamma(2.0, 1.0, p), rng.gamma(2.0, 1.0, p), np.ones(p)], 1)
    request[:, :2] *= use * n * 16.0 / request[:, :2].sum(0)
    node = np.arange(p) % n
    allocatable = np.tile([16.0, 16.0, 110.0], (n, 1))
    plan = empty(*_plain(allocatable, request, node), Rules((0.1, 0.1, 0.0), spare=False))
    bound = (request.sum(0) / (allocatable[0] * [0.9, 0.9, 1.0])).max()
    assert n - len(plan.drained) <= 1.1 * bound + 1


def test_pods_that_wait_are_placed_before_anything_is_given_away(cluster):
    nodes, pods = cluster([[10.0]] * 2, [[5.0], [1.0], [4.5]], [0, 1, NOT_PLACED])
    plan = empty(nodes, pods, PLAIN)
    assert plan.waiting.tolist() == [0]
    assert plan.drained.tolist() == []
    nodes, pods = cluster([[10.0]] * 2, [[5.0], [1.0], [40.0]], [0, 1, NOT_PLACED])
    plan = empty(nodes, pods, PLAIN)
    assert plan.waiting.tolist() == [NOT_PLACED]
    assert plan.drained.tolist() == [1]


def test_closed_nodes_take_nothing_and_no_candidate_is_emptied(cluster):
    of_nodes = {"open_": [True, False, True], "candidate": [True, True, False]}
    nodes, pods = cluster([[10.0]] * 3, [[3.0], [1.0], [0.1]], [0, 1, 2], of_nodes)
    plan = empty(nodes, pods, PLAIN)
    assert plan.blocker[2] == Blocker.NOT_ASKED
    assert 1 not in plan.target.tolist()


def test_empty_and_awkward_clusters(cluster):
    nodes, pods = cluster(np.zeros((0, 1)), np.zeros((0, 1)), [])
    assert empty(nodes, pods, PLAIN).drained.tolist() == []
    nodes, pods = cluster([[10.0]] * 3, np.zeros((0, 1)), [])
    assert len(empty(nodes, pods, PLAIN).drained) == 2
    nodes, pods = cluster([[10.0]] * 2, [[25.0], [1.0]], [0, 1])
    assert empty(nodes, pods, PLAIN).drained.tolist() == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"request": np.ones((2, 2))}, "request"),
        ({"request": np.array([[np.nan], [1.0]])}, "request"),
        ({"request": np.array([[-1.0], [1.0]])}, "request"),
        ({"node": np.array([0, 2])}, "node"),
        ({"node": np.array([0, -2])}, "node"),
        ({"rules": np.array([0, 1])}, "rules"),
        ({"group": np.array([0, -1])}, "group"),
        ({"bound": np.zeros(3, bool)}, "bound"),
        ({"admits": np.ones((1, 3), bool)}, "admits"),
        ({"node": np.array([0, -1]), "fate": np.array([0, 1], np.int8)}, "fate"),
    ],
)
def test_what_does_not_fit_together_is_refused(cluster, change, name):
    nodes, pods = cluster([[10.0]] * 2, [[1.0], [1.0]], [0, 1])
    with pytest.raises(InvalidParameterError, match=name):
        empty(nodes, replace(pods, **change), PLAIN)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"allocatable": np.ones(2)}, "allocatable"),
        ({"allocatable": np.array([[1.0], [np.inf]])}, "allocatable"),
        ({"worth": np.array([1.0, 0.0])}, "worth"),
        ({"zone": np.zeros(3, int)}, "zone"),
    ],
)
def test_nodes_that_make_no_sense_are_refused(cluster, change, name):
    nodes, _ = cluster([[10.0]] * 2, [[1.0]], [0])
    with pytest.raises(InvalidParameterError, match=name):
        replace(nodes, **change)


@pytest.mark.parametrize("arguments", [{"headroom": (1.0,)}, {"headroom": (0.1,), "least": 0}])
def test_rules_that_make_no_sense_are_refused(arguments):
    with pytest.raises(InvalidParameterError):
        Rules(**arguments)


def test_a_headroom_for_each_resource(cluster):
    nodes, pods = cluster([[10.0]] * 2, [[1.0], [1.0]], [0, 1])
    with pytest.raises(InvalidParameterError, match="headroom"):
        empty(nodes, pods, RULES)
