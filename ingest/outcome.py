"""What became of a request, and futures of it that resolve when it is durable."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeAlias

BAD_REQUEST, TOO_MANY = 400, 429


@dataclass(frozen=True, slots=True)
class Refusal:
    """The part of a request that was not stored, for a reason that sending again cannot mend.

    Attributes:
        count: samples (or events) refused.
        status: HTTP status that tells the sender so: 400, or 429 for a limit.
        message: the rule that the first of them broke.
    """

    count: int
    status: int
    message: str

    @property
    def title(self) -> str:
        """What kind of refusal it is, as the API's problem documents say."""
        return "too many series" if self.status == TOO_MANY else "bad request"


NOTHING_REFUSED = Refusal(0, 0, "")

TOLD_BEFORE = "as answered before"
"""In place of the rule, which is not kept over a crash: whoever sent it was told once."""


@dataclass(frozen=True, slots=True)
class Written:
    """What of a request is durable.

    Attributes:
        samples: samples stored; stale markers, which are heeded, and samples that are dropped on
            purpose (relabelling, the other replica's) count as stored.
        histograms: native histograms stored, each as the samples of its buckets.
        events: events stored.
        refusal: what of it was not.
    """

    samples: int = 0
    histograms: int = 0
    events: int = 0
    refusal: Refusal | None = None


Outcome: TypeAlias = Future[Written]
"""Resolves when the request is on disk; raises `LogError` if it could not be."""


def settled(written: Written) -> Outcome:
    """An outcome that is known already."""
    outcome: Outcome = Future()
    outcome.set_result(written)
    return outcome


def pending() -> Outcome:
    """An outcome that is still to come, and that nobody can cancel.

    A sender that hangs up cancels nothing: the record is on its way to disk.
    """
    outcome: Outcome = Future()
    outcome.set_running_or_notify_cancel()
    return outcome


def follow(
    done: "Future[int]",
    outcome: Outcome,
    result: Written,
    before: Callable[[BaseException | None], None],
) -> None:
    """Settle `outcome` as `done` is, but with `result` as its value.

    Before that, `before` is called with why `done` failed, or None.
    """

    def settle(finished: "Future[int]") -> None:
        error = finished.exception()
        before(error)
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)

    done.add_done_callback(settle)
