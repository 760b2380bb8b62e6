"""What metrics say beside their deviations: silence, calls between entities, the window."""

from datetime import timedelta

import polars as pl
import pytest

from orchestration.errors import CausesError
from tests.orchestration.causes.conftest import AT, POD, START, asked, first

MINUTE = timedelta(minutes=1)
value, time, service, metric = (
    pl.col(name) for name in ("value", "timestamp", "service", "metric")
)


def kinds(answer, entity):
    (own,) = [one for one in answer.causes if one.entity == entity]
    return dict(own.evidence)


def test_nulls_are_no_values(shop):
    frame = pl.read_parquet(shop.metrics())
    holes = pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise(value).alias("value")
    answer = asked(shop.write("nulls.parquet", frame.with_columns(holes)))
    assert first(answer).entity == "pay"
    assert answer.abstained is None


def test_who_falls_silent_stands_out(shop):
    frame = pl.read_parquet(shop.metrics(broken=False))
    answer = asked(shop.write("silent.parquet", frame.filter((service != "bank") | (time < AT))))
    assert first(answer).entity == "bank"
    assert first(answer).reason == "3 of 3 series stopped"
    assert first(answer).onset == AT - MINUTE


def test_who_has_long_been_silent_is_not_missed(shop):
    frame = pl.read_parquet(shop.metrics())
    old = frame.filter((service != "bank") | (time < START + 20 * MINUTE))
    answer = asked(shop.write("old.parquet", old))
    assert first(answer).entity == "pay"
    assert not any("silence" in dict(one.evidence) for one in answer.causes)


def test_what_comes_seldom_and_what_is_not_there_yet_is_not_missed(shop):
    frame = pl.read_parquet(shop.metrics())
    seldom = (service == "bank") & (metric == "cpu")
    offset = pl.col("timestamp").dt.minute() % 15 == 2
    fresh = frame.filter((~seldom | offset) & (time <= AT + 2 * MINUTE))
    answer = asked(shop.write("fresh.parquet", fresh))
    assert first(answer).entity == "pay"
    assert not any("silence" in dict(one.evidence) for one in answer.causes)


def test_a_rollout_is_not_silence_and_its_pods_are_judged_as_one(shop):
    """All of `pay`'s pods have other names from the incident on."""
    frame = pl.read_parquet(shop.metrics())
    pod = pl.when((service == "pay") & (time >= AT)).then(pl.lit("pay-new")).otherwise(service)
    answer = asked(shop.write("rollout.parquet", frame.with_columns(pod=pod)))
    assert first(answer).entity == "pay"
    found = kinds(answer, "pay")
    assert "silence" not in found
    assert found["metrics"].size > 6.0
    pod = service + pl.when(time >= AT).then(pl.lit("-2")).otherwise(pl.lit("-1"))
    answer = asked(shop.write("all.parquet", frame.with_columns(pod=pod)))
    assert first(answer).entity == "pay"


@pytest.mark.parametrize(
    "named",
    [
        lambda one, other: {"metric": f"{one}_{other}"},
        lambda one, other: {"metric": "call_seconds", "source": one, "target": other},
    ],
)
def test_series_of_calls_are_about_their_ends(shop, named):
    """`pay` is slow with everybody, and has no metrics of its own that say so."""
    rows = pl.read_parquet(shop.metrics(broken=False)).to_dicts()
    pairs = [("web", "cart"), ("web", "pay"), ("pay", "bank")]
    for minute in range(60):
        for one, other in pairs:
            slow = 0.5 if minute >= 50 and "pay" in (one, other) else 0.0
            seconds = 0.02 + 0.001 * shop.rng.random() + slow
            at = START + timedelta(minutes=minute)
            rows.append({"timestamp": at, "value": seconds} | named(one, other))
    answer = asked(shop.write("calls.parquet", pl.DataFrame(rows, infer_schema_length=None)))
    assert first(answer).entity == "pay"
    evidence = kinds(answer, "pay")["edges"]
    assert "calls" in evidence.what
    assert "instead of 0.02" in evidence.reason
    assert kinds(answer, "web")["edges"].size < 0.6 * evidence.size


def test_an_incident_is_three_steps_at_least(shop):
    """At 15 minutes a step, five minutes would be one row, and that is not the odd one."""
    rows = [
        {"timestamp": START + 15 * minute * MINUTE, "service": name, "metric": "m", "value": found}
        for name in ("a", "b", "c")
        for minute in range(200)
        for found in [1.0 + 0.1 * shop.rng.random() + 5.0 * (name == "b" and minute in (101, 102))]
    ]
    path = shop.write("seldom.parquet", pl.DataFrame(rows))
    answer = asked(path, at=START + 100 * 15 * MINUTE)
    assert answer.window == timedelta(minutes=45)
    assert first(answer).entity == "b"


def test_a_file_cut_to_the_incident_is_looked_at_to_its_end(shop):
    frame = pl.read_parquet(shop.metrics())
    assert asked(shop.write("cut.parquet", frame)).window == 9 * MINUTE
    assert asked(shop.write("cut.parquet", frame), at=START + 30 * MINUTE).window == 5 * MINUTE
    wrong = frame.head(1).with_columns(time - timedelta(days=90_000))
    clocks = pl.concat([wrong, frame])
    assert asked(shop.write("clock.parquet", clocks), at=START + 30 * MINUTE).window == 5 * MINUTE


def test_noticed_late_it_says_when_it_began(shop):
    assert first(asked(shop.metrics(), at=AT + 4 * MINUTE)).onset == AT


def test_numbers_name_entities_too(shop):
    frame = pl.read_parquet(shop.metrics())
    numbers = {"web": 1, "cart": 2, "pay": 3, "bank": 4}
    path = shop.write("n.csv", frame.with_columns(service.replace_strict(numbers)))
    assert first(asked(path)).entity == "3"


def test_who_has_no_baseline_is_told(shop):
    frame = pl.read_parquet(shop.metrics())
    warned = []
    new = frame.filter((service != "bank") | (time >= AT - MINUTE))
    asked(shop.write("new.parquet", new), warned=warned)
    assert warned == ["1 have no metrics both before and after, and are not judged: bank"]
    with pytest.raises(CausesError, match="no series has 3 rows before"):
        asked(shop.write("short.parquet", frame), at=START + MINUTE)


def test_a_baseline_without_a_label_is_refused(shop):
    normal = pl.read_parquet(shop.metrics(broken=False)).drop("metric")
    with pytest.raises(CausesError, match="the baseline has no column 'metric'"):
        asked(shop.metrics(), baseline=shop.write("normal.parquet", normal))


def test_one_entity_alone_has_its_evidence(shop):
    frame = pl.read_parquet(shop.metrics()).filter(service == "pay")
    answer = asked(shop.write("one.parquet", frame))
    assert answer.abstained is None
    assert "instead of" in first(answer).reason


def test_pods_of_a_file_with_both_columns_are_believed(shop):
    """`east-1` tells nobody whose it is, but the metrics do."""
    frame = pl.read_parquet(shop.metrics(broken=False))
    pods = {"web": "north-1", "cart": "west-1", "pay": "east-1", "bank": "south-1"}
    path = shop.write("pods.parquet", frame.with_columns(pod=service.replace_strict(pods)))
    spans = pl.read_parquet(shop.spans("slow"))
    names = {POD[name]: pod for name, pod in pods.items()}
    spans = spans.with_columns(pl.col("pod").replace_strict(names))
    answer = asked(path, traces=shop.write("spans.parquet", spans))
    assert first(answer).entity == "pay"


@pytest.mark.parametrize(
    "name", ["http_client_duration", "PodClientLatency", "rpc.client.duration", "upstream_rq_time"]
)
def test_what_a_client_waits_for_is_held_against_it_by_half(shop, name):
    """`web` waits for `pay`, and its scale is the smaller one."""
    frame = pl.read_parquet(shop.metrics(broken=False)).filter(metric == "latency")
    late = pl.when(time >= AT)
    waits = late.then(0.1).otherwise(0.0) * (service == "web")
    slow = late.then(0.08).otherwise(0.0) * (service == "pay")
    renamed = pl.when(service == "web").then(pl.lit(name)).otherwise(pl.lit("server_latency"))
    seen = frame.with_columns(value=value + waits + slow)
    assert first(asked(shop.write("plain.parquet", seen))).entity == "web"
    answer = asked(shop.write("clients.parquet", seen.with_columns(metric=renamed)))
    assert first(answer).entity == "pay"
    assert kinds(answer, "web")["metrics"].size > 6.0


def test_a_count_of_clients_is_no_wait(shop):
    frame = pl.read_parquet(shop.metrics(broken=False)).filter(metric == "latency")
    many = pl.when((time >= AT) & (service == "cart")).then(0.1).otherwise(0.0)
    sizes = {
        name: kinds(
            asked(
                shop.write(
                    f"{name}.parquet", frame.with_columns(value=value + many, metric=pl.lit(name))
                )
            ),
            "cart",
        )["metrics"].size
        for name in ("connected_clients", "clientele", "sessions")
    }
    assert len(set(sizes.values())) == 1
