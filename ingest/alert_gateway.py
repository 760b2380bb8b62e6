"""Alerts' door to the receiver: those whose state is not stored yet are handed in."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ingest import alertmanager
from ingest.alert_memory import CAPACITY, AlertMemory
from ingest.alertmanager import OTHER, Alert
from ingest.outcome import BAD_REQUEST, Outcome, Refusal, Written, settled
from ingest.receiver import Receiver
from ingest.sender import Sender
from lake import Clock, utc_now
from lake.timerange import EPOCH

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a request of alerts.

    Attributes:
        written: what of it was stored now; its refusal counts alerts of an unacceptable time.
        repeated: alerts whose state was stored before.
    """

    written: Written
    repeated: int


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
            BadRequestError, OverloadedError: as `Receiver.write_events`.
        """
        alerts = alertmanager.from_webhook(body, self._clock())
        truncated = alerts[0].rest["truncated_alerts"] if alerts else ""
        if truncated:
            logger.warning("alerts truncated by their sender", extra={"missing": truncated})
        return self._write(alerts, body, sender)

    def write_alerts(self, body: bytes, sender: Sender) -> "Future[Told]":
        """Take what a Prometheus sends its Alertmanagers; outcome and errors as `write_webhook`."""
        return self._write(alertmanager.from_alerts(body, self._clock()), body, sender)

    def _write(self, alerts: list[Alert], body: bytes, sender: Sender) -> "Future[Told]":
        cluster = sender.cluster or ""
        # One body may hold an alert twice: the last word on it counts as one.
        states = {alert.state(cluster): alert for alert in alerts}
        unknown = self._memory.unknown(list(states))
        fresh = {
            state: alert for (state, alert), new in zip(states.items(), unknown, strict=True) if new
        }
        refusal, taken = self._judge(fresh)
        outcome = settled(Written())
        if taken:
            events = alertmanager.to_body(taken.values())
            # Not by the body that came: a part of it may be known, and another time not.
            outcome = self._receiver.write_events(events, sender)
        # Without a start, firing again is the same state as before: what lies between is forgotten.
        ended = [
            alert.state(cluster, OTHER[alert.status])
            for alert in taken.values()
            if alert.starts is None
        ]
        return _told(outcome, refusal, len(alerts) - len(fresh), self._memory, list(taken), ended)

    def _judge(self, fresh: dict[bytes, Alert]) -> tuple[Refusal | None, dict[bytes, Alert]]:
        """Leave out alerts whose time is not accepted.

        An alert that began before `ingest.max_age` may fire for ever: it must not take those that
        are told of beside it.
        """
        now, settings = self._clock(), self._receiver.settings
        earliest = EPOCH if settings.max_age is None else now - settings.max_age
        latest = now + settings.max_future
        taken = {state: alert for state, alert in fresh.items() if earliest <= alert.time <= latest}
        wrong = [alert for state, alert in fresh.items() if state not in taken]
        if not wrong:
            return None, taken
        first = wrong[0]
        rule = (
            f"later than {latest.isoformat()}, the latest accepted"
            if first.time > latest
            else f"earlier than {earliest.isoformat()}, the earliest accepted"
        )
        message = (
            f"{len(wrong)} alerts are not stored, the other {len(taken)} are: {first.name!r} is "
            f"{first.status} since {first.time.isoformat()}, {rule}"
        )
        return Refusal(len(wrong), BAD_REQUEST, message), taken


def _told(
    outcome: Outcome,
    refusal: Refusal | None,
    repeated: int,
    memory: AlertMemory,
    states: Sequence[bytes],
    ended: Sequence[bytes],
) -> "Future[Told]":
    answer: Future[Told] = Future()
    # A sender that hangs up cancels nothing: the record is on its way to disk.
    answer.set_running_or_notify_cancel()

    def settle(done: Outcome) -> None:
        error = done.exception()
        if error is not None:
            answer.set_exception(error)
            return
        memory.add(states, ended)
        written = done.result() if refusal is None else replace(done.result(), refusal=refusal)
        answer.set_result(Told(written, repeated))

    outcome.add_done_callback(settle)
    return answer
