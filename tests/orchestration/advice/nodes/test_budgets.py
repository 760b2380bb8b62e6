"""Which pods a disruption budget is about, as far as that can be told."""

import pytest

from orchestration.steps.advice.nodes.budgets import Budget, cover

PODS = {("shop", "cart"): 3, ("shop", "web"): 2, ("shop", "db"): 2, ("data", "cart"): 3}


@pytest.mark.parametrize("name", ["cart", "cart-pdb", "pdb-cart", "cart-budget"])
def test_by_name(name):
    told = cover([Budget("shop", name, 0)], PODS)
    assert list(told.of) == [("shop", "cart")]
    assert told.guessed == ()


def test_by_the_number_of_pods_if_only_one_workload_has_it():
    assert list(cover([Budget("shop", "x", 0, 3)], PODS).of) == [("shop", "cart")]
    told = cover([Budget("shop", "x", 0, 2)], PODS)
    assert set(told.of) == {("shop", "cart"), ("shop", "web"), ("shop", "db")}
    assert [one.name for one in told.guessed] == ["x"]
    # What another is about by its name is not counted.
    told = cover([Budget("shop", "x", 0, 2), Budget("shop", "web-pdb", 1)], PODS)
    assert told.of["shop", "db"].name == "x"
    assert told.of["shop", "web"].name == "web-pdb"


def test_the_strictest_counts():
    told = cover([Budget("shop", "cart", 1), Budget("shop", "cart-pdb", 0)], PODS)
    assert told.of["shop", "cart"].name == "cart-pdb"
