import pyarrow as pa
import pytest

from tests.lake.rollups.reference import to_rows


class History:
    """A lake, and every sample in the order of writing, as it should count."""

    def __init__(self, lake):
        self.lake = lake
        self.written = []

    def append(self, samples):
        samples = sorted(samples, key=lambda sample: sample[:4])  # stable
        self.written += samples
        self.lake.samples.append(to_rows(samples), ordered=True)

    def replace_day(self, cluster, day, samples):
        """As a pull of a past day does."""
        start = day * 86_400_000_000
        inside = range(start, start + 86_400_000_000)
        self.written = [s for s in self.written if s.cluster != cluster or s.time not in inside]
        self.written += samples
        date = pa.scalar(day, pa.int32()).cast(pa.date32()).as_py()
        rows = to_rows(samples)
        self.lake.samples.replace(rows, f"date = '{date}' AND cluster = '{cluster}'")


@pytest.fixture
def history(lake):
    return History(lake)
