import json
import os
import threading
from datetime import timedelta

import pytest

from ingest.errors import (
    BodyTooLargeError,
    InvalidLabelsError,
    LogError,
    LogLockedError,
    OverloadedError,
    TooManyEntriesError,
    TooManySeriesError,
)
from ingest.receiver_id import receiver_id
from ingest.segment import Entry
from ingest.sender import Sender
from lake import Lake

UP = [("__name__", "up"), ("cluster", "eu")]


@pytest.fixture
def send(body, now_ms):
    def send_one(receiver, *values, labels=UP, **parts):
        points = [(now_ms + i, value) for i, value in enumerate(values)]
        return receiver.write_samples(body((labels, points), **parts)).result(10).samples

    return send_one


@pytest.fixture
def send_event(noon):
    def send_one(receiver, uid="u", **more):
        event = {"source": "log", "reason": "r", "time": noon.isoformat(), "uid": uid}
        return (
            receiver.write_events(json.dumps(event | more).encode(), Sender("eu")).result(10).events
        )

    return send_one


def fail_next(monkeypatch, table, *, after):
    """The next append raises, before or after the commit happened."""
    real = table.append

    def append(*args, **kwargs):
        monkeypatch.setattr(table, "append", real)
        if after:
            real(*args, **kwargs)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(table, "append", append)


def test_from_request_to_sql(open_receiver, send, send_event, lake, noon):
    receiver = open_receiver()
    assert send(receiver, 1.0, 2.0, labels=[*UP, ("pod", "cart-0")]) == 2
    assert send_event(receiver) == 1
    assert receiver.waiting_samples() == 2
    done = receiver.flush()
    assert (done.samples, done.series, done.events, done.position) == (2, 1, 1, 2)
    found = lake.sql("SELECT value, pod, workload, time FROM metrics ORDER BY value").to_pylist()
    assert [row["value"] for row in found] == [1.0, 2.0]
    assert (found[0]["pod"], found[0]["workload"], found[0]["time"]) == ("cart-0", "cart", noon)
    assert lake.sql("SELECT reason FROM events").to_pylist() == [{"reason": "r"}]
    assert (receiver.waiting_samples(), receiver.log_bytes()) == (0, 0)


def test_a_flush_of_nothing_commits_nothing(open_receiver, lake):
    versions = lake.snapshot().versions
    assert open_receiver().flush().samples == 0
    assert lake.snapshot().versions == versions


def test_a_flush_is_one_commit_a_table(open_receiver, send, send_event, lake):
    receiver = open_receiver()
    for i in range(5):
        send(receiver, float(i))
        send_event(receiver, uid=str(i))
    receiver.flush()
    once = {"samples": 1, "series": 1, "events": 1}
    assert lake.snapshot().versions == dict.fromkeys(lake.tables, 0) | once


def test_what_was_acknowledged_survives_a_crash_once(
    open_receiver, abandon, send, send_event, lake, stored
):
    receiver = open_receiver()
    send(receiver, 1.0)
    receiver.flush()
    send(receiver, 2.0)
    send_event(receiver)
    abandon(receiver)
    for _ in range(3):
        receiver = open_receiver(Lake.open(lake.root))
        receiver.flush()
        abandon(receiver)
    assert stored() == [1.0, 2.0]
    assert lake.sql("SELECT count(*) AS n FROM stored.events").to_pylist() == [{"n": 1}]


def test_closing_flushes(open_receiver, send, stored):
    receiver = open_receiver()
    send(receiver, 1.0)
    receiver.close()
    assert stored() == [1.0]
    with pytest.raises(LogError, match="closed"):
        send(receiver, 2.0)
    assert open_receiver().statistics.replayed_records == 0


@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("name", ["series", "samples", "events"])
def test_a_flush_that_fails_is_repeated_without_doubling(
    open_receiver, send, send_event, lake, stored, monkeypatch, name, after
):
    receiver = open_receiver()
    send(receiver, 1.0)
    send_event(receiver)
    fail_next(monkeypatch, lake.tables[name], after=after)
    with pytest.raises(OSError, match="Input/output"):
        receiver.flush()
    assert receiver.statistics.flush_failures == 1
    assert receiver.waiting_samples() == 1
    send(receiver, 2.0)
    assert receiver.waiting_samples() == 2
    done = receiver.flush()
    assert (done.samples, done.events) == (2, 1)
    assert stored() == [1.0, 2.0]
    assert lake.sql("SELECT count(*) AS n FROM stored.events").to_pylist() == [{"n": 1}]
    assert lake.sql("SELECT count(*) AS n FROM metrics").to_pylist() == [{"n": 2}]
    assert receiver.log_bytes() == 0


def test_overload_refuses_and_loses_nothing(open_receiver, send, stored):
    receiver = open_receiver(max_buffered_samples=3)
    send(receiver, 1.0, 2.0)
    send(receiver, 3.0, 4.0)
    with pytest.raises(
        OverloadedError, match=r"4 samples wait .* at most 3 may: retry in"
    ) as refusal:
        send(receiver, 5.0)
    assert (refusal.value.waiting, refusal.value.limit) == (4, 3)
    receiver.flush()
    send(receiver, 5.0)
    receiver.flush()
    assert stored() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_overload_counts_what_a_failed_flush_still_holds(open_receiver, send, lake, monkeypatch):
    receiver = open_receiver(max_buffered_samples=1)
    send(receiver, 1.0, 2.0)
    fail_next(monkeypatch, lake.samples, after=False)
    with pytest.raises(OSError, match="Input/output"):
        receiver.flush()
    with pytest.raises(OverloadedError):
        send(receiver, 3.0)


def test_events_count_towards_the_ceiling(open_receiver, send_event):
    receiver = open_receiver(max_buffered_samples=1000)
    for i in range(10):
        send_event(receiver, uid=str(i), message="x" * 1000)
    send_event(receiver, uid="last", message="x" * 20_000)
    with pytest.raises(OverloadedError):
        send_event(receiver, uid="too much")
    receiver.flush()
    send_event(receiver, uid="again")


def test_what_is_in_flight_counts_towards_the_ceiling(
    open_receiver, send, monkeypatch, body, now_ms
):
    """The log's disk is slow: what waits for it is in memory too."""
    receiver, gate, fsync = open_receiver(max_buffered_samples=10), threading.Event(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: gate.wait(10) and fsync(descriptor))
    points = [(now_ms + i, 1.0) for i in range(20)]
    waiting = receiver.write_samples(body((UP, points)))
    with pytest.raises(OverloadedError, match=r"2\d samples wait"):
        receiver.check_load()
    gate.set()
    assert waiting.result(10).samples == 20
    receiver.flush()
    receiver.check_load()
    assert receiver._load.samples() == 0


def test_a_refused_body_leaves_no_load(open_receiver, body, now_ms):
    receiver = open_receiver()
    with pytest.raises(InvalidLabelsError):
        receiver.write_samples(body(([("cluster", "eu")], [(now_ms, 1.0)])))
    assert receiver._load.samples() == 0


def test_too_many_series(open_receiver, abandon, send, body, now_ms):
    """Known ones go on, new ones are refused whole; replay takes what was acknowledged."""
    receiver = open_receiver(max_series=2)
    for x in "ab":
        send(receiver, 1.0, labels=[*UP, ("x", x)])
    with pytest.raises(TooManySeriesError, match="2 series are known"):
        receiver.write_samples(body((UP, [(now_ms, 1.0)]), ([*UP, ("x", "a")], [(now_ms, 2.0)])))
    assert receiver.waiting_samples() == 2
    send(receiver, 3.0, labels=[*UP, ("x", "a")])
    abandon(receiver)
    receiver = open_receiver(max_series=1)
    assert receiver.waiting_samples() == 3
    send(receiver, 4.0, labels=[*UP, ("x", "b")])


@pytest.mark.parametrize("setting", ["max_series_per_request", "max_metadata_per_request"])
def test_entries_of_a_request_are_limited(open_receiver, body, now_ms, setting):
    receiver = open_receiver(**{setting: 1})
    series = [([*UP, ("x", x)], [(now_ms, 1.0)]) for x in "ab"]
    metadata = [(name, 2, "", "") for name in "ab"]
    one = {"series": series[:1], "metadata": metadata[:1]}
    assert (
        receiver.write_samples(body(*one["series"], metadata=one["metadata"])).result(10).samples
        == 1
    )
    two = one | ({"series": series} if "series" in setting else {"metadata": metadata})
    with pytest.raises(TooManyEntriesError, match=r"request has 2 .* at most 1"):
        receiver.write_samples(body(*two["series"], metadata=two["metadata"]))


def test_descriptions_of_two_clusters(open_receiver, body, lake, now_ms):
    receiver = open_receiver()
    for cluster, kind in (("a", 1), ("b", 2)):
        receiver.write_samples(
            body(([("__name__", "x")], [(now_ms, 1.0)])), Sender(cluster)
        ).result(10)
        metadata = [("x", kind, f"Of {cluster}.", "")]
        receiver.write_samples(body(metadata=metadata), Sender(cluster)).result(10)
    receiver.flush()
    rows = lake.sql("SELECT cluster, kind, help FROM series ORDER BY cluster").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("a", "counter", "Of a."), ("b", "gauge", "Of b."),
    ]  # fmt: skip


def test_metadata_reaches_the_series(open_receiver, send, body, lake):
    receiver = open_receiver()
    labels = [("__name__", "x_total"), ("cluster", "eu")]
    send(receiver, 1.0, labels=labels)
    receiver.flush()
    receiver.write_samples(body(metadata=[("x", 1, "Counts x.", "seconds")])).result(10)
    send(receiver, 2.0, labels=labels)
    receiver.flush()
    (row,) = lake.sql("SELECT kind, help, unit FROM series").to_pylist()
    assert row == {"kind": "counter", "help": "Counts x.", "unit": "seconds"}


def test_first_and_last_seen(open_receiver, body, lake, now_ms, noon):
    receiver, day = open_receiver(), 86_400_000
    for at in (now_ms - day, now_ms - 3 * day, now_ms, now_ms - 2 * day):
        receiver.write_samples(body((UP, [(at, 1.0)]))).result(10)
        receiver.flush()
    (row,) = lake.sql("SELECT first_seen, last_seen FROM series").to_pylist()
    assert row == {"first_seen": noon - timedelta(days=3), "last_seen": noon}


def test_a_series_is_not_written_with_every_flush(open_receiver, send, lake):
    receiver = open_receiver()
    for _ in range(3):
        send(receiver, 1.0)
        receiver.flush()
    assert lake.series.version() == 1


def test_the_cluster_of_the_address_stands_in(open_receiver, body, lake, now_ms):
    receiver = open_receiver(default_cluster="settings")
    up = ([("__name__", "up")], [(now_ms, 1.0)])
    receiver.write_samples(body(up)).result(10)
    receiver.write_samples(body(up), Sender("address")).result(10)
    receiver.write_samples(body((UP, [(now_ms, 1.0)])), Sender("address")).result(10)
    receiver.flush()
    found = lake.sql("SELECT cluster FROM samples ORDER BY 1").column("cluster").to_pylist()
    assert found == ["address", "eu", "settings"]
    assert receiver.statistics.samples == {"settings": 1, "address": 1, "eu": 1}


def test_replay_keeps_the_cluster_of_the_address(open_receiver, abandon, body, now_ms, lake):
    receiver = open_receiver()
    receiver.write_samples(body(([("__name__", "up")], [(now_ms, 1.0)])), Sender("address")).result(
        10
    )
    abandon(receiver)
    open_receiver(default_cluster="other").flush()
    assert lake.sql("SELECT cluster FROM samples").to_pylist() == [{"cluster": "address"}]


def test_replay_takes_what_was_acknowledged_under_wider_settings(
    open_receiver, abandon, body, now_ms, stored, send_event
):
    receiver = open_receiver()
    receiver.write_samples(body((UP, [(now_ms + 300_000, 1.0)]))).result(10)
    send_event(receiver)
    abandon(receiver)
    receiver = open_receiver(max_future=timedelta(0), max_body_bytes=1)
    assert receiver.statistics.replayed_records == 2
    receiver.flush()
    assert stored() == [1.0]


def test_a_log_of_a_newer_version_is_refused_and_left_alone(open_receiver, abandon):
    receiver = open_receiver()
    receiver._log.append(Entry(77, "", bytes(16), b"?", 0), lambda _: None).result(10)
    abandon(receiver)
    for _ in range(2):  # a second time: the first refusal gave the lock back
        with pytest.raises(LogError, match="kind 77: it was written by a newer version"):
            open_receiver()


@pytest.mark.parametrize("wire", ["write_samples", "write_events"])
def test_too_long_a_cluster_name_is_refused(open_receiver, send, wire, body, now_ms):
    receiver = open_receiver()
    raw = body(([("__name__", "up")], [(now_ms, 1.0)])) if wire == "write_samples" else b"[]"
    with pytest.raises(InvalidLabelsError, match="70000 bytes, at most 255"):
        getattr(receiver, wire)(raw, Sender("x" * 70_000))
    assert send(receiver, 1.0) == 1


def test_big_bodies_are_refused(open_receiver):
    with pytest.raises(BodyTooLargeError, match="11 bytes, at most 10"):
        open_receiver(max_body_bytes=10).write_events(b"x" * 11)


def test_a_sender_that_hangs_up_cancels_nothing(open_receiver, body, now_ms, stored):
    receiver = open_receiver()
    futures = [receiver.write_samples(body((UP, [(now_ms + i, float(i))]))) for i in range(20)]
    assert not any(future.cancel() for future in futures)
    assert [future.result(10).samples for future in futures] == [1] * 20
    receiver.flush()
    assert len(stored()) == 20


def test_one_receiver_a_folder(open_receiver):
    open_receiver()
    with pytest.raises(LogLockedError):
        open_receiver()


def test_an_id_is_made_once_by_however_many(tmp_path):
    start, names = threading.Barrier(8), []

    def ask():
        start.wait()
        names.append(receiver_id(tmp_path))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert len(set(names)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["receiver-id"]
    assert receiver_id(tmp_path) == names[0]


def test_senders_and_flushes_at_once(open_receiver, body, now_ms, stored):
    receiver, stop, acknowledged = open_receiver(log_segment_bytes=2000), threading.Event(), []

    def write(number):
        for i in range(40):
            value = float(number * 1000 + i)
            labels = [*UP, ("x", f"{number}-{i % 7}")]
            assert (
                receiver.write_samples(body((labels, [(now_ms + i, value)]))).result(10).samples
                == 1
            )
            acknowledged.append(value)

    def flush():
        while not stop.is_set():
            receiver.flush()
            receiver.log_bytes()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    flushers = [threading.Thread(target=flush) for _ in range(2)]
    for thread in (*writers, *flushers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in flushers:
        thread.join()
    receiver.flush()
    assert len(acknowledged) == 160
    assert stored() == sorted(acknowledged)
    assert receiver.statistics.flushed_samples == 160
