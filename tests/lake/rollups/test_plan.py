from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.files import TableFile
from lake.rollups import plan
from lake.rollups.aggregate import HOUR, SLOT
from lake.rollups.news import file_span
from lake.rollups.plan import DAY, MOST_SPANS, before, overlapping, slices, stretches, written
from lake.rollups.spans import ALL_TIME, intersection, union

slots = st.lists(st.integers(0, 900), max_size=60).map(
    lambda numbers: union((n * SLOT, (n + 1) * SLOT) for n in numbers)
)


@given(slots)
def test_stretches_cover_all_and_lie_in_one_day(spans):
    found = stretches(spans)
    assert union(span for stretch in found for span in stretch.spans) == spans or any(
        len(stretch.spans) == MOST_SPANS for stretch in found
    )
    covered = union(span for stretch in found for span in stretch.spans)
    assert intersection(spans, covered) == spans
    for stretch in found:
        assert len(stretch.spans) <= MOST_SPANS
        assert {start // DAY for start, _ in stretch.spans} == {stretch.day_number}
        assert {(end - 1) // DAY for _, end in stretch.spans} == {stretch.day_number}
        assert not intersection(stretch.before, stretch.spans)
    assert found == sorted(found, key=lambda stretch: stretch.spans[0])
    # Two stretches never compute the same hour: the second would use what the first left.
    hours = [hour for stretch in found for hour in stretch.hours]
    assert sum(end - start for start, end in union(hours)) == sum(e - s for s, e in hours)


def test_few_hours_of_a_day_are_apart():
    spans = ((0, SLOT), (5 * HOUR, 5 * HOUR + SLOT))
    assert [stretch.hours for stretch in stretches(spans)] == [
        ((0, HOUR),),
        ((5 * HOUR, 6 * HOUR),),
    ]
    assert len(stretches(((0, 10 * HOUR),))) == 1


def test_what_counts_before():
    assert before(((20 * SLOT, 21 * SLOT), (22 * SLOT, 23 * SLOT))) == (
        (8 * SLOT, 20 * SLOT),
        (21 * SLOT, 22 * SLOT),
    )


@given(st.lists(st.integers(1, 50), max_size=20), st.integers(1, 30))
def test_slices_partition(counts, most):
    found = slices(counts, most)
    covered = [(rank, each.ids) for each in found for rank in range(each.first, each.last + 1)]
    for rank, count in enumerate(counts):
        parts = [ids for number, ids in covered if number == rank]
        if count <= most:
            assert parts == [None]
            continue
        assert len(parts) == -(-count // most)
        assert (parts[0][0], parts[-1][1]) == (-(1 << 63), (1 << 63) - 1)
        assert all(a[1] + 1 == b[0] for a, b in pairwise(parts))
    for each in found:
        assert each.ids or sum(counts[each.first : each.last + 1]) <= most


def file(path, first, last, modified_ms):
    day = date(2026, 3, 1)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    bounds = (
        (start.replace(hour=first), start.replace(hour=last)) if first is not None else (None,) * 2
    )
    return TableFile(path, day, 1, 1, *bounds, modified_ms)


def test_overlapping_is_in_order_of_writing():
    hour = 20513 * DAY  # 2026-03-01
    files = [file("b", 1, 2, 7), file("c", 1, 1, 5), file("a", 1, 1, 7), file("d", 3, 4, 1)]
    assert [each.path for each in overlapping(files, ((hour + HOUR, hour + 2 * HOUR),))] == [
        *("c", "a", "b")
    ]
    assert [each.path for each in overlapping([file("x", None, None, 0)], ((hour, hour + 1),))] == [
        "x"
    ]


def of_days(days, each=2):
    """Files of some hours of days, by day."""
    found = []
    for number in sorted(days):
        day = date(1970, 1, 1) + timedelta(days=number)
        start = datetime.combine(day, time(), UTC)
        for i in range(each):
            hours = (start + timedelta(hours=5 * i), start + timedelta(hours=5 * i + 3))
            found.append(TableFile(f"{number}-{i}", day, 1, 1, *hours, -number))
    return found


@given(
    days=st.sets(st.integers(-3, 12)),
    spans=st.lists(
        st.tuples(st.integers(-100, 400), st.integers(0, 60)).map(
            lambda pair: (pair[0] * HOUR, (pair[0] + pair[1]) * HOUR)
        )
    ).map(union),
)
def test_overlapping_is_all_that_touch(days, spans):
    files = of_days(days)
    wanted = [each for each in files if intersection(spans, (file_span(each),))]
    assert overlapping(files, spans) == sorted(wanted, key=written)


def test_overlapping_of_all_time():
    files = of_days([0, 4000])
    assert set(overlapping(files, ALL_TIME)) == set(files)


@pytest.mark.parametrize(("spans", "most"), [((), 0), (((DAY, DAY + HOUR),), 2)])
def test_overlapping_looks_at_the_days_asked_for_alone(monkeypatch, spans, most):
    looked, files = [], of_days(range(3650))

    def counted(file):
        looked.append(file)
        return file_span(file)

    monkeypatch.setattr(plan, "file_span", counted)
    overlapping(files, spans)
    assert len(looked) == most
