"""Every sample that a real Prometheus sent is in the lake, once, kill -9 or not; pulls agree."""

import math
import time
from datetime import UTC, datetime, timedelta

import httpx

from ingest.pull.puller import PrometheusPuller
from ingest.pull.source import PrometheusSource
from ingest.series import identify
from lake import Lake
from tests.real.programs import wait_for

Key = tuple[int, int]
"""Series id, milliseconds."""


def raw_samples(stack, since: float, until: float) -> dict[Key, float]:
    """What Prometheus itself has stored in `(since, until]`."""
    seconds = math.ceil(until - since)
    found = {}
    for entry in stack.query('{__name__=~".+"}' + f"[{seconds}s]", until):
        series = identify(entry["metric"].items(), default_cluster="real-1")
        for at, value in entry["values"]:
            found[series.series_id, round(at * 1000)] = float(value)
    return found


def lake_samples(lake: Lake, until: float) -> list[tuple[Key, float]]:
    rows = lake.sql(
        "SELECT series_id, epoch_ms(time) AS ms, value FROM samples WHERE epoch_ms(time) <= $until",
        {"until": round(until * 1000)},
    ).to_pylist()
    return [((row["series_id"], row["ms"]), row["value"]) for row in rows]


def sent_until(stack, moment: float) -> bool:
    """Whether Prometheus says that it has sent everything up to a time."""
    now = time.time()
    sent = stack.query("prometheus_remote_storage_queue_highest_sent_timestamp_seconds", now)
    return bool(sent) and all(float(entry["value"][1]) > moment for entry in sent)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def test_every_sample_once_also_after_kill_9(stack):
    started = time.time()
    time.sleep(6)
    stack.kill_receiver()
    time.sleep(3)
    stack.start_receiver()
    time.sleep(6)
    # The highest sent time counts one queue shard; three seconds later every shard is past it.
    until = math.floor(time.time())
    wait_for(lambda: sent_until(stack, until + 3), "prometheus sent its backlog")
    expected = raw_samples(stack, started - 5, until)
    lake = Lake.open(stack.folder / "data" / "lake", create=False)
    wait_for(lambda: len(lake_samples(lake, until)) >= len(expected), "flush")
    stored = lake_samples(lake, until)

    assert len(expected) > 5_000
    assert len(stored) == len({key for key, _ in stored}), "no sample twice"
    assert {key for key, _ in stored} == set(expected)
    assert all(same(value, expected[key]) for key, value in stored)
    series = lake.sql("SELECT kind, help FROM series WHERE metric = 'node_load1'").to_pylist()
    assert series
    assert {row["kind"] for row in series} == {"gauge"}


def test_pull_agrees_with_prometheus(stack, tmp_path):
    scraped = 'count_over_time(up{job="node"}[1m]) >= 8'
    wait_for(lambda: stack.query(scraped, time.time()), "eight scrapes of the node")
    lake = Lake.open(tmp_path / "pulled")
    source = PrometheusSource(
        cluster="real-1",
        url=stack.url("prometheus"),
        match=('{job="node"}',),
        step=timedelta(seconds=1),
        lookback=timedelta(seconds=10),
        settle=timedelta(seconds=3),  # a scrape is stored later than its time says
    )
    with httpx.Client() as client:
        puller = PrometheusPuller(lake, source, client)
        first = puller.pull_new(datetime.now(UTC))
        again = puller.pull_new(first.range.end)
        time.sleep(2)
        second = puller.pull_new(datetime.now(UTC))
    assert first.samples > 500
    assert again.samples == 0
    assert second.range.start == first.range.end
    rows = lake.sql("SELECT series_id, time FROM samples").to_pylist()
    assert len(rows) == len({(row["series_id"], row["time"]) for row in rows})
    assert len(rows) == first.samples + second.samples
    last = (second.range.end - timedelta(seconds=1)).timestamp()
    at_last = stack.query('{job="node"}', last)
    stored = lake.sql(
        "SELECT series_id, value FROM samples WHERE epoch_ms(time) = $at",
        {"at": round(last * 1000)},
    ).to_pylist()
    told = {
        identify(entry["metric"].items(), "real-1").series_id: float(entry["value"][1])
        for entry in at_last
    }
    assert {row["series_id"]: row["value"] for row in stored} == told
