"""A small shop in two clusters: series of some hours, and a way to flag them and to tell events."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest import events as event_wire
from lake import TimeRange
from orchestration.detection_settings import DetectionSettings
from orchestration.incident_settings import Call, IncidentSettings
from orchestration.steps import anomaly_rows
from orchestration.steps.incidents.update import update

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLUSTERS = ("eu", "us")
NODES = {"web": "n1", "cart": "n1", "db": "n2"}
WEB, CART, DB = "shop/web", "shop/cart", "shop/db"


def pod(workload):
    return f"{workload}-7c9d8f6b54-x2v9k"


class Shop:
    """A lake, and what happens in it. Times are minutes after `AT`."""

    at = AT

    def __init__(self, lake, fill):
        self.lake = lake
        self._fill = fill
        self.settings = IncidentSettings(
            calls=(Call(source=WEB, target=CART), Call(source=CART, target=DB))
        )
        self._rows = 0

    def fill(self, odd=None, until=60):
        """Six hours of each workload's metrics in each cluster; `odd` ones jump at their minute.

        Args:
            odd: (cluster, workload, metric) to (minute, value).
            until: minutes after `AT`.
        """
        labels, values = [], []
        times = np.arange(-360, until)
        start_ms = round(AT.timestamp() * 1000)
        rng = np.random.default_rng(3)
        for cluster in CLUSTERS:
            for workload, node in NODES.items():
                about = {
                    "cluster": cluster,
                    "namespace": "shop",
                    "pod": pod(workload),
                    "node": node,
                }
                for metric in ("http_errors", "cpu_cores"):
                    own = 1.0 + 0.1 * rng.standard_normal(len(times))
                    if (cluster, workload, metric) in (odd or {}):
                        since, value = odd[cluster, workload, metric]
                        own[times >= since] = value
                    labels.append({"__name__": metric, **about})
                    values.append(own)
        self._fill(self.lake, labels, [start_ms + 60_000 * times] * len(labels), values)

    def flag(self, of, start, end=None, cluster="eu", metric="http_errors", **changes):
        """An anomaly of a workload's series; gives its id."""
        self._rows += 1
        known = self.lake.sql(
            "SELECT * FROM series WHERE cluster = $cluster AND metric = $metric "
            "AND workload = $workload",
            {"cluster": cluster, "metric": metric, "workload": of},
        ).to_pylist()
        about = known[0] if known else {"series_id": None, "workload": of}
        row = {
            "cluster": cluster,
            "anomaly_id": f"{cluster}-{of}-{metric}-{start}",
            "metric": metric,
            **{name: about.get(name) for name in ("series_id", "workload", "pod", "node")},
            "namespace": "shop",
            "start": AT + start * MINUTE,
            "end": AT + (start + 20 if end is None else end) * MINUTE,
            "peak_time": AT + start * MINUTE,
            "score": 4.0,
            "actual": 9.0,
            "expected": 1.0,
            "direction": "above",
            "detector": "window_memory",
            "model_version": "m1",
            "lake_version": self._rows,
            "state": "final",
        }
        self.lake.anomalies.append(anomaly_rows.table([row | changes]))
        return row["anomaly_id"]

    def tell(self, minute, reason, message="", cluster="eu", **fields):
        """An event."""
        moment = AT + minute * MINUTE
        plain = {"time": moment.isoformat(), "uid": f"{cluster}{reason}{minute}{message}"}
        self._rows += 1
        body = (
            plain
            | {
                "uid": f"{plain['uid']}{self._rows}",
                "source": "change",
                "reason": reason,
                "message": message,
            }
            | fields
        )
        rows = event_wire.parse(json.dumps([body]).encode(), cluster, latest=AT + 999 * MINUTE)
        self.lake.events.append(rows)

    def update(self, now=120, since=-30, **settings):
        """Bring incidents up to date as of a minute."""
        chosen = self.settings.model_copy(update=settings)
        between = TimeRange(AT + since * MINUTE, AT + now * MINUTE)
        return update(self.lake, DetectionSettings(), chosen, between, AT + now * MINUTE)

    def incidents(self, where="state IN ('open', 'resolved')"):
        """Rows, by start."""
        query = f"SELECT * FROM incidents WHERE {where} ORDER BY start, incident_id"
        rows = self.lake.sql(query).to_pylist()
        for row in rows:
            row["causes"], row["impact"] = json.loads(row["causes"]), json.loads(row["impact"])
        return rows


@pytest.fixture
def shop(lake, fill):
    return Shop(lake, fill)
