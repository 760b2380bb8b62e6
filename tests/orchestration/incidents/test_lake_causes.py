"""What caused an incident, by the lake: the culprit first, its change named, or nobody at all."""

from datetime import datetime, timedelta

import pytest

from orchestration.steps.incidents.lake_causes import NOTHING_STANDS_OUT


def first_of(shop):
    (row,) = shop.incidents()
    return row["causes"][0]


def test_what_was_called_and_changed_comes_before_those_that_call_it(shop):
    shop.fill(
        {
            ("eu", "db", "cpu_cores"): (0, 60.0),
            ("eu", "cart", "http_errors"): (2, 9.0),
            ("eu", "web", "http_errors"): (4, 9.0),
        }
    )
    shop.tell(
        -3,
        "ConfigurationChanged",
        "max connections of db set to 5",
        namespace="shop",
        attributes={"workload": "db"},
    )
    shop.flag("db", 0, metric="cpu_cores")
    shop.flag("cart", 2)
    shop.flag("web", 4)
    shop.update()
    cause = first_of(shop)
    assert cause["entity"] == "shop/db"
    assert "max connections of db set to 5, 3 min before" in cause["reason"]
    kinds = {one["kind"]: one for one in cause["evidence"]}
    assert {"metrics", "changes", "flagged", "onset", "upstream"} <= set(kinds)
    assert kinds["metrics"]["actual"] > 50 > kinds["metrics"]["expected"]
    assert shop.incidents()[0]["title"].endswith("after: max connections of db set to 5")


def test_a_noisy_neighbour_is_found_though_nothing_of_it_was_flagged(shop):
    shop.fill({("eu", "web", "cpu_cores"): (0, 80.0), ("eu", "cart", "http_errors"): (1, 4.0)})
    shop.tell(
        -1, "ConfigChanged", "workers set to 99", namespace="shop", attributes={"workload": "web"}
    )
    shop.flag("cart", 1)
    # Their node is what they have in common.
    shop.flag(
        "node",
        1,
        metric="node_load1",
        workload=None,
        series_id=None,
        pod=None,
        node="n1",
        namespace=None,
    )
    shop.update(calls=())
    assert first_of(shop)["entity"] == "shop/web"


def test_chance_is_no_cause(shop):
    shop.fill()
    shop.flag("cart", 0, score=1.05)
    shop.update()
    (row,) = shop.incidents()
    assert row["abstained"] == NOTHING_STANDS_OUT
    assert "after:" not in row["title"]


@pytest.mark.parametrize(
    ("changed", "score", "minutes_before", "named"),
    [
        ("cart", 3.0, 90, True),
        ("cart", 1.2, 90, False),  # hardly beyond its threshold
        ("web", 3.0, 90, False),  # another was changed
        ("cart", 3.0, 150, False),  # too long ago
        (None, 3.0, 0, False),
    ],
)
def test_what_is_clearly_odd_soon_after_it_was_changed_is_no_chance(
    shop, changed, score, minutes_before, named
):
    """A leak begins an hour before it is flagged, and is not far off then."""
    shop.fill()
    if changed:
        about = {"namespace": "shop", "attributes": {"workload": changed}}
        shop.tell(-minutes_before, "ConfigChanged", f"flag cache of {changed} set to on", **about)
    shop.flag("cart", 0, score=score)
    shop.update(calls=())
    (row,) = shop.incidents()
    assert (row["abstained"] is None) == named
    assert row["title"].endswith("after: flag cache of cart set to on") == named


def test_a_change_after_it_began_is_not_its_cause(shop):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    shop.tell(10, "Deployed", "cart rolled back", namespace="shop", attributes={"workload": "cart"})
    shop.flag("cart", 0, end=60)
    shop.update()
    assert "changes" not in {one["kind"] for one in first_of(shop)["evidence"]}


def test_the_same_change_that_does_no_harm_elsewhere_speaks_against_it(shop):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    image = "(revision {}, image registry.example/shop/cart:2.0)"
    for cluster, minute, revision in (("eu", -1, 27), ("us", -300, 14)):
        shop.tell(
            minute,
            "ScalingReplicaSet",
            f"Scaled up replica set cart-{revision} from 0 to 1 " + image.format(revision),
            cluster,
            source="kubernetes",
            kind="Deployment",
            namespace="shop",
            name="cart",
        )
    shop.flag("cart", 0)
    shop.update()
    cause = first_of(shop)
    assert "rollout of cart:2.0" in cause["reason"]
    assert cause["against"] == ["the same change does no harm in another cluster"]


def test_where_it_does_harm_it_does_not(shop):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    for cluster, minute in (("eu", -1), ("us", -300)):
        shop.tell(
            minute,
            "Deployed",
            "cart 2.0",
            cluster,
            namespace="shop",
            attributes={"workload": "cart"},
        )
    shop.flag("cart", -290, end=-250, cluster="us")
    shop.flag("cart", 0)
    shop.update()
    assert first_of(shop)["against"] == []


def test_warnings_count_where_there_were_none_before(shop):
    shop.fill()
    for minute in (-90, -60, -30, 1, 2):
        shop.tell(
            minute,
            "Unhealthy",
            f"probe {minute}",
            source="kubernetes",
            type="Warning",
            kind="Pod",
            namespace="shop",
            name="cart-7c9d8f6b54-x2v9k",
        )
    for minute in (1, 2, 3):
        shop.tell(
            minute,
            "BackOff",
            f"restarting {minute}",
            source="kubernetes",
            type="Warning",
            kind="Pod",
            namespace="shop",
            name="cart-7c9d8f6b54-x2v9k",
        )
    shop.flag("cart", 0)
    shop.update()
    told = [one for one in first_of(shop)["evidence"] if one["kind"] == "events"]
    assert [one["what"] for one in told] == ["kubernetes BackOff"]
    assert told[0]["actual"] == 3.0


def test_onsets_are_told_in_order(shop):
    shop.fill({("eu", "db", "http_errors"): (0, 9.0), ("eu", "cart", "http_errors"): (12, 9.0)})
    shop.flag("db", 0)
    shop.flag("cart", 12)
    shop.update()
    (row,) = shop.incidents()
    onsets = {
        one["entity"]: datetime.fromisoformat(one["onset"]) for one in row["causes"] if one["onset"]
    }
    assert onsets["shop/db"] == shop.at
    assert onsets["shop/cart"] == shop.at + timedelta(minutes=12)
    against = {one["entity"]: one["against"] for one in row["causes"]}
    assert "shop/db was off 12 min before it" in against["shop/cart"]


ABOUT_CART = {"namespace": "shop", "attributes": {"workload": "cart"}}


def test_a_change_that_comes_in_late_ranks_an_open_incident_again(shop):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    shop.flag("cart", 0, end=20)
    shop.update(now=25)
    (before,) = shop.incidents()
    assert "after:" not in before["title"]
    # The same again is no news, nor is what is far from it.
    shop.tell(-3, "ConfigChanged", "workers set to 9", "us", **ABOUT_CART)
    shop.tell(-3, "ConfigChanged", "workers set to 9", namespace="other", name="x")
    assert shop.update(now=26).written == 0
    shop.tell(-3, "ConfigChanged", "pool set to 1", **ABOUT_CART)
    assert shop.update(now=27).written == 1
    (after,) = shop.incidents()
    assert after["incident_id"] == before["incident_id"]
    assert after["title"].endswith("after: pool set to 1")
    assert shop.update(now=28).written == 0


def test_a_first_warning_is_news_and_the_next_ones_are_not(shop):
    shop.fill()
    shop.flag("cart", 0, end=20)
    shop.update(now=25)
    about = {"source": "kubernetes", "kind": "Pod", "namespace": "shop", "type": "Warning"}
    for minute, written in ((3, 1), (4, 0)):
        shop.tell(minute, "OOMKilling", "killed", name="cart-7c9d8f6b54-x2v9k", **about)
        assert shop.update(now=26).written == written


@pytest.mark.parametrize(("end", "now"), [(20, 60), (200, 125)])
def test_a_change_that_comes_after_it_is_resolved_or_hours_old_is_left(shop, end, now):
    shop.fill({("eu", "cart", "http_errors"): (0, 9.0)})
    shop.flag("cart", 0, end=end)
    shop.update(now=now)
    shop.tell(-3, "ConfigChanged", "pool set to 1", **ABOUT_CART)
    assert shop.update(now=now + 1).written == 0
