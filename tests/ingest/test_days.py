"""Each day in a flush costs a file: a small request must not make thousands of them."""

from datetime import timedelta

import pytest

from ingest.receiver import Receiver
from ingest.settings import IngestSettings

DAY_MS = 86_400_000


@pytest.fixture
def days(body, now_ms):
    """One series with a sample on each of so many days before now."""
    labels = [("__name__", "up"), ("cluster", "eu")]
    return lambda n: body((labels, [(now_ms - i * DAY_MS, 1.0) for i in reversed(range(n))]))


@pytest.mark.parametrize(("settings", "kept"), [({}, 32), ({"max_age": timedelta(days=3)}, 4)])
def test_what_is_older_than_a_month_is_refused_and_the_rest_stored(
    lake, tmp_path, noon, days, settings, kept
):
    receiver = Receiver(lake, tmp_path / "receiver", IngestSettings(**settings), lambda: noon)
    written = receiver.write_samples(days(3000)).result(10)
    receiver.close()
    assert (written.samples, written.refusal.count) == (kept, 3000 - kept)
    assert "ingest.max_age" in written.refusal.message
    assert receiver.statistics.refused["eu", "past"] == 3000 - kept
    assert len(lake.samples.files()[1]) == kept


def test_history_is_taken_where_it_is_wanted(lake, tmp_path, noon, days):
    settings = IngestSettings(max_age=None)
    receiver = Receiver(lake, tmp_path / "receiver", settings, lambda: noon)
    assert receiver.write_samples(days(100)).result(10).samples == 100
    receiver.close()
    assert len(lake.samples.files()[1]) == 100
