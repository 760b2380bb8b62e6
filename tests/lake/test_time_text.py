"""Times as text, beside what Python makes of each."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.results.times import time_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
moments = st.datetimes()
times = st.lists(st.none() | moments | moments.map(lambda each: each.replace(microsecond=0)))


def expected(moment: datetime | None, zone: str) -> str | None:
    return None if moment is None else moment.isoformat() + zone


@given(times)
@pytest.mark.parametrize(("zone", "end"), [(None, ""), ("UTC", "Z")])
def test_microseconds_are_as_pythons(zone, end, times):
    micros = [
        None if each is None else (each - EPOCH) // timedelta(microseconds=1) for each in times
    ]
    column = pa.array(micros, pa.timestamp("us", zone))
    assert time_text(column).to_pylist() == [expected(each, end) for each in times]
    assert time_text(column.slice(1)).to_pylist() == [expected(each, end) for each in times[1:]]


@pytest.mark.parametrize(
    ("unit", "count", "text"),
    [
        ("s", 1, "1970-01-01T00:00:01Z"),
        ("s", -1, "1969-12-31T23:59:59Z"),
        ("ms", 1, "1970-01-01T00:00:00.001Z"),
        ("ms", 2_000, "1970-01-01T00:00:02Z"),
        ("ns", 1, "1970-01-01T00:00:00.000000001Z"),
        ("ns", -1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_other_units_have_their_own_digits(unit, count, text):
    assert time_text(pa.array([count, None], pa.timestamp(unit, "UTC"))).to_pylist() == [text, None]


def test_of_no_rows_there_is_no_text():
    assert time_text(pa.array([], pa.timestamp("us", "UTC"))).to_pylist() == []
    assert datetime.fromisoformat("1970-01-01T00:00:00Z") == EPOCH.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("unit", "bits"), [("s", 32), ("ms", 32), ("us", 64), ("ns", 64)], ids=lambda each: str(each)
)
def test_times_of_day_to_the_end_of_it(unit, bits):
    """DuckDB's `TIME '24:00:00'`."""
    second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    kind = pa.time32(unit) if bits == 32 else pa.time64(unit)
    column = pa.array([0, None, 61 * second, 86_400 * second], pa.int64())
    column = column.cast(pa.int32() if bits == 32 else pa.int64()).cast(kind)
    assert time_text(column).to_pylist() == ["00:00:00", None, "00:01:01", "24:00:00"]
