"""Every decoder of `ingest` as a function of bytes, with the laws that any bytes must keep.

A target raises nothing but `IngestError`s, which it swallows: what comes out is a finding. What is
accepted is also logged, read again and compared, as a restart would.
"""

import json
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from ingest import alertmanager, events, opa, recent, segment
from ingest.catalogue import Catalogue
from ingest.encoding import decompress
from ingest.errors import BadRequestError, IngestError, LogCorruptError, LogVersionError
from ingest.kubernetes import lines as watch
from ingest.kubernetes.outbox import uid_of
from ingest.otlp import logs, metrics, wire
from ingest.otlp.accumulator import Accumulator
from ingest.otlp.limits import Limits
from ingest.remote_write import headers, message
from ingest.remote_write import remote_write_pb2 as schema
from ingest.remote_write.native_histogram import classic
from ingest.replicas import HaSettings, ReplicaTracker
from ingest.scrape.fetch import Reply
from ingest.scrape.source import ScrapeSource
from ingest.scrape.target import Target as ScrapeTarget
from ingest.sender import Sender
from ingest.settings import IngestSettings
from ingest.wires import EVENTS, REMOTE_WRITE, REMOTE_WRITE_2, VERSIONS, Taken, take
from tests.fuzz import seeds

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
SETTINGS = IngestSettings(
    default_cluster="none", max_series_per_request=500, max_samples_per_request=5_000,
    max_metadata_per_request=100, max_body_bytes=1 << 20, max_labels=32,
    max_label_name_bytes=64, max_label_value_bytes=128,
)  # fmt: skip
RULES = replace(
    SETTINGS.rules(Sender("none"), ReplicaTracker(SETTINGS.ha).accept, NOW_US, stated=False),
    starts_after_ms=0,
)
REPLAY = SETTINGS.replay_rules(Sender("none"), stated=False)
LIMITS = Limits(SETTINGS.max_series_per_request, SETTINGS.max_body_bytes)
FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


@dataclass(frozen=True, slots=True)
class Target:
    """What runs, and what its inputs look like."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def accept(kind: int, body: bytes) -> Taken | None:
    """Take a body; what is stored of it must be read again as the same."""
    catalogue = Catalogue()
    try:
        taken = take(kind, body, catalogue, RULES)
    except IngestError:
        return None
    if taken.cause is not None:
        assert isinstance(taken.cause, IngestError)
        return None
    if taken.samples is not None:
        check_samples(taken, catalogue)
    if taken.body is not None:
        again = take(taken.kind, taken.body, Catalogue(), REPLAY)
        if taken.samples is not None:
            assert same_samples(again.samples, taken.samples), "log differs"
        if taken.events is not None:
            assert again.events.equals(taken.events), "the log holds something else"
    return taken


def check_samples(taken: Taken, catalogue: Catalogue) -> None:
    batch = taken.samples
    assert len(batch.series) == len(batch.time_ms) == len(batch.values)
    assert len(batch) <= SETTINGS.max_samples_per_request * 3
    if len(batch):
        assert batch.series.min() >= 0
        assert batch.time_ms.min() >= 0
        assert batch.time_ms.max() <= NOW.timestamp() * 1000 + 600_000
        numbers = np.unique(batch.series)
        zeros = np.zeros(len(numbers), np.int64)
        catalogue.rows(numbers, zeros, zeros)
        for number in numbers.tolist():
            assert catalogue.cluster_of(number)
            assert catalogue.metric_of(number)


def same_samples(one, other) -> bool:
    """Times and bits; numbers of series follow from the order in which they are first seen."""

    def plain(batch):
        rows = zip(batch.time_ms.tolist(), batch.values.view(np.int64).tolist(), strict=True)
        return sorted(rows)

    return plain(one) == plain(other)


def remote_write(kind: int) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        accept(kind, message.pack(data))
        if kind == REMOTE_WRITE:
            compare_with_protobuf(data)

    return run


def compare_with_protobuf(data: bytes) -> None:
    """What protobuf's own decoder refuses as broken, ours does not read as something."""
    try:
        made = schema.WriteRequest.FromString(data)
    except Exception:  # noqa: BLE001 - an oracle, whatever it raises
        return
    with suppress(IngestError):
        wide = IngestSettings(default_cluster="none").replay_rules(Sender("none"), stated=False)
        taken = take(REMOTE_WRITE, message.pack(data), Catalogue(), wide)
        n_samples = sum(len(one.samples) for one in made.timeseries)
        whole = taken.written.refusal is None and taken.cause is None
        if whole and not any(one.histograms for one in made.timeseries):
            assert taken.written.samples == n_samples


def snappy(data: bytes) -> None:
    for kind in VERSIONS:
        accept(kind, data)


def histogram(data: bytes) -> None:
    with suppress(BadRequestError):
        found = classic(data)
        buckets = [value for suffix, _, value in found.parts if suffix == "_bucket"]
        assert len(buckets) <= 2 * 2_048 + 3
        if not np.isnan(buckets).any():
            assert (np.diff(buckets) >= 0).all(), "a histogram that falls"


def otlp_metrics(media: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        totals = Accumulator(clock=lambda: NOW)
        for _ in range(2):
            with suppress(IngestError):
                request = wire.decode(data, media, ExportMetricsServiceRequest())
                metrics.has_deltas(request)
                done = metrics.translate(request, totals, Sender("none"), LIMITS)
                done.refusals.message()
                if done.body is not None:
                    accept(REMOTE_WRITE, done.body)

    return run


def otlp_logs(media: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with suppress(IngestError):
            request = wire.decode(data, media, ExportLogsServiceRequest())
            done = logs.translate(request, Sender("none"), LIMITS)
            done.refusals.message()
            if done.body is not None:
                accept(EVENTS, done.body)

    return run


def event_lines(data: bytes) -> None:
    with suppress(IngestError):
        accept(EVENTS, events.from_lines(data))


def decisions(data: bytes) -> None:
    with suppress(IngestError):
        accept(EVENTS, opa.translate(data, "p").body())


def alerts(parse) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with suppress(IngestError):
            found = parse(data, NOW).alerts
            for alert in found:
                alert.state("none")
            if found:
                accept(EVENTS, alertmanager.to_body(found))

    return run


def exposition(openmetrics: bool) -> Callable[[bytes], None]:
    source = ScrapeSource(job="j", cluster="none", targets=("127.0.0.1:1",))

    def run(data: bytes) -> None:
        target = ScrapeTarget(source, "127.0.0.1:1")
        for _ in range(2):
            with suppress(IngestError):
                scrape = target.answered(Reply(data, openmetrics), NOW_US // 1000, 0.1)
                for body in scrape.bodies:
                    accept(REMOTE_WRITE, body)
                target.sent(scrape)

    return run


def watch_lines(data: bytes) -> None:
    cut = len(data) // 2
    whole = list(watch.lines([data]))
    assert whole == list(watch.lines([data[:cut], data[cut:]]))
    for line in whole:
        found = watch.parse(line)
        if found is not None:
            uid_of(found[1])
            accept(EVENTS, json.dumps(found[1]).encode())


def encodings(data: bytes) -> None:
    for name in ("gzip", "deflate", "zstd", "identity", "br"):
        with suppress(IngestError):
            assert len(decompress(data, name, 1 << 16)) <= 1 << 16 or name == "identity"


def protocol(data: bytes) -> None:
    text = data.decode("latin-1")
    media, _, encoding = text.partition("\n")
    for read in (headers.version, lambda *_: wire.media_type(media), SETTINGS.sender):
        with suppress(IngestError):
            read(media, encoding)


def log_segment(data: bytes) -> None:
    """Whatever is read is a record that was written, in its place."""
    written = seeds.log_records()
    path = FOLDER / f"{seeds.FIRST_POSITION:020}.log"
    path.write_bytes(data)
    for before in (None, seeds.FIRST_POSITION + 2):
        with suppress(LogCorruptError, LogVersionError):
            records, size = segment.read(path, before)
            assert size <= len(data)
            for place, record in enumerate(records):
                assert record.position == seeds.FIRST_POSITION + place
                # Nobody else's bytes have the right checksum.
                assert record in written, "a record that nobody wrote"


def recent_file(data: bytes) -> None:
    path = FOLDER / "recent"
    for body in (data, data + zlib.crc32(data).to_bytes(4, "little")):
        path.write_bytes(body)
        known = recent.RecentRequests()
        known.load(path)
        known.resume(NOW_US)
        known.packed()


def replicas_file(data: bytes) -> None:
    tracker = ReplicaTracker(HaSettings())
    if tracker.load(data, NOW_US):
        tracker.accept("eu", "a", NOW_US)
        assert ReplicaTracker(HaSettings()).load(tracker.save(), NOW_US)


TARGETS = {
    "remote-write-1": Target(remote_write(REMOTE_WRITE), seeds.remote_write_1),
    "remote-write-2": Target(remote_write(REMOTE_WRITE_2), seeds.remote_write_2),
    "snappy": Target(snappy, seeds.packed),
    "native-histogram": Target(histogram, seeds.histograms),
    "otlp-metrics": Target(otlp_metrics(wire.PROTOBUF), seeds.otlp_metrics),
    "otlp-metrics-json": Target(otlp_metrics(wire.JSON), seeds.otlp_metrics_json),
    "otlp-logs": Target(otlp_logs(wire.PROTOBUF), seeds.otlp_logs),
    "otlp-logs-json": Target(otlp_logs(wire.JSON), seeds.otlp_logs_json),
    "events": Target(partial(accept, EVENTS), seeds.events),
    "event-lines": Target(event_lines, seeds.event_lines),
    "opa": Target(decisions, seeds.opa),
    "alertmanager-webhook": Target(alerts(alertmanager.from_webhook), seeds.webhook),
    "alerts": Target(alerts(alertmanager.from_alerts), seeds.alerts),
    "exposition": Target(exposition(False), seeds.exposition),
    "openmetrics": Target(exposition(True), seeds.openmetrics),
    "watch-lines": Target(watch_lines, seeds.watch_lines),
    "encodings": Target(encodings, seeds.encodings),
    "headers": Target(protocol, seeds.headers),
    "log-segment": Target(log_segment, seeds.log_segment),
    "recent-requests": Target(recent_file, seeds.recent_requests),
    "replicas": Target(replicas_file, seeds.replicas),
}
