"""Alerts' door to the receiver: those whose state is not stored yet are handed in."""

import logging
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from ingest import alertmanager
from ingest.alert_memory import CAPACITY, AlertMemory
from ingest.alertmanager import OTHER, Alert, Notification
from ingest.errors import (
    BadRequestError,
    ClusterForbiddenError,
    ClusterMissingError,
    InvalidEventError,
)
from ingest.events import check_cluster
from ingest.outcome import BAD_REQUEST, Outcome, Refusal, Written, settled
from ingest.receiver import Receiver
from ingest.sender import Sender
from ingest.wires import FORBIDDEN
from lake import Clock, utc_now
from lake.timerange import EPOCH

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a request of alerts.

    Attributes:
        written: what of it was stored now; its refusal is of alerts that break a rule.
        repeated: alerts whose state was told of before: it is stored, or too old to be.
        too_old: alerts that began before `ingest.max_age`, told of for the first time.
    """

    written: Written
    repeated: int = 0
    too_old: int = 0


@dataclass(slots=True)
class _Judged:
    """Alerts by what becomes of them; by state, since one body may hold an alert twice.

    Attributes:
        stored: those to be stored.
        too_old: clusters of those that began before `ingest.max_age`.
        errors: what is wrong with each of the others, and the cluster it counts for.
        repeated: how many were told of before.
    """

    stored: dict[bytes, Alert] = field(default_factory=dict)
    too_old: dict[bytes, str] = field(default_factory=dict)
    errors: list[tuple[BadRequestError, str]] = field(default_factory=list)
    repeated: int = 0

    def refusal(self) -> Refusal | None:
        """What the sender is told of those that break a rule."""
        if not self.errors:
            return None
        first = self.errors[0][0]
        status = FORBIDDEN if isinstance(first, ClusterForbiddenError) else BAD_REQUEST
        return Refusal(len(self.errors), status, str(first))

    def refused(self) -> Counter[tuple[str, str]]:
        """Those that are not stored by (cluster, rule), for the counters."""
        found = Counter((cluster, error.reason) for error, cluster in self.errors)
        found.update((cluster, "past") for cluster in self.too_old.values())
        return found


class AlertGateway:
    """Takes alerts for a receiver; one for each, since it remembers what is stored. Thread-safe.

    Args:
        receiver: where everything goes.
        clock: the time of receipt.
        capacity: states of alerts that are remembered.
    """

    def __init__(
        self, receiver: Receiver, clock: Clock = utc_now, capacity: int = CAPACITY
    ) -> None:
        self._receiver = receiver
        self._clock = clock
        self._memory = AlertMemory(capacity)

    def write_webhook(self, body: bytes, sender: Sender) -> "Future[Told]":
        """Take a notification of Alertmanager's webhook; resolves once it is durable.

        Raises:
            MalformedBodyError, InvalidEventError: see `alertmanager.from_webhook`.
            OverloadedError: as `Receiver.write_events`.
        """
        told = alertmanager.from_webhook(body, self._clock())
        truncated = told.alerts[0].rest["truncated_alerts"] if told.alerts else ""
        if truncated:
            logger.warning("alerts truncated by their sender", extra={"missing": truncated})
        return self._write(told, sender)

    def write_alerts(self, body: bytes, sender: Sender) -> "Future[Told]":
        """Take what a Prometheus sends its Alertmanagers; outcome and errors as `write_webhook`."""
        return self._write(alertmanager.from_alerts(body, self._clock()), sender)

    def _write(self, told: Notification, sender: Sender) -> "Future[Told]":
        judged = self._judge(told, sender)
        outcome = settled(Written())
        if judged.stored:
            events = alertmanager.to_body(judged.stored.values())
            # Not by the body that came: a part of it may be known, and another time not.
            outcome = self._receiver.write_events(events, sender)
        return self._told(outcome, judged, sender.cluster or "")

    def _judge(self, told: Notification, sender: Sender) -> _Judged:
        """Each alert by itself.

        One that began before `ingest.max_age` may fire for ever, and be told of each minute: that
        is no fault of its sender.
        """
        now, settings = self._clock(), self._receiver.settings
        earliest = EPOCH if settings.max_age is None else now - settings.max_age
        latest = now + settings.max_future
        named = sender.cluster or settings.default_cluster or ""
        judged = _Judged(errors=[(error, named) for error in told.refused])
        # One body may hold an alert twice: the last word on it counts as one.
        states = {alert.state(sender.cluster or ""): alert for alert in told.alerts}
        judged.repeated = len(told.alerts) - len(states)
        unknown = self._memory.unknown(list(states))
        for (state, alert), new in zip(states.items(), unknown, strict=True):
            cluster = alert.labels.get("cluster", named)
            try:
                _check_cluster(alert, cluster, sender)
            except BadRequestError as error:
                judged.errors.append((error, named))
                continue
            if not new:
                judged.repeated += 1
            elif alert.time > latest:
                rule = f"later than {latest.isoformat()}, the latest accepted"
                since = f"{alert.name!r} is {alert.status} since {alert.time.isoformat()}"
                judged.errors.append((InvalidEventError(f"{since}, {rule}"), cluster))
            elif alert.time < earliest:
                judged.too_old[state] = cluster
            else:
                judged.stored[state] = alert
        return judged

    def _told(self, outcome: Outcome, judged: _Judged, cluster: str) -> "Future[Told]":
        answer: Future[Told] = Future()
        # A sender that hangs up cancels nothing: the record is on its way to disk.
        answer.set_running_or_notify_cancel()

        def settle(done: Outcome) -> None:
            error = done.exception()
            if error is not None:
                answer.set_exception(error)
                return
            self._note(judged, done.result(), cluster)
            written, refusal = done.result(), judged.refusal()
            if refusal is not None:
                written = replace(written, refusal=refusal)
            answer.set_result(Told(written, judged.repeated, len(judged.too_old)))

        outcome.add_done_callback(settle)
        return answer

    def _note(self, judged: _Judged, written: Written, cluster: str) -> None:
        """Remember what was told of, and count what is not stored."""
        # Without a start, firing again is the same state as before: what lies between is forgotten.
        ended = [
            alert.state(cluster, OTHER[alert.status])
            for alert in judged.stored.values()
            if alert.starts is None
        ]
        # If the receiver refuses one after all, it is not known which: all are told of again.
        stored = [] if written.refusal is not None else judged.stored
        self._memory.add([*judged.too_old, *stored], ended)
        self._receiver.statistics.refuse(judged.refused())


def _check_cluster(alert: Alert, cluster: str, sender: Sender) -> None:
    if not cluster:
        raise ClusterMissingError(f"alert {alert.name!r}")
    check_cluster(cluster, sender)
