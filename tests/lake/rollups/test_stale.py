"""Where the rollups of a snapshot lag: the same for the same snapshot, and found in little time."""

from datetime import UTC, datetime

import pytest

from lake import Lake
from lake.maintenance import take_out
from lake.maintenance.policy import CompactionPolicy, Keep
from lake.maintenance.retention import retain
from lake.rollups import roll_up
from lake.rollups.aggregate import HOUR
from lake.table import Table
from tests.lake.rollups.reference import COLUMNS, Sample, buckets, rows_of, same

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
MIDNIGHT = 20514 * 24 * HOUR  # 2026-03-02
MINUTE = 60_000_000
POLICY = CompactionPolicy()
ASKED = f"SELECT {COLUMNS} FROM buckets(INTERVAL 1 HOUR)"


def minutes(value, *, cluster="eu", offset=0):
    return [Sample(cluster, "m", 1, MIDNIGHT + n * MINUTE + offset, value) for n in range(60)]


@pytest.mark.parametrize("clusters", [{}, {"eu": 0}], ids=["all", "one of its own"])
def test_a_snapshot_answers_the_same_after_retention(history, clusters):
    lake = history.lake
    history.append(minutes(1.0))
    roll_up(lake, NOW)
    history.append(minutes(100.0, offset=MINUTE // 2))
    then = lake.snapshot().id
    expected = buckets(history.written, HOUR)
    same(rows_of(lake.sql(ASKED, as_of=then)), expected)
    retain(lake.samples, Keep(None if clusters else 0, clusters), NOW, POLICY)
    assert lake.sql("SELECT count(*) AS n FROM samples").to_pylist() == [{"n": 0}]
    # Another process remembers no answer of before.
    for one in (lake, Lake.open(lake.root)):
        same(rows_of(one.sql(ASKED, as_of=then)), expected)
        same(rows_of(one.sql(ASKED)), buckets(minutes(1.0), HOUR))


def test_a_commit_does_not_have_the_log_opened_again(history, monkeypatch):
    lake = history.lake
    history.append(minutes(1.0))
    roll_up(lake, NOW)
    retain(lake.samples, Keep(0), NOW, POLICY)
    opened, delta = [], Table.delta

    def told(table, version=None):
        opened.append(table.spec.name)
        return delta(table, version)

    monkeypatch.setattr(Table, "delta", told)
    for n in range(4):
        history.append(minutes(2.0, offset=24 * HOUR + n))
        lake.sql(ASKED)
    assert opened.count("samples") == 1


def test_what_is_given_up_is_in_no_bucket(history):
    """Whatever the step, before and after the next roll-up."""
    lake = history.lake
    history.append(minutes(1.0))
    lost = minutes(100.0, offset=MINUTE // 2)
    history.append(lost)
    roll_up(lake, NOW)
    path = max(lake.samples.files()[1], key=lambda file: file.modified_ms).path
    (file,) = [file for file in lake.samples.files()[1] if file.path == path]
    take_out(lake, file.path)
    left = [s.value for s in history.written if s not in lost]
    counts = "SELECT sum(count)::BIGINT AS n, sum(sum) AS s FROM buckets(INTERVAL {})"
    for _ in range(2):
        for step in ("1 HOUR", "5 MINUTE", "7 MINUTE"):
            found = lake.sql(counts.format(step)).to_pylist()
            assert found == [{"n": len(left), "s": sum(left)}], step
        roll_up(lake, NOW)
    stored = lake.sql("SELECT sum(count)::BIGINT AS n FROM samples_1h").to_pylist()
    assert stored == [{"n": len(left)}]
