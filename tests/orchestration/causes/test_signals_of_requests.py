"""Spans and logs: where time is lost, what is no longer called, what is said more often."""

from datetime import timedelta

import polars as pl
import pytest

from orchestration.errors import CausesError
from tests.orchestration.causes.conftest import AT, CALLS, POD, START, asked, first


def latency(answer):
    found = {one.entity: dict(one.evidence).get("latency") for one in answer.causes}
    return {entity: one.size for entity, one in found.items() if one}


@pytest.fixture
def calm(shop):
    return shop.metrics(broken=False)


def test_spans_of_pods_tell_where_time_is_lost(shop, calm):
    """Metrics say nothing; who waits is not blamed for waiting."""
    answer = asked(calm, traces=shop.spans("slow"))
    assert first(answer).entity == "pay"
    kind, evidence = first(answer).evidence[0]
    assert kind == "latency"
    assert evidence.what == "handle pay"


def test_spans_of_servers_alone_tell_it_too(shop, calm):
    """Without spans of who waits, a service's own work is not put down to whom it calls."""
    spans = pl.read_parquet(shop.spans("slow"))
    waits = spans.filter(pl.col("operation").str.starts_with("call"))
    parents = waits.select(pl.col("span_id").alias("parent_span_id"), up="parent_span_id")
    spans = spans.filter(pl.col("operation").str.starts_with("handle"))
    spans = spans.join(parents, on="parent_span_id", how="left").with_columns(
        parent_span_id=pl.coalesce("up", "parent_span_id")
    )
    answer = asked(calm, traces=shop.write("servers.parquet", spans.drop("up")))
    found = latency(answer)
    assert first(answer).entity == "pay"
    assert found["pay"] > 5 * found.get("bank", 0.0)


def test_a_slow_network_is_his_who_is_slow_with_everybody(shop, calm):
    spans = pl.read_parquet(shop.spans("none"))
    calls = pl.col("operation").is_in(["call pay", "call bank"]) & (pl.col("timestamp") >= AT)
    slower = pl.when(calls).then(pl.col("duration_us") + 400_000).otherwise("duration_us")
    answer = asked(calm, traces=shop.write("net.parquet", spans.with_columns(slower)))
    assert first(answer).entity == "pay"
    found = latency(answer)
    assert found["pay"] > 1.5 * max(found["web"], found["bank"])


def test_who_is_awaited_beside_a_handler_is_not_its_own_time(shop, calm):
    """A gateway whose handler and the call that it awaits have the same parent."""
    rows = []
    for minute in range(60):
        for request in range(20):
            trace, slow = f"{minute}-{request}", 0.3 if minute >= 50 else 0.0
            at = START + timedelta(minutes=minute, seconds=3 * request)
            for span, parent, service, operation, seconds in (
                ("a", "root", "web", "gateway", 0.021 + slow),
                ("b", "a", "web", "filter", 0.020 + slow),
                ("c", "a", "web", "call pay", 0.019 + slow),
                ("d", "c", "pay", "handle pay", 0.018 + slow),
            ):
                rows.append(
                    {
                        "timestamp": at,
                        "trace_id": trace,
                        "span_id": trace + span,
                        "parent_span_id": "root" if parent == "root" else trace + parent,
                        "pod": POD[service],
                        "operation": operation,
                        "duration_ms": 1e3 * (seconds + 0.001 * shop.rng.random()),
                    }
                )
    answer = asked(calm, traces=shop.write("gateway.parquet", pl.DataFrame(rows)))
    found = latency(answer)
    assert found["pay"] > 5 * found.get("web", 0.0)
    assert 250 < 1e3 * dict(first(answer).evidence)["latency"].actual < 350


def test_delivered_twice_broken_or_of_strangers_they_say_the_same(shop, calm):
    spans = pl.read_parquet(shop.spans("slow"))
    warned = []
    broken = spans.head(3).with_columns(
        span_id=pl.lit("x"), duration_us=pl.lit(None, pl.Int64), pod=pl.lit(POD["web"])
    )
    strangers = spans.head(2).with_columns(span_id=pl.lit("y"), pod=pl.lit("other"))
    path = shop.write("twice.parquet", pl.concat([spans, spans, broken, strangers]))
    answer = asked(calm, traces=path, warned=warned)
    assert first(answer).entity == "pay"
    assert warned[0].startswith("2 of ")
    read = spans.filter(pl.col("timestamp") <= AT + answer.window)
    assert warned[1] == f"{read.height + 3:,} spans are there twice, or have no duration"


def test_spans_without_traces_and_with_bytes_for_ids(shop, calm):
    spans = pl.read_parquet(shop.spans("slow"))
    answer = asked(calm, traces=shop.write("alone.parquet", spans.drop("trace_id")))
    assert first(answer).entity == "pay"
    ids = [pl.col(one).cast(pl.Binary) for one in ("trace_id", "span_id", "parent_span_id")]
    answer = asked(calm, traces=shop.write("bytes.parquet", spans.with_columns(ids)))
    assert first(answer).entity == "pay"
    text = spans.with_columns(pl.col("duration_us").cast(pl.String))
    with pytest.raises(CausesError, match="'duration_us' is no number"):
        asked(calm, traces=shop.write("text.parquet", text))


def test_calls_that_are_no_longer_made_are_missed_where_they_were_made(shop, calm):
    answer = asked(calm, traces=shop.spans("stops"))
    assert first(answer).entity == "pay"
    assert "handle pay led to call bank" in dict(first(answer).evidence)["calls"].reason


def test_logs_of_another_kind_are_told_with_their_text(shop, calm):
    answer = asked(calm, logs=shop.logs(), traces=shop.spans("none"))
    assert first(answer).entity == "pay"
    evidence = dict(first(answer).evidence)["logs"]
    assert "ERROR Charge#31 refused for order *" in evidence.reason
    assert evidence.expected == pytest.approx(0.0, abs=0.1)


def test_as_many_lines_for_as_many_requests_are_nothing(shop, calm):
    """Ten times the requests, ten times the lines."""
    lines = pl.read_parquet(shop.logs(broken=False))
    more = pl.concat([lines] + [_again(lines, copy) for copy in range(9)])
    spans = pl.read_parquet(shop.spans("none"))
    busy = pl.concat([spans] + [_again(spans, copy) for copy in range(9)])
    paths = {
        "logs": shop.write("more.parquet", more),
        "traces": shop.write("busy.parquet", busy),
    }
    answer = asked(calm, **paths)
    assert max(dict(one.evidence)["logs"].size for one in answer.causes) < 3.0


def _again(frame, copy):
    ids = [name for name in ("trace_id", "span_id", "parent_span_id") if name in frame.columns]
    late = frame.filter(pl.col("timestamp") >= AT)
    return late.with_columns(pl.col(name) + f"#{copy}" for name in ids)


def test_who_was_quiet_and_screams_is_heard(shop, calm):
    """Nobody's requests are known, and `pay` has not logged a line before."""
    lines = pl.read_parquet(shop.logs(broken=False)).drop("trace_id")
    pay = pl.col("pod") == POD["pay"]
    lines = lines.filter(~pay | (pl.col("timestamp") >= AT))
    answer = asked(calm, logs=shop.write("quiet.parquet", lines))
    assert first(answer).entity == "pay"
    assert dict(first(answer).evidence)["logs"].expected == 0.0


@pytest.mark.parametrize("seconds", [90, 120, 150])
def test_part_of_a_minute_is_part_of_a_minute(shop, calm, seconds):
    """Lines that come as steadily as a clock surprise nobody, wherever the window ends."""
    lines = pl.DataFrame(
        [
            {"timestamp": START + timedelta(seconds=second), "pod": POD[name], "body": "tick"}
            for name in CALLS
            for second in range(0, 3500, 2)
        ]
    )
    path = shop.write("steady.parquet", lines)
    answer = asked(calm, logs=path, lasting=timedelta(seconds=seconds))
    assert max(dict(one.evidence)["logs"].size for one in answer.causes) < 3.0


def test_logs_of_the_incident_alone_say_nothing(shop):
    """Nobody knows what was logged before: it is not that nothing was."""
    lines = pl.read_parquet(shop.logs(broken=False)).filter(pl.col("timestamp") >= AT)
    warned = []
    path = shop.write("late.parquet", lines)
    answer = asked(shop.metrics(), logs=path, traces=shop.spans("slow"), warned=warned)
    assert first(answer).entity == "pay"
    assert not any("logs" in dict(one.evidence) for one in answer.causes)
    assert warned == ["--logs has nothing of what is ranked before --at"]


def test_a_latency_that_spans_take_apart_is_no_second_reason(shop):
    """`web` is slow because `pay` is: its metric adds the waiting, its spans do not."""
    frame = pl.read_parquet(shop.metrics())
    alone = asked(shop.write("metrics.parquet", frame))
    both = asked(shop.write("metrics.parquet", frame), traces=shop.spans())
    latency = [
        dict(one.evidence)["metrics"].size
        for one in (alone.causes + both.causes)
        if one.entity == "web"
    ]
    assert latency[1] < latency[0] / 2
