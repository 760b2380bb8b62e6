"""Events on their last yards to the receiver: repeated until it has them."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from ingest.backoff import Backoff
from ingest.errors import BadRequestError, BodyTooLargeError, MalformedBodyError
from ingest.kubernetes.statistics import KubernetesStatistics
from ingest.outcome import Written
from ingest.receiver import Receiver
from ingest.sender import Sender

logger = logging.getLogger(__name__)

Report = Callable[[Exception | None], None]
"""Told the newest failure of a part, or None when it is well."""

BACKOFF = Backoff(first=1.0, most=30.0)

POLL_SECONDS = 0.5
LAST_SECONDS = 5.0
"""How long a stop waits for the disk to take what is on its way."""


class Delivery:
    """Hands events of one cluster to the receiver.

    Args:
        receiver: takes them.
        cluster: theirs.
        stop: set when the process ends; then nothing is repeated any more.
        statistics: counts them.
        report: told why the receiver does not take them, and when it does.
    """

    def __init__(
        self,
        receiver: Receiver,
        cluster: str,
        stop: threading.Event,
        statistics: KubernetesStatistics,
        report: Report,
    ) -> None:
        self._receiver = receiver
        self._sender = Sender(cluster)
        self._stop = stop
        self._statistics = statistics
        self._report = report
        self._rng = np.random.default_rng()

    def deliver(self, events: Sequence[str]) -> bool:
        """Whether all are acknowledged, or refused for good; no only where the process stops.

        Args:
            events: each one as JSON.

        A receiver judges each event by itself. What it cannot take apart (too large, too deep) it
        refuses whole: then the halves are tried, so that one wrong event takes none with it.
        """
        if not events:
            return True
        body = f"[{','.join(events)}]".encode()
        for attempt in range(1 << 31):
            try:
                written = self._acknowledged(body)
            except (BadRequestError, BodyTooLargeError) as error:
                if len(events) > 1 and isinstance(error, MalformedBodyError | BodyTooLargeError):
                    half = len(events) // 2
                    return self.deliver(events[:half]) and self.deliver(events[half:])
                self._statistics.refused_events += len(events)
                logger.warning("events refused", extra={"problem": str(error)})
                return True
            except Exception as error:  # noqa: BLE001 - whatever it is, the events must not be lost
                self._statistics.refusals_of_receiver += 1
                self._report(error)
                asked = getattr(error, "retry_after", None)
                if self._stop.wait(BACKOFF.seconds(attempt, self._rng, asked)):
                    return False
            else:
                return written is not None and self._count(written)
        return False

    def _acknowledged(self, body: bytes) -> Written | None:
        """What is durable; None = the process stops, and it is not known."""
        outcome = self._receiver.write_events(body, self._sender)
        last = None
        while last is None or time.monotonic() < last:
            try:
                return outcome.result(POLL_SECONDS)
            except TimeoutError:
                if last is None and self._stop.is_set():
                    last = time.monotonic() + LAST_SECONDS
        return None

    def _count(self, written: Written) -> bool:
        self._statistics.events += written.events
        if written.refusal is not None:
            self._statistics.refused_events += written.refusal.count
            logger.warning("events refused", extra={"problem": written.refusal.message})
        self._report(None)
        return True
