"""Containers put into a lake by hand, every five minutes, and what is advised for them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from orchestration.advice_settings import AdviceSettings
from orchestration.steps.advice.make import make_advice
from orchestration.steps.feedback_events import feedback_event

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
MIB = 1024.0**2
DAY = 288


class Containers:
    """A lake and the advice on its containers."""

    def __init__(self, lake, fill):
        self.lake, self._fill = lake, fill

    def put(self, series, end=NOW):
        """Series (values, labels) whose last value is that of the five minutes before the end."""
        last = round(end.timestamp() * 1000)
        step = round(STEP.total_seconds() * 1000)
        times = [last - step * np.arange(len(values), 0, -1) for values, _ in series]
        known = [~np.isnan(np.asarray(values, float)) for values, _ in series]
        self._fill(
            self.lake,
            [
                {"cluster": "c1"}
                | {key.replace("metric__", "__name__"): text for key, text in one.items()}
                for _, one in series
            ],
            [own[mask] for own, mask in zip(times, known, strict=True)],
            [
                np.asarray(values, float)[mask]
                for (values, _), mask in zip(series, known, strict=True)
            ],
        )

    def container(
        self,
        cpu=None,
        memory=None,
        request=(1.0, 512 * MIB),
        limit=(None, None),
        pod="cart-7c9d8f6b54-x2v9k",
        container="app",
        end=NOW,
        unit=("core", "byte"),
        **labels,
    ):
        """One pod's container: cores and bytes used, and what is set (None = not)."""
        own = {"namespace": "shop", "pod": pod, "container": container} | labels
        series = []
        if cpu is not None:
            counter = np.cumsum(np.nan_to_num(np.asarray(cpu, float)) * STEP.total_seconds())
            counter = np.where(np.isnan(cpu), np.nan, counter)
            series.append((counter, named("container_cpu_usage_seconds_total", own)))
        if memory is not None:
            series.append((memory, named("container_memory_working_set_bytes", own)))
        for which, values in (("requests", request), ("limits", limit)):
            for resource, value, told in zip(("cpu", "memory"), values, unit, strict=True):
                if value is not None:
                    more = own | {"resource": resource, "unit": told}
                    metric = f"kube_pod_container_resource_{which}"
                    series.append((np.full(6, float(value)), named(metric, more)))
        self.put(series, end)

    def killed(self, time, pod):
        """A Kubernetes event that one of its containers was killed for want of memory."""
        event = feedback_event("c1", "Pod", pod, time, "oom", None, {})
        columns = {"reason": "OOMKilled", "namespace": "shop", "source": "kubernetes"}
        for name, text in columns.items():
            place = event.schema.get_field_index(name)
            event = event.set_column(place, event.schema.field(name), pa.array([text]))
        self.lake.events.append(event)

    def make(self, at=NOW, **settings):
        return make_advice(self.lake, AdviceSettings(**settings), at)

    def rows(self):
        return self.lake.sql("SELECT * FROM advice ORDER BY kind, entity").to_pylist()


def named(metric, labels):
    return {"metric__": metric} | labels


@pytest.fixture
def containers(lake, fill):
    return Containers(lake, fill)


@pytest.fixture(scope="session")
def now():
    return NOW
