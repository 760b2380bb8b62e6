"""kill -9 of a real process under load, again and again: what was acknowledged is there, once.

    uv run pytest tests/real/test_kill.py -m slow -s

Senders repeat the same bytes until they get an answer, as Prometheus does; some requests are given
up on after they got none. A value says of which request it is. Kills come while it serves, while it
starts and replays, and while it flushes: every second, besides the detection that runs beside it.
"""

import json
import signal
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest

from ingest.remote_write import message
from ingest.series import identify
from tests import remote_write_2 as v2
from tests.patience import PATIENCE
from tests.real.programs import tell, wait_for
from tests.real.receivers import ReceiverProcess

SERIES = 50
PER_REQUEST = 500
EVENTS_PER_REQUEST = 20
SPACE = 1_000_000_000
"""Values of one sender: from its number times this on."""

GIVE_UP = 0.15
"""Of requests without an answer, the share that is never sent again."""

WIRES = ("v1", "v1", "v2", "v2", "events", "events")


class Sender(threading.Thread):
    """One connection of one sender; each sample's value is its number, and so is an event's uid."""

    def __init__(self, url: str, number: int, wire: str, started_ms: int) -> None:
        super().__init__(name=f"{wire}-{number}")
        self.number, self.wire, self.started_ms = number, wire, started_ms
        self.rng = np.random.default_rng(number)
        self.client = httpx.Client(base_url=url, timeout=PATIENCE)
        self.next = number * SPACE
        self.acknowledged: list[range] = []
        self.given_up: list[range] = []
        self.requests = self.unanswered = self.refused = 0
        self.ending = threading.Event()
        self.labels = [self.labels_of(place) for place in range(SERIES)]
        self.encoded = [message.encode_labels(labels) for labels in self.labels]

    def labels_of(self, place: int) -> list[tuple[str, str]]:
        return [("__name__", "load"), ("cluster", "kill"), ("n", str(place)),
                ("sender", str(self.number))]  # fmt: skip

    def run(self) -> None:
        size = EVENTS_PER_REQUEST if self.wire == "events" else PER_REQUEST
        with self.client:
            while not self.ending.is_set():
                values = range(self.next, self.next + size)
                self.next += size
                self.deliver(values)

    def deliver(self, values: range) -> None:
        """Send until it is acknowledged or given up on."""
        path, body, headers = getattr(self, self.wire)(values)
        patient = self.rng.random() >= GIVE_UP
        while True:
            self.requests += 1
            try:
                reply = self.client.post(path, content=body, headers=headers)
            except httpx.HTTPError:
                self.unanswered += 1
                if not patient:
                    self.given_up.append(values)
                    return
                time.sleep(0.05)
                continue
            if reply.is_success:
                self.acknowledged.append(values)
                return
            assert reply.status_code == 503, (reply.status_code, reply.text)
            self.refused += 1
            time.sleep(0.1)

    def times(self, values: range) -> np.ndarray:
        place = np.arange(len(values)) + (values.start - self.number * SPACE)
        return self.started_ms + place // SERIES

    def v1(self, values: range):
        each = len(values) // SERIES
        ordered = np.arange(values.start, values.stop).reshape(each, SERIES).T.ravel()
        times = self.times(values).reshape(each, SERIES).T.ravel()
        raw = message.build(self.encoded, np.full(SERIES, each), times, ordered.astype(float))
        headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy"}
        return "/api/v1/write", message.pack(raw), headers

    def v2(self, values: range):
        times, each = self.times(values).tolist(), range(len(values) // SERIES)
        series = [
            v2.Series(
                labels,
                [
                    (times[row * SERIES + place], float(values[row * SERIES + place]))
                    for row in each
                ],
            )
            for place, labels in enumerate(self.labels)
        ]
        proto = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        headers = {"content-type": proto, "content-encoding": "snappy"}
        return "/api/v1/push", message.pack(v2.encode(*series)), headers

    def events(self, values: range):
        at = datetime.fromtimestamp(self.started_ms / 1000, UTC).isoformat()
        base = {"source": "load", "reason": "r", "time": at, "cluster": "kill"}
        body = [base | {"uid": str(value)} for value in values]
        return "/api/v1/events", json.dumps(body).encode(), {"content-type": "application/json"}


def kill_under_load(folder, kills: int, seed: int) -> str:
    rng = np.random.default_rng(seed)
    started_ms = int(time.time() * 1000) - 3_600_000
    server = ReceiverProcess(folder, {"log_segment_bytes": 1 << 20})
    while_starting, repeated = 0, 0.0
    with server:
        senders = [Sender(server.url, n + 1, wire, started_ms) for n, wire in enumerate(WIRES)]
        for sender in senders:
            sender.start()
        try:
            for kill in range(kills):
                time.sleep(rng.uniform(0.3, 3.0))
                repeated += server.metrics()["fleetlake_repeated_requests_total"]
                server.kill()
                if kill % 4 == 1:
                    # Once more while it imports, replays or serves its first requests.
                    server.launch()
                    time.sleep(rng.uniform(1.0, 5.0))
                    server.kill()
                    while_starting += 1
                server.start()
            time.sleep(1.0)
        finally:
            for sender in senders:
                sender.ending.set()
            wait_for(lambda: not any(map(threading.Thread.is_alive, senders)), "last answers")
        server.wait_flushed()
        repeated += server.metrics()["fleetlake_repeated_requests_total"]
        # uvicorn ends as its signal says, after it has shut down.
        assert server.stop() in {0, -signal.SIGTERM}
    acknowledged = sum(len(part) for one in senders for part in one.acknowledged)
    check(server, senders)
    return (
        f"{kills} kills under load and {while_starting} while starting: {acknowledged} samples and "
        f"events acknowledged in {sum(one.requests for one in senders)} requests, "
        f"{sum(one.unanswered for one in senders)} without an answer, "
        f"{sum(one.refused for one in senders)} refused with 503, "
        f"{sum(len(one.given_up) for one in senders)} given up on; {repeated:.0f} known again; "
        "none lost, none doubled"
    )


def check(server: ReceiverProcess, senders: list[Sender]) -> None:
    lake = server.lake()
    rows = lake.sql(
        "SELECT series_id, epoch_ms(time) AS ms, CAST(value AS BIGINT) AS v FROM samples "
        "WHERE cluster = 'kill' AND metric = 'load'"
    )
    ids, ms, found = (rows.column(name).to_numpy() for name in ("series_id", "ms", "v"))
    uids = lake.sql("SELECT CAST(uid AS BIGINT) AS v FROM stored.events").column("v").to_numpy()
    assert lake.sql("SELECT 1 AS n FROM samples ANTI JOIN series USING (series_id)").num_rows == 0
    for sender in senders:
        low, high = sender.number * SPACE, (sender.number + 1) * SPACE
        values = uids if sender.wire == "events" else found
        mine = (values >= low) & (values < high)
        stored = Counter(values[mine].tolist())
        sure = {value for part in sender.acknowledged for value in part}
        perhaps = {value for part in sender.given_up for value in part}
        assert sure, f"{sender.name} got nothing through"
        assert not sure - set(stored), ("lost", sender.name, len(sure - set(stored)))
        doubled = [value for value, times in stored.items() if times > 1]
        assert not doubled, ("doubled", sender.name, len(doubled), doubled[:3])
        assert not set(stored) - sure - perhaps, ("from nowhere", sender.name)
        if sender.wire != "events":
            # Each is of its own series, at its own time.
            place = values[mine] - low
            labels = map(sender.labels_of, range(SERIES))
            named = np.array([identify(one, None).series_id for one in labels])
            assert (ids[mine] == named[place % SERIES]).all()
            assert (ms[mine] == sender.started_ms + place // SERIES).all()


def test_kill_9_under_load(tmp_path):
    tell(kill_under_load(tmp_path, 2, seed=1))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_9_under_load_20_times(tmp_path):
    tell(kill_under_load(tmp_path, 20, seed=2))
