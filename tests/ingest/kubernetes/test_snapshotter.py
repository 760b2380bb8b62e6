"""Snapshots of a cluster on loopback, into a real receiver and a real lake."""

import json
import threading
from datetime import timedelta

import pytest

from ingest.errors import ApiServerError, LogError, SourceError
from ingest.kubernetes.client import Client
from ingest.kubernetes.delivery import Delivery
from ingest.kubernetes.history import History, Snapshot
from ingest.kubernetes.snapshotter import Snapshotter
from ingest.kubernetes.statistics import KubernetesStatistics


@pytest.fixture
def receiver(open_receiver):
    return open_receiver(max_future=timedelta(days=2))


@pytest.fixture
def clock(noon):
    class Clock:
        now = noon

        def __call__(self):
            return self.now

        def tick(self, **span):
            self.now += timedelta(**(span or {"minutes": 1}))

    return Clock()


@pytest.fixture
def open_snapshotter(quick, source, lake, tmp_path, receiver, clock):
    """Snapshotters on one folder, one after the other, as after restarts."""

    def build(stop=None, **changes):
        given = source(**changes)
        folder = tmp_path / "kubernetes"
        folder.mkdir(exist_ok=True)
        statistics = KubernetesStatistics()
        stop = stop or threading.Event()
        delivery = Delivery(receiver, "eu", stop, statistics, lambda error: None)
        return Snapshotter(
            Client(given), given, lake, "objects-eu", History(folder), delivery, statistics, clock
        )

    return build


@pytest.fixture
def told(receiver, lake):
    """The change events in the lake, in order."""

    def read(columns="reason, kind, name, message"):
        receiver.flush()
        rows = lake.sql(f"SELECT {columns} FROM events WHERE source = 'change' ORDER BY time, uid")
        return [tuple(row.values()) for row in rows.to_pylist()]

    return read


@pytest.fixture
def rows(lake):
    def read(columns="kind, name, change"):
        found = lake.sql(f"SELECT {columns} FROM objects ORDER BY time, kind, name, change")
        return [tuple(row.values()) for row in found.to_pylist()]

    return read


@pytest.fixture
def shop(put, raw):
    """A small cluster."""
    put("Node", raw["Node"]())
    put("Deployment", raw["Deployment"]())
    put("ReplicaSet", raw["ReplicaSet"]())
    put("Pod", raw["Pod"]())


def test_the_first_snapshot_has_rows_and_no_changes(shop, open_snapshotter, told, rows):
    open_snapshotter().snapshot()
    assert rows() == [
        ("Deployment", "cart", "added"), ("Node", "node-1", "added"),
        ("Pod", "cart-7d4-x", "added"),
    ]  # fmt: skip
    assert told() == []


def test_a_row_says_whose_an_object_is_and_how_it_is(shop, open_snapshotter, lake, noon):
    open_snapshotter().snapshot()
    (pod,) = lake.sql("SELECT * FROM objects WHERE kind = 'Pod'").to_pylist()
    state = json.loads(pod.pop("state"))
    assert pod == {
        "date": noon.date(), "cluster": "eu", "time": noon, "kind": "Pod", "namespace": "shop",
        "name": "cart-7d4-x", "uid": "p-cart-7d4-x", "change": "added",
        "created": noon.replace(month=2, hour=8), "owner_kind": "ReplicaSet",
        "owner_name": "cart-7d4", "workload_kind": "Deployment", "workload": "cart",
        "node": "node-1", "labels": [("app", "cart-7d4-x")],
    }  # fmt: skip
    assert state == {
        "phase": "Running", "reason": None, "ready": True, "claims": ["cart-data"],
        "priority_class": None, "qos": "Burstable", "address": "10.1.0.7",
        "containers": {
            "app": {
                "image": "shop/cart:v1", "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"memory": "512Mi"}, "state": "running", "restarts": 0,
                "last_death": None,
            }
        },
    }  # fmt: skip
    (node,) = lake.sql("SELECT node, state FROM objects WHERE kind = 'Node'").to_pylist()
    state = json.loads(node["state"])
    assert node["node"] == "node-1"
    assert (state["spot"], state["instance_type"]) == (True, "m6i.large")
    assert state["allocatable"] == {"cpu": "1930m", "memory": "7Gi", "pods": "29"}


def test_secrets_in_environments_are_not_kept(shop, open_snapshotter, lake, tmp_path):
    open_snapshotter().snapshot()
    assert "hunter2" not in (tmp_path / "kubernetes" / "objects.json").read_text()
    assert lake.sql("SELECT * FROM objects WHERE contains(state, 'hunter2')").num_rows == 0


def test_a_rollout_is_told_as_a_person_would(
    shop, put, raw, open_snapshotter, clock, told, rows, noon
):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    clock.tick()
    put("Deployment", raw["Deployment"](image="shop/cart:v2", revision=2, replicas=5, cpu="200m"))
    snapshotter.snapshot()
    assert sorted(told()) == [
        ("ImageChanged", "Deployment", "cart", "image of container app: v1 → v2"),
        ("ResourcesChanged", "Deployment", "cart",
         "resources of container app: cpu request 100m → 200m"),
        ("RolloutStarted", "Deployment", "cart", "revision 1 → 2"),
        ("Scaled", "Deployment", "cart", "replicas: 3 → 5"),
    ]  # fmt: skip
    (attributes,) = [dict(a) for r, a in told("reason, attributes") if r == "ImageChanged"]
    assert attributes == {
        "before": "shop/cart:v1", "after": "shop/cart:v2", "container": "app", "revision": "2",
        "object_uid": "d-cart", "workload": "cart", "not_before": noon.isoformat(),
    }  # fmt: skip
    assert rows()[3:] == [("Deployment", "cart", "changed")]


def test_there_and_back_and_there_again_are_three_changes(put, raw, open_snapshotter, clock, told):
    snapshotter = open_snapshotter()
    for image in ("v1", "v2", "v1", "v2"):
        put("Deployment", raw["Deployment"](image=f"shop/cart:{image}"))
        snapshotter.snapshot()
        clock.tick()
    assert [message[-7:] for *_, message in told()] == ["v1 → v2", "v2 → v1", "v1 → v2"]
    assert len({uid for (uid,) in told("uid")}) == 3


def test_nothing_new_writes_nothing(shop, open_snapshotter, clock, lake, put, raw):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    version = lake.objects.version()
    clock.tick()
    put("Node", raw["Node"]())
    snapshotter.snapshot()
    assert lake.objects.version() == version


def test_each_day_begins_with_every_object(shop, open_snapshotter, clock, lake, told, put, raw):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    clock.tick(days=1)
    put("Deployment", raw["Deployment"](replicas=4))
    snapshotter.snapshot()
    found = lake.sql(
        "SELECT kind, change FROM objects WHERE date = DATE '2026-03-02' ORDER BY kind"
    ).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("Deployment", "changed"), ("Node", "present"), ("Pod", "present"),
    ]  # fmt: skip
    assert [reason for reason, *_ in told()] == ["Scaled"]


def test_the_graph_at_a_time(shop, put, api, raw, open_snapshotter, clock, lake, path_of, noon):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    clock.tick()
    put("Pod", raw["Pod"]("cart-7d4-y"))
    snapshotter.snapshot()
    clock.tick()
    api.remove(path_of["Pod"], "p-cart-7d4-x")
    snapshotter.snapshot()

    def pods(at):
        found = lake.sql(
            """SELECT name FROM (
                 SELECT * FROM objects WHERE time <= $at AND date >= CAST($at AS DATE) - 1
                 QUALIFY row_number() OVER (PARTITION BY cluster, uid ORDER BY time DESC) = 1)
               WHERE change <> 'removed' AND kind = 'Pod' ORDER BY name""",
            {"at": at},
        )
        return found.column("name").to_pylist()

    assert pods(noon) == ["cart-7d4-x"]
    assert pods(noon + timedelta(minutes=1)) == ["cart-7d4-x", "cart-7d4-y"]
    assert pods(noon + timedelta(minutes=2)) == ["cart-7d4-y"]


def test_changes_while_we_were_down_are_found(shop, put, raw, open_snapshotter, clock, told):
    open_snapshotter().snapshot()
    put("Deployment", raw["Deployment"](replicas=4))
    clock.tick(hours=3)
    open_snapshotter().snapshot()
    assert told() == [("Scaled", "Deployment", "cart", "replicas: 3 → 4")]


@pytest.mark.parametrize("where", ["events", "rows", "file"])
def test_a_crash_in_the_middle_tells_each_change_once(
    where, shop, put, raw, open_snapshotter, clock, told, rows, monkeypatch, lake
):
    open_snapshotter().snapshot()
    clock.tick()
    put("Deployment", raw["Deployment"](replicas=4))

    def crash(*args):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        if where == "events":
            patch.setattr(Delivery, "deliver", crash)
        elif where == "rows":
            patch.setattr(lake.objects, "append", crash)
        else:
            patch.setattr(History, "finish", crash)
        with pytest.raises(OSError, match="power cut"):
            open_snapshotter().snapshot()
    # Meanwhile the cluster moves on.
    put("Deployment", raw["Deployment"](replicas=6))
    clock.tick()
    open_snapshotter().snapshot()
    assert [message for *_, message in told()] == ["replicas: 3 → 4", "replicas: 4 → 6"]
    assert [row for row in rows() if row[0] == "Deployment"] == [
        ("Deployment", "cart", "added"), ("Deployment", "cart", "changed"),
        ("Deployment", "cart", "changed"),
    ]  # fmt: skip


def test_a_stop_while_the_receiver_refuses_keeps_the_change(
    shop, put, raw, open_snapshotter, clock, told, receiver, monkeypatch
):
    open_snapshotter().snapshot()
    put("Deployment", raw["Deployment"](replicas=4))
    clock.tick()
    stop = threading.Event()

    def refuse(body, sender):
        stop.set()
        raise LogError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(receiver, "write_events", refuse)
        open_snapshotter(stop).snapshot()
    assert told() == []
    open_snapshotter().snapshot()
    assert len(told()) == 1


def test_what_comes_and_goes(shop, put, raw, api, open_snapshotter, clock, told, path_of):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    clock.tick()
    put("Node", raw["Node"]("node-2"))
    put("Pod", raw["Pod"]("cart-7d4-y"))
    api.remove(path_of["Deployment"], "d-cart")
    snapshotter.snapshot()
    assert sorted(told()) == [
        ("DeploymentRemoved", "Deployment", "cart", "Deployment cart removed"),
        ("NodeAdded", "Node", "node-2", "Node node-2 added"),
    ]


def test_a_nodes_condition_has_its_own_time(shop, put, raw, open_snapshotter, clock, told, noon):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    clock.tick()
    put("Node", raw["Node"](ready="Unknown", since="2026-03-01T12:00:30Z"))
    snapshotter.snapshot()
    assert told("reason, message, type, time") == [
        ("NodeConditionChanged", "condition Ready: True → Unknown (NodeStatusUnknown)", "Warning",
         noon + timedelta(seconds=30)),
    ]  # fmt: skip


def test_a_kind_that_may_not_be_listed_is_told_and_kept(
    shop, put, raw, api, open_snapshotter, clock, told, rows, path_of
):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    clock.tick()
    api.forbidden.add(path_of["Deployment"])
    put("Node", raw["Node"](unschedulable=True))
    found = snapshotter.snapshot()
    assert "rbac.yaml" in str(found.refusals["Deployment"])
    assert [reason for reason, *_ in told()] == ["NodeCordoned"]
    assert ("Deployment", "cart", "removed") not in rows()
    api.forbidden.clear()
    put("Deployment", raw["Deployment"](replicas=9))
    clock.tick()
    assert snapshotter.snapshot().refusals == {}
    assert [reason for reason, *_ in told()] == ["NodeCordoned", "Scaled"]


def test_kinds_that_are_read_for_the_first_time_are_no_changes(
    shop, api, open_snapshotter, clock, told, rows, path_of
):
    api.absent.add(path_of["Deployment"])
    open_snapshotter().snapshot()
    api.absent.clear()
    clock.tick()
    open_snapshotter().snapshot()
    assert told() == []
    assert ("Deployment", "cart", "added") in rows()


@pytest.mark.parametrize(
    "changes", [{"namespaces": ("shop",)}, {"config_maps": False}], ids=["namespaces", "maps"]
)
def test_looking_at_less_is_no_change(
    changes, shop, put, raw, api, open_snapshotter, clock, told, rows, path_of
):
    if "config_maps" in changes:
        put("ConfigMap", raw["other"]("ConfigMap", "flags"))
    api.put(within(path_of["Deployment"], "shop"), raw["Deployment"]())
    api.put(within(path_of["Pod"], "shop"), raw["Pod"]())
    open_snapshotter().snapshot()
    clock.tick()
    open_snapshotter(**changes).snapshot()
    clock.tick()
    open_snapshotter().snapshot()
    assert told() == []
    assert not [row for row in rows() if row[2] == "removed"]


def within(path, namespace):
    """The path of the same kind in one namespace."""
    group, _, plural = path.rpartition("/")
    return f"{group}/namespaces/{namespace}/{plural}"


def test_a_forbidden_namespace_takes_no_other_with_it(
    put, raw, api, open_snapshotter, clock, told, rows, path_of
):
    """Of each kind and namespace by itself: what is read, what is as it was, what is gone."""
    shop, pay = (within(path_of["Deployment"], name) for name in ("shop", "pay"))
    api.put(shop, raw["Deployment"]())
    other = raw["Deployment"](name="till", uid="d-till")
    other["metadata"]["namespace"] = "pay"
    api.put(pay, other)
    snapshotter = open_snapshotter(namespaces=("shop", "pay"))
    api.forbidden.add(pay)
    found = snapshotter.snapshot()
    assert [one.name for one in found.objects.values()] == ["cart"]
    assert "Deployment/pay" in found.refusals
    assert rows() == [("Deployment", "cart", "added")]
    api.forbidden.clear()
    clock.tick()
    snapshotter.snapshot()
    api.forbidden.add(pay)
    api.put(shop, raw["Deployment"](replicas=9))
    clock.tick()
    snapshotter.snapshot()
    assert [reason for reason, *_ in told()] == ["Scaled"]
    assert ("Deployment", "till", "removed") not in rows()
    api.forbidden.clear()
    api.remove(pay, "d-till")
    clock.tick()
    snapshotter.snapshot()
    assert ("Deployment", "till", "removed") in rows()
    assert [reason for reason, *_ in told()] == ["Scaled", "DeploymentRemoved"]


def test_a_scope_of_an_earlier_file_is_understood():
    held = {"version": 1, "position": 3, "time": "2026-03-01T12:00:00Z", "since": None,
            "objects": []}  # fmt: skip
    for scope, expected in (
        (["Node", "Pod", "namespace/*"], {"Node", "Pod"}),
        (["Job", "Pod", "namespace/a", "namespace/b"], {"Job/a", "Job/b", "Pod/a", "Pod/b"}),
        (["Pod/a", "Node"], {"Pod/a", "Node"}),
    ):
        assert Snapshot.from_json(held | {"scope": scope}).scope == expected


def test_owners_are_known_without_replica_sets(shop, api, open_snapshotter, lake, path_of):
    api.forbidden.add(path_of["ReplicaSet"])
    open_snapshotter().snapshot()
    (pod,) = lake.sql("SELECT workload_kind, workload FROM objects WHERE kind = 'Pod'").to_pylist()
    assert pod == {"workload_kind": "Deployment", "workload": "cart"}


def test_pods_of_cron_jobs_and_naked_ones(put, raw, open_snapshotter, lake):
    job = ("Job", "nightly-1", "Job-nightly-1")
    put("Job", raw["other"]("Job", "nightly-1", owner=("CronJob", "nightly", "c")))
    put("Pod", raw["Pod"]("nightly-1-a", job))
    put("Pod", raw["Pod"]("naked", None))
    open_snapshotter().snapshot()
    found = lake.sql("SELECT name, workload_kind AS kind, workload FROM objects ORDER BY name")
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("naked", None, None), ("nightly-1", "CronJob", "nightly"),
        ("nightly-1-a", "CronJob", "nightly"),
    ]  # fmt: skip


def test_config_maps_are_read_without_contents_and_locks_left_out(
    put, raw, api, open_snapshotter, clock, told, rows, path_of
):
    lock = {"control-plane.alpha.kubernetes.io/leader": "{}"}
    for name, annotations in (("flags", {}), ("lock", lock), ("cluster-autoscaler-status", {})):
        put("ConfigMap", raw["other"]("ConfigMap", name, annotations=annotations))
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    for name in ("flags", "lock"):
        put(
            "ConfigMap", raw["other"]("ConfigMap", name, annotations=lock if name == "lock" else {})
        )
    clock.tick()
    snapshotter.snapshot()
    assert told() == [("ConfigChanged", "ConfigMap", "flags", "contents changed")]
    asked = [headers["Accept"] for path, _, headers in api.requests if path == path_of["ConfigMap"]]
    assert all("PartialObjectMetadataList" in accept for accept in asked)


def test_long_lists_come_in_pages_and_expired_pages_again(
    put, raw, open_snapshotter, rows, api, fault
):
    for i in range(10):
        put("Pod", raw["Pod"](f"pod-{i}"))
    api.faults.append(fault("status", status=410, on="continue"))
    open_snapshotter().snapshot()
    assert len(rows()) == 10


def test_what_goes_while_a_list_begins_again_is_not_in_it(
    put, raw, open_snapshotter, rows, api, fault, path_of
):
    for i in range(10):
        put("Pod", raw["Pod"](f"pod-{i}"))

    def expire(kind):
        if kind != "continue":
            return None
        api.remove(path_of["Pod"], "p-pod-0")
        return fault("status", status=410)

    api.chance = expire
    open_snapshotter().snapshot()
    assert [name for _, name, _ in rows()] == [f"pod-{i}" for i in range(1, 10)]


@pytest.mark.parametrize("kind", ["status", "cut", "hang"])
def test_a_failed_list_changes_nothing(
    kind, shop, put, raw, open_snapshotter, clock, told, rows, api, fault
):
    snapshotter = open_snapshotter()
    snapshotter.snapshot()
    put("Deployment", raw["Deployment"](replicas=4))
    api.faults.append(fault(kind))
    clock.tick()
    with pytest.raises(SourceError):
        snapshotter.snapshot()
    assert (told(), len(rows())) == ([], 3)
    snapshotter.snapshot()
    assert len(told()) == 1


@pytest.mark.parametrize("item", [{}, {"metadata": None}, {"metadata": {"uid": "x"}}])
def test_nonsense_is_skipped(item, shop, api, open_snapshotter, rows, path_of):
    api.objects.setdefault(path_of["Pod"], {})["nonsense"] = item
    for kind in ("Deployment", "Job", "HorizontalPodAutoscaler", "Node"):
        broken = {"metadata": {"name": f"b-{kind}", "uid": kind}, "spec": 5, "status": ["x"]}
        api.objects.setdefault(path_of[kind], {})[kind] = broken
    open_snapshotter().snapshot()
    assert len(rows()) == 3 + 4


def test_a_list_that_is_none_is_an_error(api, open_snapshotter, monkeypatch):
    monkeypatch.setattr(Client, "get", lambda *args, **more: {"items": 5})
    with pytest.raises(ApiServerError, match="no list"):
        open_snapshotter().snapshot()


def test_damaged_files_are_a_first_start(shop, open_snapshotter, tmp_path, told, clock, rows):
    open_snapshotter().snapshot()
    (tmp_path / "kubernetes" / "objects.json").write_text('{"vers')
    clock.tick()
    open_snapshotter().snapshot()
    assert told() == []
    assert len(rows()) == 6


def test_the_loop_tells_what_fails_and_goes_on(
    shop, put, raw, run, receiver, until, api, path_of, rows
):
    api.forbidden.add(path_of["Job"])
    runner = run(receiver, events=False, snapshot_every=timedelta(seconds=1))
    until(lambda: "cannot list" in runner.errors.get("snapshot", ""))
    api.forbidden.clear()
    put("Deployment", raw["Deployment"](replicas=4))
    until(lambda: runner.errors == {})
    until(lambda: runner.statistics.changes == 1)
    runner.stop()
    runner = run(receiver, events=False, snapshot_every=timedelta(seconds=1))
    until(lambda: runner.statistics.snapshots == 1)
    assert runner.statistics.changes == 0
    assert len(rows()) == 4
