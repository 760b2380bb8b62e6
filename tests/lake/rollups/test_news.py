from datetime import UTC, date, datetime, timedelta

import pytest
from deltalake import write_deltalake

from lake import CommitKey
from lake.maintenance import take_out
from lake.parquet import write_file
from lake.partitions import with_date
from lake.rollups.aggregate import LOOKBACK, SLOT
from lake.rollups.news import changed_times, log_of, stale_slots
from lake.timerange import DAY, TimeRange, to_micros

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = to_micros(NOON)
WHOLE_DAY = TimeRange.of_day(NOON.date())
MS = 1000


def changes(lake, since):
    table = lake.samples
    return changed_times(log_of(table.store), since, table.version())


def test_an_append_brings_the_times_of_its_files(lake, make_samples):
    since = lake.samples.version()
    lake.samples.append(make_samples([1.0, 2.0]))
    lake.samples.append(make_samples([1.0], NOON + timedelta(hours=13)))
    after_midnight = AT + 13 * 3_600_000_000
    assert changes(lake, since) == (
        (AT, AT + 1_000_000 + MS),
        (after_midnight, after_midnight + MS),
    )
    assert changes(lake, lake.samples.version()) == ()


def test_a_replaced_day_changes_whole(lake, make_samples):
    lake.samples.append(make_samples([1.0, 2.0]))
    since = lake.samples.version()
    lake.samples.replace(make_samples([5.0]), "date = '2026-03-01' AND cluster = 'eu'")
    assert changes(lake, since) == ((to_micros(WHOLE_DAY.start), to_micros(WHOLE_DAY.end)),)


def test_a_day_that_is_replaced_by_nothing_changes_too(lake, make_samples):
    lake.samples.append(make_samples([1.0, 2.0]))
    since = lake.samples.version()
    lake.samples.replace(make_samples([]), "date = '2026-03-01' AND cluster = 'eu'")
    assert changes(lake, since) == ((to_micros(WHOLE_DAY.start), to_micros(WHOLE_DAY.end)),)


@pytest.mark.parametrize("data_change", [False, True])
def test_what_maintenance_does_is_no_news(lake, make_samples, data_change):
    rows = make_samples([1.0, 2.0])
    lake.samples.append(rows)
    since, files = lake.samples.files()
    part = write_file(lake.samples.store, "merged.parquet", rows, NOON.date())
    lake.samples.rewrite([part], files, CommitKey("compaction", 1), data_change=data_change)
    lake.samples.rewrite([], lake.samples.files()[1], data_change=data_change)
    assert lake.samples.version() == since + 2
    assert changes(lake, since) == ()


def test_a_file_that_is_given_up_is_news(lake, make_samples):
    lake.samples.append(make_samples([1.0, 2.0]))
    since, (file,) = lake.samples.files()
    take_out(lake, file.path)
    assert changes(lake, since) == ((to_micros(WHOLE_DAY.start), to_micros(WHOLE_DAY.end)),)


def test_a_replacement_by_other_writers_of_delta_is_news(lake, make_samples):
    """Older lakes have such entries in their logs."""
    rows = make_samples([1.0, 2.0])
    lake.samples.append(rows)
    since = lake.samples.version()
    write_deltalake(
        lake.samples.store.url,
        with_date(lake.samples.spec, rows),
        mode="overwrite",
        predicate="date = '2026-03-01'",
    )
    assert changes(lake, since) == ((to_micros(WHOLE_DAY.start), to_micros(WHOLE_DAY.end)),)


def test_a_log_entry_that_is_gone_leaves_it_open(lake, make_samples):
    lake.samples.append(make_samples([1.0]))
    lake.samples.append(make_samples([1.0]))
    (lake.samples.folder / "_delta_log" / f"{1:020d}.json").unlink()
    assert changed_times(log_of(lake.samples.store), 0, 2) is None
    assert changed_times(log_of(lake.samples.store), 1, 2) == ((AT, AT + MS),)


def test_a_sample_makes_slots_stale_as_far_as_its_rise_reaches():
    slot = 100 * SLOT
    assert stale_slots(((slot + 7, slot + 8),)) == ((slot, slot + (LOOKBACK + 1) * SLOT),)
    assert stale_slots(((slot - 1, slot),)) == ((slot - SLOT, slot + LOOKBACK * SLOT),)


def test_days_are_those_of_the_calendar():
    assert WHOLE_DAY.end - WHOLE_DAY.start == DAY
    assert WHOLE_DAY.start.date() == date(2026, 3, 1)
