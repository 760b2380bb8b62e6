"""Outcomes of requests: futures that resolve when a request is durable."""

from concurrent.futures import Future


def settled(result: int) -> "Future[int]":
    """An outcome that is known already."""
    outcome: Future[int] = Future()
    outcome.set_result(result)
    return outcome


def then(done: "Future[int]", result: int) -> "Future[int]":
    """A future with the outcome of `done`, but `result` as its value."""
    outcome: Future[int] = Future()
    # A sender that hangs up cancels nothing: the record is on its way to disk.
    outcome.set_running_or_notify_cancel()

    def settle(finished: "Future[int]") -> None:
        error = finished.exception()
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)

    done.add_done_callback(settle)
    return outcome
