"""Real metrics and logs of two clusters, and seven million points: in by wire, out by SQL.

uv run pytest tests/real/test_real_data.py -m "slow or not slow" -s
"""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import duckdb
import httpx
import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from ingest.remote_write import message
from lake import Lake
from tests import remote_write_2 as v2
from tests.patience import PATIENCE
from tests.real.programs import tell
from tests.real.receivers import ReceiverProcess

DATA = Path(__file__).parents[3] / "shared" / "data"
NEZHA, SMD = DATA / "nezha", DATA / "smd"
HEADERS = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
SECOND = ";proto=io.prometheus.write.v2.Request"
HEADERS_2 = {**HEADERS, "content-type": HEADERS["content-type"] + SECOND}
OFF_MS = 200_000_000_000
"""How far one clock of Nezha's original files was off: here a pod's metrics are put there again."""

SAMPLES_PER_REQUEST = 50_000
LOGS_PER_REQUEST = 2_000


@pytest.fixture(scope="module", autouse=True)
def data() -> None:
    if not NEZHA.exists() or not SMD.exists():
        pytest.skip(f"real data is not at {DATA}")


@pytest.fixture
def source():
    with duckdb.connect() as link:
        link.execute("SET TimeZone = 'UTC'; SET threads = 2")
        yield link


@pytest.fixture
def server(tmp_path):
    with ReceiverProcess(tmp_path, {"max_buffered_samples": 8_000_000, "max_age": None}) as one:
        yield one


def post(client: httpx.Client, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """As senders do: again where the receiver says that it has no room."""
    while True:
        reply = client.post(path, content=body, headers=headers)
        if reply.status_code != 503:
            return reply
        time.sleep(min(float(reply.headers.get("retry-after", 1)), 1.0))


def series_of(table: pa.Table, keys: list[str]):
    """Rows in order of series as (labels, times, values), one series after the other."""
    columns = [table.column(name).to_pylist() for name in keys]
    times = table.column("ms").to_numpy()
    values = table.column("value").to_numpy().astype(np.float64)
    rows = list(zip(*columns, strict=True))
    starts = [0, *(i for i in range(1, len(rows)) if rows[i] != rows[i - 1]), len(rows)]
    for start, end in pairwise(starts):
        labels = {k: v for k, v in zip(keys, rows[start], strict=True) if v is not None}
        yield labels, times[start:end], values[start:end]


def bodies_1(series):
    """Remote write 1.0 with some tens of thousands of samples each."""
    held, size = [], 0
    for one in [*series, None]:
        if held and (one is None or size + len(one[1]) > SAMPLES_PER_REQUEST):
            labels = [message.encode_labels(list(labels.items())) for labels, _, _ in held]
            counts = np.array([len(times) for _, times, _ in held])
            times, values = (np.concatenate([each[n] for each in held]) for n in (1, 2))
            yield message.pack(message.build(labels, counts, times, values)), size
            held, size = [], 0
        if one is not None:
            held.append(one)
            size += len(one[1])


def bodies_2(series):
    """Remote write 2.0, a series in pieces of `SAMPLES_PER_REQUEST`."""
    for labels, times, values in series:
        for start in range(0, len(times), SAMPLES_PER_REQUEST):
            part = slice(start, start + SAMPLES_PER_REQUEST)
            points = list(zip(times[part].tolist(), values[part].tolist(), strict=True))
            raw = v2.encode(v2.Series(sorted(labels.items()), points, (2, "", "")))
            yield message.pack(raw), len(points)


def differences(source, lake: Lake, stored: str, expected: str) -> dict[str, int]:
    """Rows on one side only, of what is stored and of what was sent; same columns in both."""
    source.register("stored", lake.sql(stored))
    source.execute(f"CREATE OR REPLACE TEMP TABLE sent AS {expected}")
    only = "SELECT count(*) FROM (FROM {} EXCEPT ALL FROM {})"
    queries = {
        "sent": "SELECT count(*) FROM sent",
        "stored": "SELECT count(*) FROM stored",
        "lost": only.format("sent", "stored"),
        "from nowhere": only.format("stored", "sent"),
    }
    return {name: source.execute(sql).fetchall()[0][0] for name, sql in queries.items()}


def nothing_differs(found: dict[str, int], count: int) -> bool:
    return found == {"sent": count, "stored": count, "lost": 0, "from nowhere": 0}


def test_nezha_metrics_but_for_a_wrong_clock(source, tmp_path):
    """All of the two clusters go in; pods whose clock is off by Nezha's error are refused."""
    read = f"FROM '{NEZHA}/metrics.parquet'"
    keys = ["cluster", "__name__", "kind", "pod", "service"]
    # Names as an exporter writes them: `CpuUsage(m)` is none that Prometheus 2 takes.
    metric = "regexp_replace(metric, '[^a-zA-Z0-9_]', '_', 'g')"
    columns = f"cluster, {metric} AS __name__, kind, pod, service"
    # Two pods tell everything a second time, by a clock that is six years ahead or behind.
    wrong = source.execute(
        f"SELECT cluster, min(pod) AS pod {read} GROUP BY cluster ORDER BY cluster"
    ).fetchall()
    shifts = dict(zip(wrong, (OFF_MS, -OFF_MS), strict=True))
    parts = [f"SELECT {columns}, epoch_ms(timestamp) AS ms, value {read}"]
    parts += [
        f"SELECT {columns}, epoch_ms(timestamp) + {shift} AS ms, value {read} "
        f"WHERE cluster = '{cluster}' AND pod = '{pod}'"
        for (cluster, pod), shift in shifts.items()
    ]
    table = source.sql(
        f"{' UNION ALL '.join(parts)} ORDER BY {', '.join(keys)}, ms"
    ).to_arrow_table()
    days = (time.time() - 1_640_995_200) // 86_400  # since 2022
    settings = {"max_age": f"P{days:.0f}D", "max_buffered_samples": 8_000_000}
    statuses, told = set(), 0
    with ReceiverProcess(tmp_path, settings) as server, httpx.Client(base_url=server.url) as client:
        for body, size in bodies_1(series_of(table, keys)):
            reply = post(client, "/api/v1/write", body, HEADERS)
            written = int(reply.headers["x-prometheus-remote-write-samples-written"])
            told += size - written
            statuses.add((reply.status_code, written == size))
            if reply.status_code == 400:
                assert "is the sender's clock right?" in reply.text or "earliest" in reply.text
        server.wait_flushed()
        counters = server.metrics()
    refused = {
        reason: counters[
            f'fleetlake_samples_refused_total{{cluster="{cluster}",reason="{reason}"}}'
        ]
        for (cluster, _), reason in zip(wrong, ("future", "past"), strict=True)
    }
    counts = [
        source.execute(
            f"SELECT count(*) {read} WHERE cluster = ? AND pod = ?", list(pair)
        ).fetchall()[0][0]
        for pair in wrong
    ]
    assert statuses == {(204, True), (400, False)}
    assert list(refused.values()) == counts
    assert told == sum(counts)
    assert sum(value for name, value in counters.items() if "samples_refused" in name) == told
    found = differences(
        source,
        server.lake(),
        "SELECT samples.cluster, samples.metric, labels['kind'] AS kind, labels['pod'] AS pod, "
        "labels['service'] AS service, epoch_ms(time) AS ms, value "
        "FROM samples JOIN series USING (series_id)",
        f"SELECT cluster, {metric}, kind, pod, service, epoch_ms(timestamp) AS ms, value {read}",
    )
    assert nothing_differs(found, 1_036_656), found
    tell(f"{found}; refused and counted: {refused}")


def attribute(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def log_requests(table: pa.Table):
    """OTLP requests of some thousand lines; lines that are the same in everything stay together."""
    request, size, before, last = ExportLogsServiceRequest(), 0, None, None
    for line in table.to_pylist():
        key = (line["cluster"], line["pod"], line["container"], line["node"])
        if size >= LOGS_PER_REQUEST and line != before:
            yield request, size
            request, size = ExportLogsServiceRequest(), 0
        if size == 0 or key != last:
            last, made = key, request.resource_logs.add()
            names = ("cluster", "pod", "container", "node")
            made.resource.attributes.extend(
                attribute(f"k8s.{name}.name", text) for name, text in zip(names, key, strict=True)
            )
            scope = made.scope_logs.add()
        record = scope.log_records.add(time_unix_nano=line["ns"] % (1 << 64))
        record.body.string_value = line["body"]
        record.trace_id = bytes.fromhex(line["trace_id"] or "")
        record.span_id = bytes.fromhex(line["span_id"] or "")
        size, before = size + 1, line
    yield request, size


def test_nezha_logs_but_for_a_wrong_clock(source, server):
    """All lines go in but 45, whose clock says 1754: Go's zero time, out of 64 bits."""
    read = f"FROM '{NEZHA}/logs.parquet'"
    columns = "cluster, pod, container, node, epoch_ns(timestamp) AS ns, body, trace_id, span_id"
    table = source.sql(f"SELECT {columns} {read} ORDER BY ALL").to_arrow_table()
    ((wrong,),) = source.execute(f"SELECT count(*) {read} WHERE year(timestamp) < 1970").fetchall()
    refused = 0
    with httpx.Client(base_url=server.url, timeout=2 * PATIENCE) as client:
        for number, (request, _) in enumerate(log_requests(table)):
            body, as_json = request.SerializeToString(), number % 8 == 1
            if as_json:
                # Its ids are hexadecimal. A few will do: to make it takes longer than all the rest.
                document = json_format.MessageToDict(request)
                for resource in document["resourceLogs"]:
                    for record in resource["scopeLogs"][0]["logRecords"]:
                        for name in ("traceId", "spanId"):
                            if name in record:
                                record[name] = base64.b64decode(record[name]).hex()
                body = json.dumps(document).encode()
            media = "json" if as_json else "x-protobuf"
            reply = post(client, "/v1/logs", body, {"content-type": f"application/{media}"})
            assert reply.status_code == 200, (reply.status_code, reply.content[:500])
            answer = ExportLogsServiceResponse()
            if as_json:
                json_format.Parse(reply.content, answer)
            else:
                answer.ParseFromString(reply.content)
            refused += answer.partial_success.rejected_log_records
    server.wait_flushed()
    counters = server.metrics()
    assert wrong == 45
    assert refused == wrong
    in_counters = {name: n for name, n in counters.items() if "samples_refused_total" in name}
    assert sum(in_counters.values()) == wrong, in_counters
    found = differences(
        source,
        server.lake(),
        "SELECT cluster, name AS pod, attributes['k8s.container.name'] AS container, "
        "attributes['k8s.node.name'] AS node, epoch_us(time) AS us, message AS body, "
        "coalesce(attributes['trace_id'], '') AS trace_id, "
        "coalesce(attributes['span_id'], '') AS span_id FROM events",
        "SELECT cluster, pod, container, node, epoch_ns(timestamp) // 1000 AS us, body, "
        f"coalesce(trace_id, '') AS trace_id, coalesce(span_id, '') AS span_id {read} "
        "WHERE year(timestamp) >= 1970",
    )
    assert nothing_differs(found, 188_216 - wrong), found
    tell(f"{found}; refused and counted: {in_counters}")


def smd_goes_in(source, server, machines: int) -> None:
    read = (
        f"FROM '{SMD}/metrics.parquet' WHERE entity IN "
        f"(SELECT entity FROM '{SMD}/entities.parquet' ORDER BY entity LIMIT {machines})"
    )
    table = source.sql(
        "SELECT 'smd' AS cluster, metric AS __name__, entity AS instance, "
        f"epoch_ms(timestamp) AS ms, value {read} ORDER BY entity, metric, timestamp"
    ).to_arrow_table()
    bodies = list(bodies_2(series_of(table, ["cluster", "__name__", "instance"])))
    began = time.monotonic()
    with (
        httpx.Client(base_url=server.url, timeout=2 * PATIENCE) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        replies = pool.map(lambda one: post(client, "/api/v1/write", one[0], HEADERS_2), bodies)
        for reply, (_, size) in zip(replies, bodies, strict=True):
            assert reply.status_code == 204, reply.text
            assert reply.headers["x-prometheus-remote-write-samples-written"] == str(size)
    seconds = time.monotonic() - began
    server.wait_flushed()
    found = differences(
        source,
        server.lake(),
        "SELECT samples.cluster, samples.metric, labels['instance'] AS instance, "
        "epoch_ms(time) AS ms, value FROM samples JOIN series USING (series_id)",
        "SELECT 'smd', metric, entity, epoch_ms(timestamp), CAST(value AS DOUBLE) " + read,
    )
    assert nothing_differs(found, len(table)), found
    tell(f"{found}; acknowledged in {seconds:.1f} s, {len(bodies)} requests")


def test_smd_of_one_machine(source, server):
    smd_goes_in(source, server, 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_of_smd(source, server):
    smd_goes_in(source, server, 4)
