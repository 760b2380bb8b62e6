"""Range queries to one Prometheus: repeated where it can help, bounded in what they bring."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from pydantic import TypeAdapter

from ingest.backoff import RETRY_STATUSES, Backoff, retry_after
from ingest.errors import AnswerTooLargeError, SourceError
from ingest.pull.answer import Answer, read
from ingest.pull.source import PrometheusSource
from lake import Clock, TimeRange, utc_now
from lake.timerange import MICROSECOND

TOO_MUCH = (
    "exceeded maximum resolution",
    "would load too many samples",
    "max-samples",
    "exceeds the limit",
    "query timed out",
)
"""What Prometheus, Thanos, Mimir and VictoriaMetrics say of a range that is too long for them."""

REDIRECTS = range(300, 400)

ANSWER: TypeAdapter[Any] = TypeAdapter(Any)
"""Reads JSON at several times the speed of the standard library."""

SHOWN = 500
"""Characters of an answer in a message."""

_decoding = threading.Lock()
"""Two answers decoded at once take twice the memory and, in Python, no less time."""


@dataclass
class Waits:
    """How the client waits; tests put their own in."""

    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], None] = time.sleep
    clock: Clock = utc_now
    rng: np.random.Generator = field(default_factory=np.random.default_rng)


class RangeClient:
    """Asks one source for ranges.

    Args:
        source: where.
        client: what sends the requests; it may be shared.
        waits: how it waits before it asks again.
    """

    def __init__(self, source: PrometheusSource, client: httpx.Client, waits: Waits) -> None:
        self._source = source
        self._client = client
        self._waits = waits
        self.url = f"{source.url.rstrip('/')}/api/v1/query_range"

    def query(self, selector: str, part: TimeRange) -> Answer:
        """The series that a selector finds, with their points at the steps of a range.

        A redirect is not followed: the token is for the address that the settings name.

        Raises:
            AnswerTooLargeError: this range is too much for the source, or for us: ask for less.
            SourceError: no answer after every attempt, or one that no attempt will better.
        """
        form = {
            "query": selector,
            "start": part.start.isoformat(),
            # Prometheus includes the end; ranges here are half-open.
            "end": (part.end - MICROSECOND).isoformat(),
            "step": str(self._source.step.total_seconds()),
        }
        for attempt in range(self._source.retries + 1):
            last = attempt == self._source.retries
            asked: float | None = None
            try:
                status, body, headers = self._post(form)
            except httpx.HTTPError as error:
                if last or not isinstance(error, httpx.TransportError):
                    raise SourceError(self.url, f"{type(error).__name__}: {error}") from error
            else:
                if status not in RETRY_STATUSES or last or _is_too_much(_told(body)):
                    if (to := headers.get("Location")) and status in REDIRECTS:
                        raise SourceError(self.url, f"status {status}: is at {to[:SHOWN]}")
                    return self._read(status, body)
                asked = retry_after(headers, self._waits.clock())
            self._waits.sleep(self._waits.backoff.seconds(attempt, self._waits.rng, asked))
        raise AssertionError("bug: the last attempt neither answered nor failed")

    def _post(self, form: dict[str, str]) -> tuple[int, bytes, httpx.Headers]:
        source, limit = self._source, self._source.max_answer_bytes
        seconds = source.timeout.total_seconds()
        ends = time.monotonic() + seconds
        with self._client.stream(
            "POST", self.url, data=form, headers=source.authorization(), timeout=seconds
        ) as reply:
            parts, size = [], 0
            for part in reply.iter_bytes():
                size += len(part)
                if size > limit:
                    raise AnswerTooLargeError(self.url, f"answer has over {limit} bytes")
                # The client's own timeout is for each read: a trickle would never end.
                if time.monotonic() > ends:
                    raise httpx.ReadTimeout(f"answer took over {seconds:g} s")
                parts.append(part)
        return reply.status_code, b"".join(parts), reply.headers

    def _read(self, status: int, body: bytes) -> Answer:
        with _decoding:
            try:
                answer = ANSWER.validate_json(body)
            except ValueError as error:
                raise SourceError(
                    self.url, f"status {status}, and no JSON in the answer"
                ) from error
            if not isinstance(answer, dict) or answer.get("status") != "success":
                problem = answer.get("error") if isinstance(answer, dict) else answer
                kind = AnswerTooLargeError if _is_too_much(str(problem)) else SourceError
                raise kind(self.url, f"status {status}: {str(problem)[:SHOWN]}")
            return self._answer(answer)

    def _answer(self, answer: dict[str, Any]) -> Answer:
        try:
            return read(answer, self._source.cluster)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SourceError(
                self.url, f"answer is no range of series: {type(error).__name__} {error}"
            ) from error


def _told(body: bytes) -> str:
    return body[:SHOWN].decode(errors="replace")


def _is_too_much(problem: str) -> bool:
    """Whether less of the same might be answered.

    >>> _is_too_much("query processing would load too many samples into memory")
    True
    """
    return any(sign in problem for sign in TOO_MUCH)
