"""A shop of four services, an hour of it, in which `pay` becomes slow: every signal, as files."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from orchestration.steps.causes.question import Question
from orchestration.steps.causes.rank_file import rank_file

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = START + timedelta(minutes=50)
END = 60
CALLS = {"web": ["cart", "pay"], "pay": ["bank"], "cart": [], "bank": []}
TAILS = ("x2v9k", "bcdfg", "klmnp", "pqrst")
POD = {name: f"{name}-6d4cf56db6-{tail}" for name, tail in zip(CALLS, TAILS, strict=True)}


class Shop:
    """Writes files of an hour; `broken` says in what way `pay` is broken from `AT` on."""

    def __init__(self, folder):
        self.folder = folder
        self.rng = np.random.default_rng(7)

    def metrics(self, broken=True, by="service", **columns):
        rows = []
        for service in CALLS:
            slow = {"web": 0.05, "pay": 0.1}.get(service, 0.0) if broken else 0.0
            requests = {"web": 600.0, "cart": 300.0, "pay": 300.0, "bank": 300.0}[service]
            for minute in range(END):
                late = minute >= 50
                name = service if by == "service" else POD[service]
                common = {"timestamp": START + timedelta(minutes=minute), by: name} | columns
                latency = 0.02 + 0.001 * self.rng.normal() + slow * late
                rows.append(common | {"metric": "latency", "value": latency})
                rows.append(common | {"metric": "requests", "value": requests + self.rng.normal()})
                cpu = (
                    0.3
                    + 0.01 * self.rng.normal()
                    + (0.2 * late * broken if service == "pay" else 0)
                )
                rows.append(common | {"metric": "cpu", "value": cpu})
        return self.write("metrics.parquet", pl.DataFrame(rows))

    def spans(self, broken="slow"):
        rows = []
        for minute in range(END):
            for request in range(20):
                late = minute >= 50
                trace = f"{minute}-{request}"
                begin = START + timedelta(minutes=minute, seconds=3 * request)
                own = {s: 0.01 * (1 + 0.1 * self.rng.random()) for s in CALLS}
                if late and broken == "slow":
                    own["pay"] += 0.3
                stops = late and broken == "stops" and self.rng.random() < 0.8
                self._span(rows, trace, "root", "web", begin, own, stops)
        return self.write("traces.parquet", pl.DataFrame(rows))

    def _span(self, rows, trace, parent, service, begin, own, stops):
        """A span of the handling in a service; its caller waits in a span of its own."""
        span = f"{trace}-{len(rows)}"
        row = {
            "timestamp": begin,
            "trace_id": trace,
            "span_id": span,
            "parent_span_id": parent,
            "pod": POD[service],
            "operation": f"handle {service}",
        }
        rows.append(row)
        seconds = own[service]
        for callee in () if service == "pay" and stops else CALLS[service]:
            waiting = row | {"span_id": f"{span}-{callee}", "parent_span_id": span}
            rows.append(waiting | {"operation": f"call {callee}", "timestamp": begin})
            place = len(rows) - 1
            inner = self._span(rows, trace, f"{span}-{callee}", callee, begin, own, stops)
            rows[place]["duration_us"] = round(1e6 * (inner + 0.001))
            seconds += inner + 0.001
        row["duration_us"] = round(1e6 * seconds)
        return seconds

    def logs(self, broken=True):
        rows = []
        for minute in range(END):
            for service in CALLS:
                for line in range(20):
                    at = START + timedelta(minutes=minute, seconds=3 * line)
                    common = {"timestamp": at, "pod": POD[service], "trace_id": f"{minute}-{line}"}
                    number = self.rng.integers(1e6)
                    rows.append(common | {"body": f"handled order {number} in {service}"})
                    if broken and service == "pay" and minute >= 50 and line % 4 == 0:
                        text = f"ERROR Charge#31 refused for order {number}"
                        rows.append(common | {"body": text})
        return self.write("logs.parquet", pl.DataFrame(rows))

    def graph(self):
        pairs = [(one, other) for one, callees in CALLS.items() for other in callees]
        return self.write("graph.csv", pl.DataFrame(pairs, ["source", "target"], orient="row"))

    def events(self, *rows):
        return self.write("events.parquet", pl.DataFrame(list(rows)))

    def write(self, name, frame):
        path = self.folder / name
        if path.suffix == ".csv":
            frame.write_csv(path)
        else:
            frame.write_parquet(path)
        return path


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def asked(files, by="service", at=AT, warned=None, **others):
    """What is found; `warned` is filled with what is odd."""
    files = files if isinstance(files, list) else [files]
    told = [] if warned is None else warned
    return rank_file(Question(files, by, at, **others), warn=told.append)


def first(answer):
    return answer.causes[0]
