"""Seeded random histories and failures: what comes out is what the server had."""

import threading
from datetime import timedelta

import numpy as np
import pytest

from ingest.errors import OverloadedError
from ingest.kubernetes.client import Client
from ingest.kubernetes.delivery import Delivery
from ingest.kubernetes.history import History
from ingest.kubernetes.snapshotter import Snapshotter
from ingest.kubernetes.statistics import KubernetesStatistics

FAULTS = ("status", "cut", "malformed", "error_line", "end", "shred", "hang")
STATUSES = (410, 429, 500, 503)


@pytest.mark.parametrize("seed", range(6))
def test_the_watch_brings_every_uid_and_count_that_was_the_newest(
    seed, api, put_event, run, open_receiver, until, in_lake, fault, monkeypatch
):
    """With failures of every sort, restarts, a forgetful server, and a receiver that refuses."""
    rng = np.random.default_rng(seed)
    fault_rng, lock = np.random.default_rng(seed + 1000), threading.Lock()
    calm = threading.Event()

    def chance(kind):
        with lock:
            if calm.is_set() or fault_rng.random() > 0.35:
                return None
            return fault(
                str(fault_rng.choice(FAULTS)),
                status=int(fault_rng.choice(STATUSES)),
                after=int(fault_rng.integers(0, 4)),
            )

    api.chance = chance
    receiver = open_receiver()
    take = receiver.write_events

    def sometimes(body, sender):
        with lock:
            refuse = not calm.is_set() and fault_rng.random() < 0.2
        if refuse:
            raise OverloadedError(5, 4, 0)
        return take(body, sender)

    monkeypatch.setattr(receiver, "write_events", sometimes)
    counts, ever = {}, set()
    runner = run(receiver)
    for _ in range(60):
        uid = f"e-{rng.integers(0, 25)}"
        counts[uid] = counts.get(uid, 0) + 1
        put_event(uid, counts[uid])
        ever.add((uid, counts[uid]))
        if rng.random() < 0.1:
            api.compact()
        if rng.random() < 0.05:
            runner.stop()
            runner = run(receiver)
    calm.set()
    newest = set(counts.items())
    until(lambda: newest <= set(in_lake(receiver)))
    found = in_lake(receiver)
    # A relist shows only the newest count of an event: earlier ones may be missed, none doubled.
    assert newest <= set(found) <= ever
    assert len(found) == len(set(found))


@pytest.mark.parametrize("seed", range(4))
def test_without_relists_every_count_is_there(
    seed, api, put_event, run, open_receiver, until, in_lake, fault
):
    rng, lock = np.random.default_rng(seed), threading.Lock()

    def chance(kind):
        with lock:
            if kind != "watch" or rng.random() > 0.5:
                return None
            return fault(
                str(rng.choice(["cut", "end", "shred", "hang"])), after=int(rng.integers(0, 3))
            )

    api.chance = chance
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.lists == 1)
    expected = set()
    for count in range(1, 9):
        for uid in ("a", "b", "c"):
            put_event(uid, count)
            expected.add((uid, count))
    until(lambda: runner.statistics.events == len(expected))
    assert in_lake(receiver) == sorted(expected)
    assert runner.statistics.lists == 1


@pytest.mark.parametrize("seed", range(6))
def test_snapshots_at_random_times_find_the_differences(
    seed, api, put, raw, source, quick, open_receiver, lake, tmp_path, noon, path_of, monkeypatch
):
    """Against a model that keeps what each snapshot saw; with crashes at every step."""
    rng = np.random.default_rng(seed)
    receiver = open_receiver(max_future=timedelta(days=9))
    now = [noon]
    (tmp_path / "k").mkdir()
    given = source(page_size=2)

    def open_one():
        statistics = KubernetesStatistics()
        delivery = Delivery(receiver, "eu", threading.Event(), statistics, lambda error: None)
        return Snapshotter(
            Client(given), given, lake, "objects-eu", History(tmp_path / "k"), delivery,
            statistics, lambda: now[0],
        )  # fmt: skip

    def crash(*args, **more):
        raise OSError("crash")

    live, seen, expected, rows = {}, None, [], []
    snapshotter = open_one()
    for _ in range(50):
        act, name = rng.random(), f"app-{rng.integers(0, 4)}"
        if act < 0.5:
            uid = live[name][0] if name in live else f"{name}-{rng.integers(0, 1 << 30)}"
            image, replicas = f"v{rng.integers(1, 4)}", int(rng.integers(1, 4))
            live[name] = (uid, image, replicas)
            put("Deployment", raw["Deployment"](name, f"shop/x:{image}", replicas, 1, uid))
        elif act < 0.6 and name in live:
            api.remove(path_of["Deployment"], live.pop(name)[0])
        elif act < 0.7:
            snapshotter = open_one()
        else:
            now[0] += timedelta(minutes=int(rng.integers(1, 300)))
            with monkeypatch.context() as patch:
                if rng.random() < 0.4:
                    on, what = [
                        (Delivery, "deliver"), (lake.objects, "append"),
                        (History, "begin"), (History, "finish"),
                    ][rng.integers(0, 4)]  # fmt: skip
                    patch.setattr(on, what, crash)
                try:
                    snapshotter.snapshot()
                except OSError:
                    snapshotter = open_one()
            # If it crashed, the very state it saw is brought in now, or seen anew.
            snapshotter.snapshot()
            current = {uid: (name, image, n) for name, (uid, image, n) in live.items()}
            if seen is not None:
                expected += differences(seen, current)
            rows += [
                uid for uid in (seen or {}) | current if (seen or {}).get(uid) != current.get(uid)
            ]
            seen = current
    receiver.flush()
    found = lake.sql("SELECT reason, name, message FROM events WHERE source = 'change'").to_pylist()
    assert sorted(tuple(row.values()) for row in found) == sorted(expected)
    stored = lake.sql("SELECT uid FROM objects WHERE change <> 'present'").column("uid").to_pylist()
    assert sorted(stored) == sorted(rows)


def differences(before, after):
    for uid in before.keys() | after.keys():
        was, now = before.get(uid), after.get(uid)
        name = (was or now)[0]
        if was is None or now is None:
            what = "removed" if now is None else "added"
            yield f"Deployment{what.capitalize()}", name, f"Deployment {name} {what}"
            continue
        if was[1] != now[1]:
            yield "ImageChanged", name, f"image of container app: {was[1]} → {now[1]}"
        if was[2] != now[2]:
            yield "Scaled", name, f"replicas: {was[2]} → {now[2]}"
