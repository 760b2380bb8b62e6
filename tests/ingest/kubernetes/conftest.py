"""An API server on loopback that lists, watches, forgets and fails as a real one does."""

import base64
import copy
import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from ingest.backoff import Backoff
from ingest.kubernetes import delivery, outbox, watch
from ingest.kubernetes.client import Client
from ingest.kubernetes.runner import KubernetesRunner
from ingest.kubernetes.settings import KubernetesSource
from tests.patience import wait_until

EVENTS = ("/apis/events.k8s.io/v1", "/api/v1")


@dataclass
class Fault:
    """What one request meets instead of an answer, or in the middle of one.

    kind: status, error_line, cut, hang, drip, malformed, huge_line, shred.
    """

    kind: str
    status: int = 500
    headers: dict = field(default_factory=dict)
    after: int = 0
    on: str = ""  # "list", "watch", "continue"; empty = any


def status_of(code, message="as the test wants it"):
    reason = {410: "Expired", 401: "Unauthorized", 403: "Forbidden", 429: "TooManyRequests"}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason.get(code, "InternalError"),
        "code": code,
    }


class ApiServer:
    """Collections of objects by path, their history, and the faults to come."""

    def __init__(self):
        self.lock = threading.Condition()
        self.version = 1000
        self.compacted = 0
        self.objects: dict[str, dict[str, dict]] = {}
        self.log: list[tuple[int, str, str, dict]] = []
        self.faults: deque[Fault] = deque()
        self.chance: Callable[[str], Fault | None] = lambda kind: None
        self.requests: list[tuple[str, dict, dict]] = []
        self.absent: set[str] = set()
        self.forbidden: set[str] = set()
        self.bookmark_every = 0.1
        self.stopping = False
        self.url = ""

    def put(self, path, item):
        """Create or update; gives the object its resourceVersion."""
        with self.lock:
            self.version += 1
            item = copy.deepcopy(item)
            item["metadata"]["resourceVersion"] = str(self.version)
            uid = item["metadata"]["uid"]
            known = self.objects.setdefault(path, {})
            kind = "MODIFIED" if uid in known else "ADDED"
            known[uid] = item
            self.log.append((self.version, path, kind, item))
            self.lock.notify_all()
            return item

    def remove(self, path, uid):
        with self.lock:
            self.version += 1
            item = copy.deepcopy(self.objects[path].pop(uid))
            item["metadata"]["resourceVersion"] = str(self.version)
            self.log.append((self.version, path, "DELETED", item))
            self.lock.notify_all()

    def compact(self):
        """Forget the past: positions and pages of it are gone."""
        with self.lock:
            self.version += 1
            self.compacted = self.version

    def n(self, kind):
        return sum(1 for _, query, _ in list(self.requests) if kind_of(query) == kind)

    def fault(self, kind):
        with self.lock:
            for fault in self.faults:
                if fault.on in ("", kind):
                    self.faults.remove(fault)
                    return fault
        return self.chance(kind)


def kind_of(query):
    if "watch" in query:
        return "watch"
    return "continue" if "continue" in query else "list"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: ApiServer

    def do_GET(self):
        try:
            self._get()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _get(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.api.requests.append((parts.path, query, dict(self.headers)))
        fault = self.api.fault(kind_of(query))
        if fault is not None and fault.kind == "status":
            return self._json(status_of(fault.status), fault.status, fault.headers)
        if parts.path in self.api.absent:
            return self._json(status_of(404, "not served"), 404)
        if parts.path in self.api.forbidden:
            return self._json(status_of(403, f"cannot list {parts.path}"), 403)
        if "watch" in query:
            return self._watch(parts.path, query, fault)
        return self._list(parts.path, query, fault)

    def _list(self, path, query, fault):
        api = self.api
        with api.lock:
            version, start = api.version, 0
            if "continue" in query:
                version, start = map(int, base64.b64decode(query["continue"]).split())
                if version < api.compacted:
                    return self._json(
                        status_of(410, "The provided continue parameter is too old"), 410
                    )
            items = [copy.deepcopy(o) for o in api.objects.get(path, {}).values()]
            limit = int(query.get("limit", 0)) or len(items) or 1
            about = {"resourceVersion": str(version)}
            if start + limit < len(items):
                about["continue"] = base64.b64encode(f"{version} {start + limit}".encode()).decode()
            items = items[start : start + limit]
        body = json.dumps(
            {"kind": "List", "apiVersion": "v1", "metadata": about, "items": items},
            ensure_ascii=False,
        ).encode()
        return self._body(body, fault)

    def _body(self, body, fault):
        if fault is None and len(body) > 1000 and self.headers["Accept-Encoding"] == "gzip":
            return self._json_bytes(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})
        if fault is None:
            return self._json_bytes(body)
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault.kind == "hang":
            return self._sleep(3)
        if fault.kind == "drip":
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                self._sleep(0.02)
            return None
        self.wfile.write(body[: len(body) // 2] if fault.kind == "cut" else body)
        return None

    def _watch(self, path, query, fault):
        api, at = self.api, int(query["resourceVersion"])
        if at < api.compacted and (fault is None or fault.kind != "error_line"):
            return self._json(status_of(410, "too old resource version"), 410)
        self.send_response(200)
        self.send_header("Content-Type", "application/json;stream=watch")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        ends = time.monotonic() + float(query["timeoutSeconds"])
        sent, marked = 0, time.monotonic()
        while time.monotonic() < ends and not api.stopping:
            if fault is not None and sent >= fault.after and self._in_the_middle(fault):
                return None
            with api.lock:
                new, known = [e for e in api.log if e[0] > at and e[1] == path], api.version
                if not new:
                    api.lock.wait(0.02)
            for version, _, kind, item in new:
                line = (
                    json.dumps({"type": kind, "object": item}, ensure_ascii=False).encode() + b"\n"
                )
                if fault is not None and fault.kind == "cut" and sent >= fault.after:
                    self._chunk(line[: len(line) // 2])
                    self.close_connection = True
                    return None
                for piece in shred(line) if fault is not None and fault.kind == "shred" else [line]:
                    self._chunk(piece)
                at, sent = version, sent + 1
                if fault is not None and fault.kind != "shred" and sent >= fault.after:
                    break
            if not new and time.monotonic() - marked > api.bookmark_every:
                marked, at = time.monotonic(), known
                mark = {"kind": "Event", "metadata": {"resourceVersion": str(at)}}
                self._chunk(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")
                sent += 1
        self._chunk(b"")
        return None

    def _in_the_middle(self, fault):
        """Whether the watch ends by it."""
        if fault.kind == "error_line":
            line = {"type": "ERROR", "object": status_of(fault.status)}
            self._chunk(json.dumps(line).encode() + b"\n")
            self._chunk(b"")
            return True
        if fault.kind == "hang":
            self._sleep(3)
            self.close_connection = True
            return True
        if fault.kind == "malformed":
            self._chunk(b'{"type": "ADDED", "obj\n')
            self._chunk(b"")
            return True
        if fault.kind == "huge_line":
            for _ in range(10):
                self._chunk(b"x" * (1 << 20))
            self._chunk(b"\n")
            self._chunk(b"")
            return True
        if fault.kind == "end":
            self._chunk(b"")
            return True
        return False

    def _sleep(self, seconds):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self.api.stopping:
            time.sleep(0.01)

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _json(self, document, status=200, headers=None):
        self._json_bytes(json.dumps(document).encode(), status, headers)

    def _json_bytes(self, body, status=200, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def shred(line):
    """Pieces of 7 bytes, so that borders fall inside of characters."""
    return [line[i : i + 7] for i in range(0, len(line), 7)]


@pytest.fixture
def api():
    server_state = ApiServer()
    handler = type("Bound", (Handler,), {"api": server_state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server_state.url = f"http://127.0.0.1:{server.server_port}"
    yield server_state
    server_state.stopping = True
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def fault():
    return Fault


@pytest.fixture(scope="session")
def make_event():
    """Builds a core/v1 Event, as `kubectl get events -o json` shows it."""

    def build(uid, count=1, **changes):
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"cart-0.{uid}",
                "namespace": "shop",
                "uid": uid,
                "creationTimestamp": "2026-03-01T10:00:00Z",
                "managedFields": [{"manager": "kubelet", "operation": "Update"}],
            },
            "involvedObject": {
                "kind": "Pod",
                "namespace": "shop",
                "name": "cart-0",
                "uid": "p-1",
                "apiVersion": "v1",
                "fieldPath": "spec.containers{app}",
            },
            "reason": "BackOff",
            "message": "Back-off – растёт 回 restarting failed container",
            "source": {"component": "kubelet", "host": "node-1"},
            "firstTimestamp": "2026-03-01T10:00:00Z",
            "lastTimestamp": f"2026-03-01T11:{count % 60:02d}:00Z",
            "count": count,
            "type": "Warning",
            "eventTime": None,
            "reportingComponent": "kubelet",
            "reportingInstance": "node-1",
        } | changes

    return build


@pytest.fixture(scope="session")
def new_form():
    """An Event of core/v1 as events.k8s.io/v1 shows the same."""

    def convert(event):
        renamed = {
            "involvedObject": "regarding",
            "message": "note",
            "source": "deprecatedSource",
            "firstTimestamp": "deprecatedFirstTimestamp",
            "lastTimestamp": "deprecatedLastTimestamp",
            "count": "deprecatedCount",
            "reportingComponent": "reportingController",
        }
        found = {renamed.get(name, name): value for name, value in event.items()}
        return found | {"apiVersion": "events.k8s.io/v1"}

    return convert


@pytest.fixture
def put_event(api, make_event, new_form):
    """Puts an event where both API groups show it."""

    def put(uid, count=1, **changes):
        event = make_event(uid, count, **changes)
        api.put(EVENTS[1] + "/events", event)
        return api.put(EVENTS[0] + "/events", new_form(event))

    return put


@pytest.fixture
def quick(monkeypatch):
    """All waits short."""
    monkeypatch.setattr(watch, "BACKOFF", Backoff(first=0.01, most=0.05))
    monkeypatch.setattr(delivery, "BACKOFF", Backoff(first=0.01, most=0.05))
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(outbox, "BATCH_SECONDS", 0.05)
    monkeypatch.setattr(outbox, "SAVE_SECONDS", 0.0)


@pytest.fixture
def source(api):
    def build(**changes):
        return KubernetesSource(
            **{
                "cluster": "eu",
                "host": api.url,
                "page_size": 3,
                "snapshot_every": None,
                "watch_silence": timedelta(seconds=0.5),
                "list_timeout": timedelta(seconds=1),
                "watch_timeout": timedelta(seconds=2),
            }
            | changes
        )

    return build


@pytest.fixture
def run(quick, source, tmp_path, noon, open_receiver):
    """Starts runners on one folder, one after the other."""
    started = []

    def start(receiver, **changes):
        one = KubernetesRunner(
            source(**changes), receiver, tmp_path / "kubernetes", Client, lambda: noon
        )
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def until():
    return wait_until


@pytest.fixture
def in_lake(lake):
    """The (uid, count) pairs that the lake holds, with how often each is stored."""

    def read(receiver):
        receiver.flush()
        rows = lake.tables["events"].files()[1]
        if not rows:
            return []
        found = lake.sql("SELECT uid, count FROM events WHERE source = 'kubernetes'").to_pylist()
        return sorted((row["uid"], row["count"]) for row in found)

    return read


PATHS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Job": "/apis/batch/v1/jobs",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "ResourceQuota": "/api/v1/resourcequotas",
    "PodDisruptionBudget": "/apis/policy/v1/poddisruptionbudgets",
    "ConfigMap": "/api/v1/configmaps",
}


def metadata(name, uid, owner=None, namespace="shop", **more):
    found = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "creationTimestamp": "2026-02-01T08:00:00Z",
        "labels": {"app": name, "pod-template-hash": "7d4"},
        "managedFields": [{"manager": "kubectl", "operation": "Update"}],
    }
    if owner:
        kind, owner_name, owner_uid = owner
        found["ownerReferences"] = [
            {"apiVersion": "x/v1", "kind": kind, "name": owner_name, "uid": owner_uid,
             "controller": True, "blockOwnerDeletion": True}
        ]  # fmt: skip
    return {name: value for name, value in (found | more).items() if value is not None}


def template(image, cpu="100m", memory="256Mi", limit="512Mi"):
    return {
        "metadata": {"labels": {"app": "cart"}},
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": image,
                    "env": [{"name": "SECRET", "value": "hunter2"}],
                    "resources": {
                        "requests": {"cpu": cpu, "memory": memory},
                        "limits": {"memory": limit},
                    },
                }
            ],
            "restartPolicy": "Always",
        },
    }


@pytest.fixture(scope="session")
def raw():
    """Builds objects as the API gives them, by kind."""

    def deployment(name="cart", image="shop/cart:v1", replicas=3, revision=1, uid=None, **size):
        return {
            "metadata": metadata(
                name, uid or f"d-{name}",
                annotations={"deployment.kubernetes.io/revision": str(revision)},
            ),
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": template(image, **size),
            },
            "status": {"readyReplicas": replicas, "updatedReplicas": replicas},
        }  # fmt: skip

    def node(name="node-1", ready="True", since="2026-02-01T08:00:00Z", **spec):
        return {
            "metadata": metadata(
                name, f"n-{name}", namespace=None,
                labels={
                    "node.kubernetes.io/instance-type": "m6i.large",
                    "topology.kubernetes.io/zone": "eu-central-1a",
                    "karpenter.sh/capacity-type": "spot",
                },
            ),
            "spec": spec,
            "status": {
                "capacity": {"cpu": "2", "memory": "8Gi", "pods": "29"},
                "allocatable": {"cpu": "1930m", "memory": "7Gi", "pods": "29"},
                "conditions": [
                    {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficient",
                     "lastHeartbeatTime": "2026-03-01T11:59:00Z", "lastTransitionTime": since},
                    {"type": "Ready", "status": ready,
                     "reason": "KubeletReady" if ready == "True" else "NodeStatusUnknown",
                     "lastHeartbeatTime": "2026-03-01T11:59:00Z", "lastTransitionTime": since},
                ],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1.33.1"},
            },
        }  # fmt: skip

    def pod(name="cart-7d4-x", owner=("ReplicaSet", "cart-7d4", "rs-cart"), restarts=0, **status):
        return {
            "metadata": metadata(name, f"p-{name}", owner),
            "spec": template("shop/cart:v1")["spec"]
            | {
                "nodeName": "node-1",
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": "cart-data"}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
            "status": {
                "phase": "Running",
                "podIP": "10.1.0.7",
                "qosClass": "Burstable",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    {
                        "name": "app",
                        "restartCount": restarts,
                        "state": {"running": {"startedAt": "2026-03-01T10:00:00Z"}},
                        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
                        if restarts
                        else {},
                    }
                ],
            }
            | status,
        }

    def replica_set(name="cart-7d4", uid="rs-cart", owner=("Deployment", "cart", "d-cart")):
        return {"metadata": metadata(name, uid, owner)}

    def other(kind, name, spec=None, status=None, owner=None, **more):
        return {
            "metadata": metadata(name, f"{kind}-{name}", owner, **more),
            "spec": spec or {},
            "status": status or {},
        }

    return {"Deployment": deployment, "Node": node, "Pod": pod, "ReplicaSet": replica_set,
            "other": other}  # fmt: skip


@pytest.fixture
def put(api):
    """Puts objects into the cluster by kind."""
    return lambda kind, item: api.put(PATHS[kind], item)


@pytest.fixture(scope="session")
def path_of():
    return PATHS
