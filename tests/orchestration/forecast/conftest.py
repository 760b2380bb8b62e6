"""Resources put into a lake by hand, every five minutes, and what is foretold of them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from orchestration.forecast_settings import ForecastSettings
from orchestration.steps.forecast.make import make_forecasts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
GIB = 1024.0**3


class Resources:
    """A lake and its forecasts."""

    def __init__(self, lake, fill):
        self.lake, self._fill = lake, fill

    def put(self, values, end=NOW, **labels):
        """One series whose last value is that of the five minutes before the end."""
        self.put_all([(values, labels)], end)

    def put_all(self, series, end=NOW):
        last = round(end.timestamp() * 1000)
        step = round(STEP.total_seconds() * 1000)
        times = [last - step * np.arange(len(values), 0, -1) for values, _ in series]
        values = [np.asarray(values, float) for values, _ in series]
        named = [
            {("__name__" if name == "metric" else name): text for name, text in labels.items()}
            for _, labels in series
        ]
        self._fill(self.lake, [{"cluster": "c1"} | one for one in named], times, values)

    def disk(self, used, size=100 * GIB, end=NOW, **labels):
        """A filesystem: how much is used, in per cent, of how much."""
        used = np.asarray(used, float)
        sizes = np.broadcast_to(size, used.shape)
        labels = {"instance": "node-7:9100", "device": "sda", "mountpoint": "/var"} | labels
        self.put_all(
            [
                (sizes * (1.0 - used / 100.0), {"metric": "node_filesystem_avail_bytes"} | labels),
                (sizes, {"metric": "node_filesystem_size_bytes"} | labels),
            ],
            end,
        )

    def make(self, at=NOW, **settings):
        return make_forecasts(self.lake, ForecastSettings(**settings), at)

    def rows(self):
        return self.lake.sql(
            "SELECT * FROM forecasts ORDER BY made_at, resource, subject"
        ).to_pylist()

    def told(self, at=NOW, **settings):
        """The one forecast of a time."""
        self.make(at, **settings)
        (row,) = [row for row in self.rows() if row["made_at"] == at]
        return row


@pytest.fixture
def resources(lake, fill):
    return Resources(lake, fill)


@pytest.fixture(scope="session")
def now():
    return NOW


def _line(per_hour, until, columns=288):
    """A straight line that is at `until` in its last column, a little uneven."""
    hours = np.arange(1 - columns, 1) / 12.0
    return until + per_hour * hours + 0.02 * np.sin(np.arange(columns))


@pytest.fixture(scope="session")
def line():
    return _line
