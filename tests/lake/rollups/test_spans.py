from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lake.rollups.spans import aligned, coarsened, difference, intersection, union

spans = st.lists(st.tuples(st.integers(-30, 30), st.integers(-30, 30)), max_size=6)


def points(spans):
    return {point for start, end in spans for point in range(start, end)}


def canonical(spans):
    return all(start < end for start, end in spans) and all(
        one[1] < other[0] for one, other in pairwise(spans)
    )


@given(spans, spans)
def test_they_are_sets(one, other):
    a, b = union(one), union(other)
    assert points(a) == points(one)
    assert canonical(a)
    assert points(intersection(a, b)) == points(one) & points(other)
    assert points(difference(a, b)) == points(one) - points(other)


@given(spans, st.integers(1, 7))
def test_aligned_is_the_buckets_that_are_touched(one, width):
    touched = {point // width for point in points(one)}
    assert points(aligned(one, width)) == {
        point for bucket in touched for point in range(bucket * width, (bucket + 1) * width)
    }


@given(spans, st.integers(1, 4))
def test_coarsened_covers_with_few(one, most):
    exact = union(one)
    found = coarsened(exact, most)
    assert len(found) <= most
    assert points(exact) <= points(found)
    assert canonical(found)
    if len(exact) <= most:
        assert found == exact
