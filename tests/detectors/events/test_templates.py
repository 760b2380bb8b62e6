"""Templates of lines: made up, and of real applications where they are at hand."""

from detectors.events import Templates

HISTORY = [
    "payment of order <*> failed: card declined",
    "payment of order <*> failed: limit reached",
    "connection to postgres refused",
    "cache miss for key <*>",
]


def test_the_same_lines_give_the_same_templates_in_any_order():
    one, other = Templates(HISTORY), Templates(HISTORY[::-1])
    assert [one.of(text) for text in HISTORY] == [other.of(text) for text in HISTORY]
    assert not one.new


def test_opposites_are_two_templates():
    seen = Templates(["connection reset by peer", "connection refused by peer"])
    assert seen.of("connection reset") != seen.of("connection refused")


def test_a_name_stays_whatever_comes_later():
    seen = Templates(HISTORY)
    name = seen.of("connection to postgres refused")
    new = seen.of("deadlock found when trying to lock row of table orders")
    for table in ("carts", "users", "items"):
        assert seen.of(f"deadlock found when trying to lock row of table {table}") == new
    assert seen.of("connection to postgres refused") == name
    assert seen.new == {new}


def test_a_line_is_cut():
    assert len(Templates([]).of(" ".join(f"w{chr(97 + i % 26)}" for i in range(500))).split()) == 40


def test_an_empty_line_is_a_template():
    assert Templates([""]).of("") == ""
