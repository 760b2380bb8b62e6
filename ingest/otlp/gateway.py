"""OTLP's door to the receiver: decode, translate, hand in, say what was refused.

A request whose deltas were added up is translated once. If writing it fails, the same bytes come
again; then the same body is handed in, and nothing is added twice.
"""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from typing import TypeVar

import xxhash
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from ingest.otlp import logs, metrics
from ingest.otlp.accumulator import IDLE, MAX_NUMBERS, Accumulator
from ingest.otlp.kept import KEPT_BYTES, Kept
from ingest.otlp.limits import Limits
from ingest.otlp.refusals import Refusals
from ingest.otlp.wire import decode
from ingest.outcome import Outcome, Written, settled
from ingest.receiver import Receiver
from ingest.sender import Sender
from lake import Clock, utc_now
from lake.timerange import EPOCH

Reply = TypeVar("Reply")


class Gateway:
    """Takes OTLP requests for a receiver; one for each, since it holds the totals of deltas.

    Thread-safe; decoding and translating take the caller's time.

    Args:
        receiver: where everything goes.
        clock: the time of receipt.
        max_numbers: how much is held to add deltas to, see `Accumulator`.
        idle: deltas of a series that was silent this long begin anew.
        kept_bytes: bodies kept for senders that try again.
    """

    def __init__(
        self,
        receiver: Receiver,
        clock: Clock = utc_now,
        *,
        max_numbers: int = MAX_NUMBERS,
        idle: timedelta = IDLE,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._totals = Accumulator(max_numbers, idle, clock)
        self._kept = Kept(kept_bytes)
        settings = receiver.settings
        self._limits = Limits(settings.max_series_per_request, settings.max_body_bytes)

    def write_metrics(
        self, body: bytes, media: str, sender: Sender
    ) -> "Future[ExportMetricsServiceResponse]":
        """Take an `ExportMetricsServiceRequest`; the reply comes when it is durable.

        Args:
            body: with its `Content-Encoding` undone.
            media: one of the two that `wire.media_type` gives.
            sender: whose it is.

        Raises:
            MalformedBodyError: it is no such message.
            BadRequestError, BodyTooLargeError, OverloadedError: as `Receiver.write_samples`.
        """
        request = decode(body, media, ExportMetricsServiceRequest())
        whose = sender.cluster or ""
        translate = partial(metrics.translate, request, (self._totals, whose), self._limits)
        key = xxhash.xxh3_128_digest(body) + whose.encode()
        deltas = metrics.has_deltas(request)
        translation = self._kept.once(key, translate) if deltas else translate()
        outcome = settled(Written())
        if translation.body is not None:
            outcome = self._receiver.write_samples(translation.body, sender, origin=body)
            if deltas:
                self._kept.release(key, outcome)
        return self._then(outcome, translation.refusals, partial(_metrics_reply, translation))

    def write_logs(
        self, body: bytes, media: str, sender: Sender
    ) -> "Future[ExportLogsServiceResponse]":
        """Take an `ExportLogsServiceRequest`; arguments, reply and errors as `write_metrics`."""
        request = decode(body, media, ExportLogsServiceRequest())
        now, settings = self._clock(), self._receiver.settings
        earliest = EPOCH if settings.max_age is None else now - settings.max_age
        times = earliest, now + settings.max_future
        translation = logs.translate(request, sender.cluster or "", self._limits, times)
        outcome = settled(Written())
        if translation.body is not None:
            outcome = self._receiver.write_events(translation.body, sender, origin=body)
        return self._then(outcome, translation.refusals, partial(_logs_reply, translation))

    def _then(
        self, outcome: Outcome, refusals: Refusals, reply: Callable[[Written], Reply]
    ) -> "Future[Reply]":
        """What a reply is made of is known when the outcome is."""
        if refusals.count:
            self._receiver.statistics.refuse(refusals.by_cluster)
        answer: Future[Reply] = Future()
        # A sender that hangs up cancels nothing: the record is on its way to disk.
        answer.set_running_or_notify_cancel()

        def settle(done: Outcome) -> None:
            error = done.exception()
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(reply(done.result()))

        outcome.add_done_callback(settle)
        return answer


def _metrics_reply(
    translation: metrics.Translation, written: Written
) -> ExportMetricsServiceResponse:
    refused = translation.refusals.count
    if written.refusal is not None:
        # The receiver counts samples, of which a histogram has many: at most all points.
        refused = min(refused + written.refusal.count, translation.points)
    message = translation.refusals.message(written.refusal)
    if not refused:
        return ExportMetricsServiceResponse()
    partial_success = ExportMetricsPartialSuccess(
        rejected_data_points=refused, error_message=message
    )
    return ExportMetricsServiceResponse(partial_success=partial_success)


def _logs_reply(translation: logs.Translation, written: Written) -> ExportLogsServiceResponse:
    refused = translation.refusals.count
    if written.refusal is not None:
        refused += written.refusal.count
    message = translation.refusals.message(written.refusal)
    if not refused:
        return ExportLogsServiceResponse()
    partial_success = ExportLogsPartialSuccess(rejected_log_records=refused, error_message=message)
    return ExportLogsServiceResponse(partial_success=partial_success)
