"""Asking in the terminal: progress is shown, and Ctrl-C cancels the query."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.cli.query.sources import Asked, Source
from api.cli.terminal import err
from lake.errors import QueryCancelledError

POLL_SECONDS = 0.1

PATIENCE_SECONDS = 1.0
"""Whoever waits longer than this wants to see that something happens."""


class Sink(Protocol):
    """Takes the rows."""

    def take(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch], snapshot_id: str) -> int:
        """Take all, and say how many there were."""
        ...


@dataclass(frozen=True)
class Done:
    """A query that was answered."""

    rows: int
    seconds: float
    snapshot_id: str


def ask(source: Source, sql: str, sink: Sink) -> Done:
    """Ask, and hand the rows to the sink, in a thread of their own.

    Raises:
        QueryCancelledError: Ctrl-C was pressed; the query has stopped.
        LakeError, ApiError: it was refused, or failed.
    """
    began = time.monotonic()
    with source.ask(sql) as asked:
        outcome: list[int | BaseException] = []

        def work() -> None:
            try:
                schema, batches = asked.batches()
                outcome.append(sink.take(schema, batches, asked.snapshot_id()))
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                outcome.append(error)

        thread = threading.Thread(target=work, name="query", daemon=True)
        thread.start()
        try:
            _wait(thread, asked)
        except KeyboardInterrupt:
            stopping = threading.Thread(target=asked.cancel, daemon=True)
            stopping.start()
            thread.join()
            stopping.join()
            raise QueryCancelledError from None
        (ended,) = outcome
        if isinstance(ended, BaseException):
            raise ended
        return Done(ended, time.monotonic() - began, asked.snapshot_id())


def _wait(thread: threading.Thread, asked: Asked) -> None:
    thread.join(PATIENCE_SECONDS)
    if not thread.is_alive():
        return
    if not err.is_terminal:
        while thread.is_alive():
            thread.join(POLL_SECONDS)
        return
    columns = (TextColumn("running, Ctrl-C cancels"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=None)
        while thread.is_alive():
            _show(bar, task, asked.progress())
            thread.join(POLL_SECONDS)


def _show(bar: Progress, task: TaskID, share: float | None) -> None:
    if share:
        bar.update(task, total=1.0, completed=share)
