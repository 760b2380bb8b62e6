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
