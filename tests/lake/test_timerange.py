from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake import TimeRange
from lake.errors import TimeRangeError
from lake.timerange import from_micros, to_micros

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("start", "end", "rule"),
    [
        pytest.param(NOON, NOON, "not after its start", id="empty"),
        pytest.param(NOON, NOON - MICRO, "not after its start", id="reversed"),
        pytest.param(
            NOON.replace(tzinfo=None), NOON + MICRO, "start .* no time zone", id="naive start"
        ),
        pytest.param(NOON, NOON.replace(tzinfo=None), "end .* no time zone", id="naive end"),
        pytest.param(
            NOON,
            datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))),
            "not after",
            id="zones",
        ),
    ],
)
def test_wrong_ranges_are_refused(start, end, rule):
    with pytest.raises(TimeRangeError, match=rule):
        TimeRange(start, end)


def test_bounds_become_utc():
    zone = timezone(timedelta(hours=5, minutes=30))
    between = TimeRange(NOON.astimezone(zone), (NOON + MICRO).astimezone(zone))
    assert between == TimeRange(NOON, NOON + MICRO)
    assert between.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        pytest.param("01T00:00:00", "02T00:00:00", [1], id="a day, its end excluded"),
        pytest.param("01T00:00:00", "02T00:00:00.000001", [1, 2], id="one µs more"),
        pytest.param("01T23:00:00", "03T01:00:00", [1, 2, 3], id="over two nights"),
        pytest.param("01T05:00:00", "01T06:00:00", [1], id="an hour"),
    ],
)
def test_days_touched(start, end, days):
    bounds = (datetime.fromisoformat(f"2026-03-{bound}+00:00") for bound in (start, end))
    assert list(TimeRange(*bounds).days()) == [date(2026, 3, day) for day in days]


@given(st.datetimes(timezones=st.just(UTC)))
def test_micros_are_exact(moment):
    assert from_micros(to_micros(moment)) == moment
