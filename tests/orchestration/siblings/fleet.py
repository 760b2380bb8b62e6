"""The same workload in several clusters, minute by minute, before it is put into a lake."""

from datetime import UTC, datetime, timedelta

import numpy as np

from orchestration.detection_settings import DetectionSettings, DetectorSettings

# Midnight: the first model is fitted at six, on five hours and more.
START = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MINUTES = 9 * 60
CLUSTERS = ("ap", "eu", "sa", "us")
REQUESTS, BUSY, ERRORS = "http_requests_total", "worker_busy_ratio", "client_errors_total"

SETTINGS = DetectionSettings(
    detectors=(DetectorSettings(name="window_memory", parameters={"lengths": [2, 32]}),),
    delay=timedelta(seconds=30),
    history=timedelta(hours=5),
    least_history=timedelta(hours=4),
    also=("siblings",),
)


class Fleet:
    """What a workload does in each cluster.

    Each cluster has three pods and its own size; `busy` is a mean over pods, `requests` and
    `errors` are their sums.
    """

    def __init__(self, clusters=CLUSTERS, seed=1, restless=0.25):
        rng = np.random.default_rng(seed)
        shape = (len(clusters), MINUTES)
        self.clusters = clusters
        size = 10.0 ** (np.arange(len(clusters)) % 3)[:, None]
        # What all share is restless: alone, nobody could tell half or twice as much from it.
        wave = rng.normal(size=MINUTES)
        for minute in range(1, MINUTES):
            wave[minute] += 0.8 * wave[minute - 1]
        wave = np.exp(restless * wave)
        self.values = {
            REQUESTS: 50.0 * size * wave * np.exp(0.03 * rng.normal(size=shape)),
            BUSY: 0.4 * wave * np.exp(0.03 * rng.normal(size=shape)),
            ERRORS: 2.0 * size * np.exp(0.05 * rng.normal(size=shape)),
        }

    def during(self, metric, start, end, factor, clusters=None):
        rows = [self.clusters.index(name) for name in (clusters or self.clusters)]
        self.values[metric][rows, start:end] *= factor
        return self

    def put(self, lake, fill, first=0, end=MINUTES):
        labels, times, values = [], [], []
        grid = round(START.timestamp() * 1000) + np.arange(MINUTES) * 60_000
        for metric, own in self.values.items():
            for row, cluster in enumerate(self.clusters):
                for pod in range(3):
                    labels.append(self.labels(metric, cluster, pod))
                    times.append(grid[first:end] + 7_000 * pod)
                    one = own[row]
                    if metric.endswith("_total"):
                        one = np.cumsum(one / 3 * 60.0)
                    sent = one[first:end]
                    kept = ~np.isnan(sent)
                    times[-1], sent = times[-1][kept], sent[kept]
                    values.append(sent)
        fill(lake, labels, times, values)

    @staticmethod
    def labels(metric, cluster, pod):
        return {
            "__name__": metric,
            "cluster": cluster,
            "namespace": "shop",
            "pod": f"cart-5d9f8c7b6d-{'bcd'[pod]}{cluster}zz"[:21],
            "workload": "cart",
            "instance": f"10.0.{pod}.1:80",
            "region": f"{cluster}-north",
        }


def at(minute):
    return START + minute * MINUTE


def rows(lake, where="true"):
    sql = f"SELECT * FROM anomalies WHERE {where} ORDER BY start, cluster, detector, metric"
    return lake.sql(sql).to_pylist()


def of(found, detector):
    return [row for row in found if row["detector"] == detector]


def essence(found):
    names = ("cluster", "detector", "series_id", "start", "end", "score", "actual", "expected")
    return [tuple(row[name] for name in names) for row in found]
