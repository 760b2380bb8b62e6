from datetime import timedelta

import polars as pl
import pytest

from tests.orchestration.causes.conftest import AT, asked, first

value, service, metric = pl.col("value"), pl.col("service"), pl.col("metric")


def shares(answer):
    found = {one.entity: dict(one.evidence).get("flow") for one in answer.causes}
    return {entity: one.size for entity, one in found.items() if one}


def followed(shop, frame, warned=None, symptom="web:latency", **others):
    path = shop.write("flow.parquet", frame)
    others = {"graph": shop.graph()} | others
    return asked(path, symptom=symptom, warned=warned, **others)


def test_what_is_slow_but_hardly_called_explains_nothing(shop):
    """`cart` is slower by more than `pay`, and is asked once a minute."""
    frame = pl.read_parquet(shop.metrics())
    cart, late = service == "cart", pl.col("timestamp") >= AT
    frame = frame.with_columns(
        pl.when(cart & (metric == "requests"))
        .then(1.0)
        .when(cart & late & (metric == "latency"))
        .then(0.5)
        .otherwise(value)
        .alias("value")
    )
    found = shares(followed(shop, frame))
    assert found["pay"] > 70
    assert found["cart"] < 5


def test_extremes_do_not_add_up_and_are_left_out_where_means_are(shop):
    frame = pl.read_parquet(shop.metrics()).with_columns(statistic=pl.lit("Average"))
    p99 = frame.filter(metric == "latency").with_columns(
        statistic=pl.lit("p99"),
        value=pl.when((service == "cart") & (pl.col("timestamp") >= AT)).then(9.0).otherwise(value),
    )
    found = shares(followed(shop, pl.concat([frame, p99])))
    assert found["pay"] > 70


def test_all_pods_of_a_service_count(shop):
    """Of three pods of `pay` the last is fine."""
    frame = pl.read_parquet(shop.metrics())
    fine = pl.read_parquet(shop.metrics(broken=False)).filter(service == "pay")
    pods = [frame.with_columns(pod=service + f"-{n}") for n in range(2)]
    found = shares(followed(shop, pl.concat([*pods, fine.with_columns(pod=pl.lit("pay-9"))])))
    assert found["pay"] > 70


def test_a_symptom_that_is_as_ever_is_not_followed(shop):
    warned = []
    answer = followed(shop, pl.read_parquet(shop.metrics()), warned, "cart:latency", graph=None)
    assert shares(answer) == {}
    frame = pl.read_parquet(shop.metrics())
    calm = pl.read_parquet(shop.metrics(broken=False)).filter(service == "web")
    answer = followed(shop, pl.concat([frame.filter(service != "web"), calm]), warned)
    assert first(answer).entity == "pay"
    assert shares(answer) == {}
    assert warned == [
        "nobody is known to be called by cart: the symptom is not followed",
        "latency of web is as ever: the symptom cannot be followed",
    ]


def test_calls_of_spans_are_a_graph_and_metrics_of_symptoms_are_found(shop):
    frame = pl.read_parquet(shop.metrics())
    path = shop.write("flow.parquet", frame)
    answer = asked(path, symptom="web", traces=shop.spans("none"))
    assert shares(answer)["pay"] > 70


def test_where_it_is_not_known_how_often_all_calls_count_the_same(shop):
    frame = pl.read_parquet(shop.metrics())
    warned = []
    frame = frame.filter((service != "pay") | (metric != "requests"))
    found = shares(followed(shop, frame, warned))
    assert found["pay"] > 70
    assert "pay: no metric says how often it is asked" in warned[0]


def test_a_graph_without_a_symptom_is_told(shop):
    warned = []
    asked(shop.metrics(), graph=shop.graph(), warned=warned)
    assert warned == ["--graph says nothing without a --symptom to follow along it"]


@pytest.mark.parametrize("minutes", [10, 20])
def test_a_change_is_half_as_likely_ten_minutes_later(shop, minutes):
    def size(ago):
        event = {"timestamp": AT - timedelta(minutes=ago), "type": "change", "pod": "web"}
        answer = asked(shop.metrics(broken=False), events=shop.events(event))
        return dict(first(answer).evidence)["changes"].size

    assert size(minutes) == pytest.approx(size(0) * 0.5 ** (minutes / 10))
