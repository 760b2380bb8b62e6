import pytest

from detectors.causes import at_ends, unexplained


def test_what_callees_explain_is_theirs():
    calls = {"web": ["cart", "pay"], "pay": ["bank"], "bank": []}
    shares = unexplained({"web": 60.0, "cart": 1.0, "pay": 62.0, "bank": 61.0}, calls, "web")
    assert max(shares, key=shares.get) == "bank"
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_callee_that_is_hardly_called_is_not_the_cause():
    """Its own excess is the largest a call, and next to nothing in all."""
    calls = {"web": ["job", "pay"]}
    shares = unexplained({"web": 60.0, "job": 5.0, "pay": 58.0}, calls, "web")
    assert max(shares, key=shares.get) == "pay"


def test_what_is_odd_but_not_called_from_there_is_not_asked():
    shares = unexplained({"web": 5.0, "other": 100.0}, {"other": ["web"]}, "web")
    assert shares == {"web": 1.0}


def test_loops_end_and_nothing_is_nothing():
    calls = {"a": ["a", "b"], "b": ["a"]}
    assert set(unexplained({"a": 3.0, "b": 2.0}, calls, "a")) == {"a", "b"}
    assert unexplained({"a": 0.0}, calls, "a") == {}


def test_who_is_slow_with_everybody_is_to_blame():
    """The network of `checkout` is slow: with all four, who are slow with it alone."""
    slow = [("web", "checkout", 10.0, 2.0)]
    slow += [("checkout", one, 10.0, 2.0) for one in ("pay", "mail", "cart")]
    fine = [("web", one, 200.0, 0.0) for one in ("cart", "pay", "ads")]
    found = at_ends(slow + fine)
    assert max(found, key=found.get) == "checkout"
    assert found["checkout"] == pytest.approx(80.0)
    assert found["web"] < 2.0
    assert found["ads"] == 0.0
