"""A fault that comes back: the incident of before is named, and its change while that stands."""

import pytest

from orchestration.steps.incidents import lake_events
from orchestration.steps.incidents.report import markdown

HOURS = 60
AGAIN = 5 * HOURS
FLAG = "flag embedding-cache set to on"


@pytest.fixture
def leak(shop):
    """A change, and what it brought about for the first time; then a way to have it again."""
    shop.fill(
        {("eu", "cart", "cpu_cores"): (0, 30.0), ("us", "cart", "cpu_cores"): (0, 30.0)},
        until=AGAIN + 60,
    )
    change(shop, -10, FLAG)
    shop.flag("cart", 0, end=20, metric="cpu_cores")
    shop.flag("cart", 2, end=20)
    shop.update(now=60)
    return shop


def change(shop, minute, text, cluster="eu"):
    about = {"namespace": "shop", "attributes": {"workload": "cart"}}
    shop.tell(minute, "ConfigChanged", text, cluster, **about)


def come_back(shop, metrics=("cpu_cores", "http_errors"), cluster="eu", at=AGAIN):
    for number, metric in enumerate(metrics):
        shop.flag("cart", at + 2 * number, end=at + 20, metric=metric, cluster=cluster)
    shop.update(now=at + 60, since=at - 30)
    return shop.incidents()[-1]


def changes_of(row):
    evidence = row["causes"][0]["evidence"]
    return [one["reason"] for one in evidence if one["kind"] == "changes"]


def size_of(row):
    (size,) = [one["size"] for one in row["causes"][0]["evidence"] if one["kind"] == "changes"]
    return size


def test_what_comes_back_names_the_one_of_before_and_has_its_change(leak):
    (first,) = leak.incidents()
    row = come_back(leak)
    assert row["impact"]["again"] == first["incident_id"] != row["incident_id"]
    assert row["causes"][0]["entity"] == "shop/cart"
    short = first["incident_id"][:8]
    assert changes_of(row) == [f"{FLAG}, 310 min before (again: see {short})"]
    assert row["title"].endswith(f"after: {FLAG}")
    text = markdown(row | {"timeline": [], "feedback": []})
    assert f"Again: see `{first['incident_id']}`." in text
    # And once more: the change is told as it was, of the latest.
    third = come_back(leak, at=2 * AGAIN)
    short = row["incident_id"][:8]
    assert changes_of(third) == [f"{FLAG}, 610 min before (again: see {short})"]


def test_each_time_it_counts_half_of_what_it_did_the_first_time(leak):
    (first,) = leak.incidents()
    size = size_of(first)
    for number in range(1, 6):
        row = come_back(leak, at=number * AGAIN)
        assert size_of(row) == pytest.approx(size / 2, rel=1e-3)
        assert row["title"].endswith(f"after: {FLAG}")


def test_a_day_that_is_grouped_at_once_finds_it_too(leak):
    """Though the second is the worse one, the first is described before."""
    leak.lake.incidents.replace(leak.lake.incidents.spec.schema.empty_table(), "true")
    leak.flag("cart", AGAIN, end=AGAIN + 20, metric="cpu_cores", score=50.0)
    leak.update(now=AGAIN + 60)
    first, second = leak.incidents()
    assert second["impact"]["again"] == first["incident_id"]
    assert FLAG in changes_of(second)[0]


def test_a_change_that_was_undone_since_is_none(leak):
    (first,) = leak.incidents()
    change(leak, 100, "flag embedding-cache set to off")
    row = come_back(leak)
    assert row["impact"]["again"] == first["incident_id"]
    assert changes_of(row) == []


def test_nor_though_more_was_warned_of_since_than_is_read(leak, monkeypatch):
    monkeypatch.setattr(lake_events, "MOST_EVENTS", 5)
    change(leak, 100, "flag embedding-cache set to off")
    for minute in range(110, 120):
        leak.tell(minute, "BackOff", namespace="shop", name="x", type="Warning", source="kubelet")
    assert changes_of(come_back(leak)) == []


def test_the_same_change_told_again_undoes_nothing(leak):
    change(leak, 100, FLAG)
    assert FLAG in changes_of(come_back(leak))[0]


@pytest.mark.parametrize(
    "back",
    [
        {"cluster": "us"},  # who may see that cluster alone must not read of this one
        {"metrics": ("http_errors", "a", "b", "c")},  # it has more that is new than that is known
        {"metrics": ("a", "cpu_cores", "http_errors")},  # it begins with something else
        {"at": 8 * 24 * HOURS},  # too long ago
    ],
)
def test_what_is_no_more_than_somewhat_like_it_is_another(leak, back):
    row = come_back(leak, **back)
    assert row["impact"]["again"] is None
    assert changes_of(row) == []
