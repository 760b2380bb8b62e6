"""Between the watch and the receiver: batches, without repeats, and the position behind them.

    watch ──► queue ──► new by uid and count? ──► batch ──► receiver: durable ──► position, file

The watch never waits for a disk, until the queue is full; the position never moves past an event
that is not durable.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from ingest.kubernetes.delivery import Delivery, Report
from ingest.kubernetes.event import count_of
from ingest.kubernetes.position import Position
from ingest.kubernetes.server import Json
from ingest.kubernetes.statistics import KubernetesStatistics

logger = logging.getLogger(__name__)

QUEUE = 256
"""Items read ahead: bounds memory also where each is as large as etcd allows."""

PUT_SECONDS = 0.5
FAULT_SECONDS = 5.0
"""How long a fault of ours is left alone."""

BATCH = 500
BATCH_SECONDS = 1.0
"""An event is handed in this long after it came, at most."""

BATCH_BYTES = 4 << 20

SAVE_SHARE = 20
"""The file is written again after this many times what writing it took: 5 % of the time."""

SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that the watch read.

    Attributes:
        event: the event, if it is one.
        gone: uid of an event that the server no longer has.
        resource_version: where the watch stands after this; None = in the middle of a list.
        alive: at the end of a list, the uids of all in it.
    """

    event: Json | None = None
    gone: str | None = None
    resource_version: str | None = None
    alive: AbstractSet[str] | None = None


class Outbox:
    """Takes items of one watch, in their order, and brings their events to the receiver.

    Args:
        delivery: hands events in.
        position: what is stored; the outbox alone changes it while it runs.
        statistics: counts repeats.
        stop: set when the process ends; then nothing more is taken.
        report: told of a fault of ours, after which the work goes on.
    """

    def __init__(
        self,
        delivery: Delivery,
        position: Position,
        statistics: KubernetesStatistics,
        stop: threading.Event,
        report: Report,
    ) -> None:
        self._delivery = delivery
        self._position = position
        self._statistics = statistics
        self._queue: queue.Queue[Item | None] = queue.Queue(QUEUE)
        self._batch: list[str] = []
        self._bytes = 0
        self._due = 0.0
        self._resource_version = position.resource_version
        self._dirty = False
        self._next_save = 0.0
        self._given_up = False
        self._stop = stop
        self._report = report
        self._closed = threading.Event()

    def put(self, item: Item) -> None:
        """Take an item; waits while the queue is full.

        Once stopped, this and all later ones are left out: the position stays before them.
        """
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=PUT_SECONDS)
            except queue.Full:
                continue
            return

    def close(self) -> None:
        """No more items come: `run` ends when it has seen to those that are here. Never waits."""
        self._closed.set()
        with suppress(queue.Full):
            self._queue.put_nowait(None)

    def run(self) -> None:
        """Work until closed; for a thread of its own."""
        while True:
            try:
                if not self._step():
                    return
            except Exception as error:
                logger.exception("outbox failed")
                self._report(error)
                if self._closed.wait(FAULT_SECONDS) and self._queue.empty():
                    return
            else:
                self._report(None)

    def _step(self) -> bool:
        """Take one item, or send what is due; no = nothing more comes."""
        wait = max(0.0, self._due - time.monotonic()) if self._batch else BATCH_SECONDS
        try:
            item = self._queue.get(timeout=wait)
        except queue.Empty:
            item, last = None, self._closed.is_set()
        else:
            last = item is None
        if item is None:
            self._flush(last=last)
            return not last
        self._take(item)
        full = len(self._batch) >= BATCH or self._bytes >= BATCH_BYTES
        if full or (self._batch and time.monotonic() >= self._due):
            self._flush()
        return True

    def _take(self, item: Item) -> None:
        if item.event is not None:
            self._take_event(item.event)
        if item.gone is not None:
            self._position.forget(item.gone)
        if item.alive is not None:
            self._position.keep_only(item.alive)
        if item.resource_version is not None:
            self._resource_version = item.resource_version
        self._dirty = True

    def _take_event(self, event: Json) -> None:
        if not self._position.note(uid_of(event), _count(event)):
            self._statistics.repeated_events += 1
            return
        metadata = event.get("metadata")
        if isinstance(metadata, dict):
            # Who wrote which field: half of its bytes, and of no use here.
            metadata.pop("managedFields", None)
        if not self._batch:
            self._due = time.monotonic() + BATCH_SECONDS
        text = json.dumps(event, separators=(",", ":"))
        self._batch.append(text)
        self._bytes += len(text)

    def _flush(self, *, last: bool = False) -> None:
        if self._batch and not self._given_up:
            # Once stopped, nothing more is known to be durable, so the file stays as it is.
            self._given_up = not self._delivery.deliver(self._batch)
        self._batch, self._bytes = [], 0
        if self._given_up or not self._dirty:
            return
        began = time.monotonic()
        if last or began >= self._next_save:
            self._position.resource_version = self._resource_version
            try:
                self._position.save()
            except OSError:
                # It lags then, as it may; the disk is tried again with the next batch.
                logger.exception("position not saved")
            else:
                self._dirty = False
            took = time.monotonic() - began
            self._next_save = began + max(SAVE_SECONDS, SAVE_SHARE * took)


def _count(event: Json) -> int:
    try:
        return count_of(event)
    except AttributeError:  # a series that is no object: the receiver will say so
        return 0


def uid_of(event: Json) -> str:
    """What an event is told apart by.

    >>> uid_of({"metadata": {"uid": "e-1"}})
    'e-1'
    """
    metadata = event.get("metadata")
    uid = metadata.get("uid") if isinstance(metadata, dict) else None
    return str(uid) if uid else json.dumps(event, sort_keys=True)[:2000]
