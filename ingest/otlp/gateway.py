"""OTLP's door to the receiver: decode, translate, hand in, say what was refused.

Deltas are added up while a request is translated. What the receiver then does not store is taken
back, so that the same bytes, sent again, are added once.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
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
from ingest.otlp.kept import Handed, Kept
from ingest.otlp.limits import Limits
from ingest.otlp.refusals import Refusals
from ingest.otlp.wire import PROTOBUF, decode
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
    """

    def __init__(
        self,
        receiver: Receiver,
        clock: Clock = utc_now,
        *,
        max_numbers: int = MAX_NUMBERS,
        idle: timedelta = IDLE,
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._totals = Accumulator(max_numbers, idle, clock)
        self._kept = Kept()
        # What is compiled is made ready: the first sender need not wait for it.
        decode(b"", PROTOBUF, ExportMetricsServiceRequest())

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
        request = decode(body, media, ExportMetricsServiceRequest(), self._limits())
        sender = self._known(sender)
        hand_in = partial(self._hand_in, request, body, sender)
        if metrics.has_deltas(request):
            key = xxhash.xxh3_128_digest(body) + sender.context(sender.cluster).encode()
            handed = self._kept.once(key, hand_in)
        else:
            handed = hand_in()
        translation = handed.translation
        return self._then(
            handed.outcome, translation.refusals, partial(_metrics_reply, translation)
        )

    def _hand_in(self, request: ExportMetricsServiceRequest, body: bytes, sender: Sender) -> Handed:
        translation = metrics.translate(request, self._totals, sender, self._limits())
        if translation.body is None:
            self._check_cause(translation.refusals, sender)
            return Handed(translation, settled(Written()))
        try:
            outcome = self._receiver.write_samples(translation.body, sender, origin=body)
        except BaseException:
            translation.draft.undo()
            raise
        if translation.draft:
            outcome.add_done_callback(partial(_settle_totals, translation))
        return Handed(translation.stored(), outcome)

    def write_logs(
        self, body: bytes, media: str, sender: Sender
    ) -> "Future[ExportLogsServiceResponse]":
        """Take an `ExportLogsServiceRequest`; arguments, reply and errors as `write_metrics`."""
        limits, sender = self._limits(), self._known(sender)
        request = decode(body, media, ExportLogsServiceRequest(), limits)
        translation = logs.translate(request, sender, limits, self._times())
        outcome = settled(Written())
        if translation.body is None:
            self._check_cause(translation.refusals, sender)
        if translation.body is not None:
            outcome = self._receiver.write_events(translation.body, sender, origin=body)
        return self._then(outcome, translation.refusals, partial(_logs_reply, translation))

    def _known(self, sender: Sender) -> Sender:
        """The sender with the cluster that the receiver would give to its data."""
        return replace(sender, cluster=sender.cluster or self._receiver.settings.default_cluster)

    def _times(self) -> tuple[datetime, datetime]:
        """The first and the last time that the receiver accepts."""
        now, settings = self._clock(), self._receiver.settings
        earliest = EPOCH if settings.max_age is None else now - settings.max_age
        return earliest, now + settings.max_future

    def _limits(self) -> Limits:
        settings = self._receiver.settings
        earliest, latest = (int(moment.timestamp() * 1000) for moment in self._times())
        return Limits(
            settings.max_series_per_request,
            settings.max_body_bytes,
            settings.max_samples_per_request,
            settings.max_labels,
            settings.max_label_name_bytes,
            settings.max_label_value_bytes,
            earliest,
            latest,
        )

    def _check_cause(self, refusals: Refusals, sender: Sender) -> None:
        """A request of which nothing can be stored, for want of a cluster, is refused whole."""
        if refusals.cause is not None:
            self._receiver.statistics.refuse_request(refusals.cause, sender.cluster or "")
            raise refusals.cause

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


def _settle_totals(translation: metrics.Translation, done: Outcome) -> None:
    """Keep what is stored in the totals, take back what is not.

    The receiver does not say which series it refused: those that are new to it, so their totals
    are. And where it knew the request from before a restart, it answers for another body, made
    when those totals stood; then they begin anew with the next delta.
    """
    if done.exception() is not None:
        translation.draft.undo()
        return
    written = done.result()
    whole = written.refusal is None and written.samples == translation.samples
    translation.draft.keep(begun=whole)


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
