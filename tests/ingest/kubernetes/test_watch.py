"""The watch of Events against a real HTTP server, through a real receiver, into a real lake."""

import json
import threading
import time
from pathlib import Path

import pytest

from ingest.errors import LogError, OverloadedError
from ingest.kubernetes.client import Client
from tests.patience import SOON

NEW = "/apis/events.k8s.io/v1/events"
OLD = "/api/v1/events"


def watching(api):
    return lambda: api.n("watch") > 0


def test_lists_pages_then_watches(api, put_event, run, open_receiver, until, in_lake, lake):
    for i in range(8):
        put_event(f"e-{i}")
    receiver = open_receiver()
    runner = run(receiver)
    until(watching(api))
    put_event("e-8", 4)
    put_event("e-0", 2)
    until(lambda: runner.statistics.events == 10)
    assert in_lake(receiver) == sorted([(f"e-{i}", 1) for i in range(8)] + [("e-8", 4), ("e-0", 2)])
    assert (api.n("list"), api.n("continue")) == (1, 2)
    assert {path for path, _, _ in api.requests} == {NEW}
    (row,) = lake.sql("SELECT * FROM events WHERE uid = 'e-8'").to_pylist()
    assert (row["cluster"], row["reason"], row["kind"], row["name"], row["message"]) == (
        "eu", "BackOff", "Pod", "cart-0", "Back-off – растёт 回 restarting failed container",
    )  # fmt: skip
    assert runner.errors == {}


def test_the_watch_begins_where_the_list_ended_and_asks_for_bookmarks(
    api, put_event, run, open_receiver, until
):
    last = put_event("e-0")
    run(open_receiver())
    until(watching(api))
    _, query, _ = next(r for r in api.requests if "watch" in r[1])
    assert query["resourceVersion"] == last["metadata"]["resourceVersion"]
    assert query["allowWatchBookmarks"] == "true"
    assert int(query["timeoutSeconds"]) >= 1


def test_the_next_watch_begins_at_the_last_line(api, put_event, run, open_receiver, until, fault):
    api.faults.append(fault("end", on="watch", after=1))
    api.bookmark_every = 1000
    runner = run(open_receiver())
    until(watching(api))
    last = put_event("e-0")
    until(lambda: api.n("watch") == 2)
    _, query, _ = [r for r in api.requests if "watch" in r[1]][1]
    assert query["resourceVersion"] == last["metadata"]["resourceVersion"]
    until(lambda: runner.statistics.events == 1)
    assert runner.statistics.repeated_events == 0


def test_falls_back_to_the_old_group(api, put_event, run, open_receiver, until, in_lake):
    api.absent.add(NEW)
    put_event("e-0")
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.events == 1)
    until(watching(api))
    assert in_lake(receiver) == [("e-0", 1)]
    assert [path for path, _, _ in api.requests][:2] == [NEW, OLD]


def test_namespaces_have_a_watch_each(
    api, make_event, new_form, run, open_receiver, until, in_lake
):
    for namespace in ("a", "b"):
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        api.put(path, new_form(make_event(f"e-{namespace}")))
    api.put(NEW, new_form(make_event("e-other")))
    receiver = open_receiver()
    runner = run(receiver, namespaces=("a", "b"))
    until(lambda: runner.statistics.events == 2)
    assert in_lake(receiver) == [("e-a", 1), ("e-b", 1)]


def test_repeats_are_left_out_over_relists(
    api, put_event, run, open_receiver, until, in_lake, fault
):
    for i in range(5):
        put_event(f"e-{i}")
    receiver = open_receiver()
    api.faults.append(fault("error_line", status=410, on="watch"))
    runner = run(receiver)
    until(lambda: runner.statistics.lists == 2)
    put_event("e-0", 2)
    put_event("e-1", 1)
    put_event("e-new")
    until(lambda: runner.statistics.events == 7)
    until(lambda: runner.statistics.repeated_events == 6)
    assert len(in_lake(receiver)) == 7


@pytest.mark.parametrize("form", ["status", "error_line"])
def test_gone_means_list_again(form, api, put_event, run, open_receiver, until, in_lake, fault):
    put_event("e-0")
    api.faults.append(fault(form, status=410, on="watch"))
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.lists == 2)
    put_event("e-1")
    until(lambda: runner.statistics.events == 2)
    assert in_lake(receiver) == [("e-0", 1), ("e-1", 1)]
    assert runner.errors == {}
    assert runner.statistics.failures == 0


def test_an_expired_page_lists_again_in_one_piece(
    api, put_event, run, open_receiver, until, in_lake, fault
):
    for i in range(8):
        put_event(f"e-{i}")
    api.faults.append(fault("status", status=410, on="continue"))
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.events == 8)
    until(watching(api))
    assert len(in_lake(receiver)) == 8
    assert [("limit" in q, "continue" in q) for _, q, _ in api.requests if "watch" not in q] == [
        (True, False), (True, True), (False, False),
    ]  # fmt: skip


def test_a_server_that_always_says_gone_is_not_stormed(api, put_event, run, open_receiver, until):
    put_event("e-0")
    api.chance = lambda kind: None
    api.compacted = 1 << 40
    runner = run(open_receiver())
    until(lambda: runner.statistics.lists >= 5)
    until(lambda: runner.statistics.events == 1)
    assert runner.statistics.lists < 200


@pytest.mark.parametrize("kind", ["cut", "hang", "malformed", "huge_line", "end", "shred"])
@pytest.mark.parametrize("after", [0, 2])
def test_whatever_happens_in_a_watch_nothing_is_lost(
    kind, after, api, put_event, run, open_receiver, until, in_lake, fault
):
    put_event("e-0")
    api.faults.append(fault(kind, on="watch", after=after))
    receiver = open_receiver()
    runner = run(receiver)
    until(watching(api))
    for i in range(1, 6):
        put_event(f"e-{i}")
    until(lambda: runner.statistics.events == 6)
    assert in_lake(receiver) == [(f"e-{i}", 1) for i in range(6)]
    if kind in {"malformed", "huge_line"}:
        assert runner.statistics.malformed_lines == 1
        until(lambda: runner.statistics.lists == 2)
    else:
        assert runner.statistics.lists == 1
    until(lambda: runner.errors == {})


@pytest.mark.parametrize("kind", ["cut", "hang", "drip"])
def test_whatever_happens_to_a_list_it_is_asked_for_again(
    kind, api, put_event, run, open_receiver, until, in_lake, fault
):
    for i in range(5):
        put_event(f"e-{i}")
    api.faults.extend([fault(kind, on="list"), fault(kind, on="continue")])
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.lists == 1)
    until(lambda: runner.statistics.events == 5)
    assert len(in_lake(receiver)) == 5
    assert not api.faults
    assert runner.statistics.failures >= 2, "on a busy machine a sound list may take too long, too"


@pytest.mark.parametrize(
    ("status", "said"), [(401, "does not know our token"), (403, "rbac.yaml"), (500, "status 500")]
)
def test_refusals_are_told_and_tried_again(
    status, said, api, put_event, run, open_receiver, until, fault
):
    put_event("e-0")
    refused = threading.Event()
    refused.set()
    api.chance = lambda kind: fault("status", status=status) if refused.is_set() else None
    runner = run(open_receiver())
    until(lambda: said in runner.errors.get("events", ""))
    assert "as the test wants it" in runner.errors["events"]
    refused.clear()
    until(lambda: runner.statistics.events == 1)
    until(lambda: runner.errors == {})


def test_retry_after_is_honoured(api, put_event, run, open_receiver, until, fault):
    put_event("e-0")
    times = []

    def refuse_once(kind):
        times.append(time.monotonic())
        if len(times) == 1:
            return fault("status", status=429, headers={"Retry-After": "1"})
        return None

    api.chance = refuse_once
    runner = run(open_receiver())
    until(lambda: runner.statistics.events == 1)
    assert times[1] - times[0] > 0.9


def test_bookmarks_move_the_position(api, put_event, run, open_receiver, until, tmp_path):
    put_event("e-0")
    runner = run(open_receiver())
    until(watching(api))
    api.put("/api/v1/pods", {"metadata": {"uid": "p"}})
    wanted = str(api.version)
    until(lambda: runner.statistics.bookmarks >= 2)
    runner.stop()
    saved = json.loads((tmp_path / "kubernetes" / "events-.json").read_text())
    assert saved["resource_version"] == wanted
    assert saved["seen"] == {"e-0": 1}


def test_a_restart_goes_on_where_it_ended(api, put_event, run, open_receiver, until, in_lake):
    for i in range(5):
        put_event(f"e-{i}")
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.events == 5)
    until(watching(api))
    runner.stop()
    put_event("e-0", 2)
    put_event("e-5")
    n_lists = api.n("list")
    runner = run(receiver)
    until(lambda: runner.statistics.events == 2)
    assert api.n("list") == n_lists
    assert len(in_lake(receiver)) == 7


def test_a_restart_after_the_position_is_gone(api, put_event, run, open_receiver, until, in_lake):
    for i in range(5):
        put_event(f"e-{i}")
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.events == 5)
    runner.stop()
    put_event("e-5")
    api.compact()
    runner = run(receiver)
    until(lambda: runner.statistics.events == 1)
    until(lambda: runner.statistics.repeated_events == 5)
    assert len(in_lake(receiver)) == 6


def test_a_receiver_that_refuses_for_a_while_loses_nothing(
    api, put_event, run, open_receiver, until, in_lake, monkeypatch
):
    receiver = open_receiver()
    take, errors = receiver.write_events, [OverloadedError(5, 4, 0), LogError("disk full")] * 3

    def refuse(body, sender):
        if errors:
            raise errors.pop()
        return take(body, sender)

    monkeypatch.setattr(receiver, "write_events", refuse)
    put_event("e-0")
    runner = run(receiver)
    until(watching(api))
    for i in range(1, 9):
        put_event(f"e-{i}")
    until(lambda: runner.statistics.events == 9)
    assert in_lake(receiver) == [(f"e-{i}", 1) for i in range(9)]
    assert runner.statistics.refusals_of_receiver == 6
    until(lambda: runner.errors == {})


def test_a_stop_while_the_receiver_refuses_leaves_the_position_behind(
    api, put_event, run, open_receiver, until, in_lake, monkeypatch
):
    receiver = open_receiver()

    def refuse(body, sender):
        raise LogError("disk full")

    put_event("e-0")
    with monkeypatch.context() as patch:
        patch.setattr(receiver, "write_events", refuse)
        runner = run(receiver)
        until(lambda: "disk full" in runner.errors.get("delivery of events", ""))
        runner.stop()
    assert in_lake(receiver) == []
    runner = run(receiver)
    until(lambda: runner.statistics.events == 1)
    assert in_lake(receiver) == [("e-0", 1)]


def test_a_wrong_event_takes_no_other_with_it(api, put_event, run, open_receiver, until, in_lake):
    for i in range(7):
        put_event(f"e-{i}")
    put_event("no-reason", reason="")
    put_event("series-is-text", series="x")
    put_event("future", lastTimestamp="2036-03-01T11:00:00Z")
    receiver = open_receiver()
    runner = run(receiver)
    until(lambda: runner.statistics.events == 7)
    until(lambda: runner.statistics.refused_events == 3)
    assert in_lake(receiver) == [(f"e-{i}", 1) for i in range(7)]


def test_a_list_without_a_position_is_told_and_not_stormed(
    api, put_event, run, open_receiver, until, monkeypatch
):
    put_event("e-0")
    get = Client.get

    def without(self, path, query, *, accept="application/json"):
        answer = get(self, path, query, accept=accept)
        answer.get("metadata", {}).pop("resourceVersion", None)
        return answer

    monkeypatch.setattr(Client, "get", without)
    runner = run(open_receiver(), snapshot_every=None)
    until(lambda: runner.statistics.events == 1)
    until(lambda: "no resourceVersion" in runner.errors.get("events", ""))
    asked = api.n("list")
    time.sleep(0.5)
    assert api.n("list") - asked < 50


def test_a_huge_event_is_taken(api, put_event, run, open_receiver, until, lake):
    receiver = open_receiver()
    runner = run(receiver)
    until(watching(api))
    put_event("huge", message="x" * 1_500_000)
    until(lambda: runner.statistics.events == 1)
    receiver.flush()
    (row,) = lake.sql("SELECT length(message) AS n FROM events").to_pylist()
    assert row["n"] == 65_536


def test_expired_events_are_forgotten(api, put_event, run, open_receiver, until, tmp_path, in_lake):
    put_event("e-0")
    put_event("e-1")
    receiver = open_receiver()
    runner = run(receiver)
    until(watching(api))
    api.remove(NEW, "e-0")
    until(lambda: runner.statistics.bookmarks >= 2)
    runner.stop()
    saved = json.loads((tmp_path / "kubernetes" / "events-.json").read_text())
    assert saved["seen"] == {"e-1": 1}
    assert in_lake(receiver) == [("e-0", 1), ("e-1", 1)]


def test_stops_at_once_in_the_middle_of_a_silent_watch(api, run, open_receiver, until):
    api.bookmark_every = 1000
    runner = run(open_receiver(), watch_silence="PT600S", watch_timeout="PT600S")
    until(watching(api))
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < SOON


REAL = Path(__file__).parents[4] / "shared/data/exposition"
REAL_EVENTS = REAL / "insights-operator__openshift-machine-api.json"


@pytest.mark.skipif(not REAL_EVENTS.exists(), reason="real data is not part of the repository")
def test_events_of_a_real_cluster(api, run, open_receiver, until, lake, noon):
    """Without metadata, as OpenShift's insights archive has them: told apart by what they say."""
    events = json.loads(REAL_EVENTS.read_text())["items"]
    api.absent.add(NEW)
    for number, event in enumerate(events):
        api.objects.setdefault(OLD, {})[str(number)] = event
    receiver = open_receiver(max_age=None)
    runner = run(receiver)
    until(lambda: runner.statistics.events == len(events) == 2)
    receiver.flush()
    found = lake.sql("SELECT reason, type, namespace FROM events").to_pylist()
    assert (
        found
        == [{"reason": "FailedUpdate", "type": "Warning", "namespace": "openshift-machine-api"}] * 2
    )
    runner.stop()
    again = run(receiver)
    until(lambda: again.statistics.watches + again.statistics.lists > 0)
    assert again.statistics.events == 0
