"""Outcomes of requests: futures that resolve when a request is durable."""

from collections.abc import Callable
from concurrent.futures import Future


def settled(result: int) -> "Future[int]":
    """An outcome that is known already."""
    outcome: Future[int] = Future()
    outcome.set_result(result)
    return outcome


def pending() -> "Future[int]":
    """An outcome that is still to come, and that nobody can cancel.

    A sender that hangs up cancels nothing: the record is on its way to disk.
    """
    outcome: Future[int] = Future()
    outcome.set_running_or_notify_cancel()
    return outcome


def follow(
    done: "Future[int]", outcome: "Future[int]", result: int, before: Callable[[], None]
) -> None:
    """Settle `outcome` as `done` is, but with `result` as its value, after calling `before`."""

    def settle(finished: "Future[int]") -> None:
        before()
        error = finished.exception()
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)

    done.add_done_callback(settle)
