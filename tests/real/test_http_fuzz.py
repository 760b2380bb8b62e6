"""Broken, cut and mislabelled requests on every route that takes data: never a 500, nothing dies.

uv run pytest tests/real/test_http_fuzz.py -m slow -s
"""

import gzip
import random
import socket
import time
import zlib
from collections import Counter

import cramjam
import httpx
import pytest

from ingest.remote_write import message
from tests.fuzz.mutations import mutate
from tests.fuzz.targets import TARGETS
from tests.patience import PATIENCE
from tests.real.programs import tell
from tests.real.receivers import ReceiverProcess

ROUTES = {
    "/api/v1/write": ("remote-write-1", "remote-write-2", "snappy"),
    "/api/v1/push": ("remote-write-2", "remote-write-1"),
    "/v1/metrics": ("otlp-metrics", "otlp-metrics-json"),
    "/api/v1/otlp/v1/metrics": ("otlp-metrics-json",),
    "/otlp/v1/metrics": ("otlp-metrics",),
    "/v1/logs": ("otlp-logs", "otlp-logs-json"),
    "/api/v1/otlp/v1/logs": ("otlp-logs-json",),
    "/api/v1/events": ("events", "event-lines", "watch-lines"),
    "/logs": ("opa",),
    "/logs/some-partition": ("opa",),
    "/api/v1/alertmanager/webhook": ("alertmanager-webhook",),
    "/api/v2/alerts": ("alerts",),
}
MEDIA = [
    "application/x-protobuf", "application/x-protobuf;proto=prometheus.WriteRequest",
    "application/x-protobuf;proto=io.prometheus.write.v2.Request", "application/json",
    "application/json; charset=utf-16", "application/x-ndjson", "text/plain", "", ";;;=", "é/ü",
    "multipart/form-data", "application/x-www-form-urlencoded",
]  # fmt: skip
ENCODINGS = [None, "", "identity", "snappy", "gzip", "deflate", "zstd", "br", "gzip, gzip", "\xff"]
PACK = {
    "snappy": message.pack, "gzip": gzip.compress, "deflate": zlib.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
}  # fmt: skip
QUERIES = ["", "?cluster=eu", "?cluster=", "?cluster=%ff%fe", "?cluster=" + "x" * 60_000, "?a=b&&=",
           "?cluster=%00", "?cluster=eu&cluster=us"]  # fmt: skip
ORGS = [None, "eu", "\xe9", "x" * 5_000]
KNOWN = {200, 202, 204, 400, 401, 403, 404, 405, 413, 415, 422, 429, 499, 503}
MOST_BYTES = 1 << 30


def request(rng: random.Random) -> tuple[str, dict[str, str], bytes]:
    """A body that once was right, under headers that fit it more often than not."""
    path = rng.choice(list(ROUTES))
    decoder = rng.choice(ROUTES[path]) if rng.random() < 0.9 else rng.choice(list(TARGETS))
    body = rng.choice(SEEDS[decoder])
    if rng.random() < 0.8:
        body = mutate(rng, body, SEEDS[decoder])
    if decoder.startswith("remote-write"):
        version = ".v2.Request" if decoder.endswith("2") else ""
        media = MEDIA[2] if version else MEDIA[0]
        encoding = "snappy"
    else:
        media = MEDIA[0] if decoder in {"otlp-metrics", "otlp-logs"} else MEDIA[3]
        media = MEDIA[5] if "lines" in decoder else media
        encoding = rng.choice([None, "gzip", "deflate", "zstd"])
    body = PACK.get(encoding or "", bytes)(body)
    if rng.random() < 0.15:
        body = mutate(rng, body, [b""])
    if rng.random() < 0.1:
        media = rng.choice(MEDIA)
    if rng.random() < 0.1:
        encoding = rng.choice(ENCODINGS)
    headers = {"content-type": media}
    if encoding is not None:
        headers["content-encoding"] = encoding
    if (org := rng.choice(ORGS)) is not None and rng.random() < 0.2:
        headers["x-scope-orgid"] = org
    return path + (rng.choice(QUERIES) if rng.random() < 0.1 else ""), headers, body


def raw(rng: random.Random, port: int) -> None:
    """A connection that breaks off, or whose lengths are wrong; whatever it answers but 500."""
    path, headers, body = request(rng)
    length = rng.choice([len(body) + 10, max(0, len(body) - 3), 10**15, -1, "abc", "", len(body)])
    head = f"POST {path[:2000]} HTTP/1.1\r\nHost: x\r\n".encode()
    for name, value in headers.items():
        head += f"{name}: {value}\r\n".encode("latin-1", "replace")
    if rng.random() < 0.3:
        head += b"Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n%s\r\n" % (rng.choice([len(body), len(body) + 5, 3]), body)
    else:
        head += f"Content-Length: {length}\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        link.settimeout(0.3)
        try:
            link.sendall(head + b"\r\n" + body[: rng.randrange(len(body) + 1)])
            if rng.random() < 0.5:
                link.shutdown(socket.SHUT_WR)
            told = link.recv(4096)
        except OSError:
            return
        assert not told.startswith(b"HTTP/1.1 5"), (path, headers, told)


def fuzz_server(folder, seconds: float, seed: int) -> str:
    rng, statuses = random.Random(seed), Counter()
    settings = {"default_cluster": "none", "max_body_bytes": 1 << 22}
    with ReceiverProcess(folder, settings) as server:
        first = server.resident_bytes()
        ends, count, slowest = time.monotonic() + seconds, 0, 0.0
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            while time.monotonic() < ends:
                count += 1
                if rng.random() < 0.1:
                    raw(rng, server.port)
                    statuses["cut or wrong length"] += 1
                    continue
                path, headers, body = request(rng)
                began = time.monotonic()
                sent = {name: value.encode("latin-1") for name, value in headers.items()}
                reply = client.post(path, content=body, headers=sent)
                slowest = max(slowest, time.monotonic() - began)
                statuses[reply.status_code] += 1
                (folder / "last").write_bytes(body)
                assert reply.status_code in KNOWN, (path, headers, reply.status_code, reply.text)
        assert httpx.get(server.url + "/healthz").is_success
        server.wait_flushed()
        assert server.resident_bytes() < MOST_BYTES
        grown = server.resident_bytes() - first
        assert server.stop() in {0, -15}
    log = (folder / "fleetlake.log").read_text()
    assert "Traceback" not in log, log[-4000:]
    # What it took can be read, and it starts again.
    with server:
        assert httpx.get(server.url + "/healthz").is_success
    lake = server.lake()
    lake.sql("SELECT count(*), min(value) FROM samples")
    lake.sql("SELECT count(*), min(message) FROM events")
    return (
        f"{count} requests in {seconds} s: {dict(statuses)}; slowest {slowest:.2f} s, "
        f"{grown >> 20} MiB more memory"
    )


SEEDS = {name: target.seeds() for name, target in TARGETS.items()}


def test_broken_requests(tmp_path):
    assert "requests" in fuzz_server(tmp_path, 8, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_broken_requests_for_minutes(tmp_path):
    tell(fuzz_server(tmp_path, 240, seed=2))
