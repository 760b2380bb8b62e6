from datetime import UTC, datetime, timedelta

from lake.schema import ENTITY_COLUMNS
from orchestration.steps.overlap import Overlap, about_the_same, overlap

START = datetime(2026, 11, 23, tzinfo=UTC)
GAP = timedelta(minutes=10)


def row(begin, end, series_id=None, cluster="c1", **entity):
    start, until = (START + timedelta(minutes=number) for number in (begin, end))
    names = {name: entity.get(name) for name in ENTITY_COLUMNS}
    return {"cluster": cluster, "series_id": series_id, "start": start, "end": until, **names}


def test_series_are_the_same_by_id():
    assert about_the_same(row(0, 1, 5), row(3, 4, 5))
    assert not about_the_same(row(0, 1, 5, pod="p"), row(3, 4, 6, pod="p"))


def test_an_entity_is_the_same_as_its_series_and_as_a_narrower_entity():
    pod = row(0, 1, namespace="shop", pod="p")
    assert about_the_same(pod, row(0, 1, 7, namespace="shop", pod="p", container="c"))
    assert about_the_same(row(0, 1, 7, namespace="shop", pod="p"), pod)
    assert not about_the_same(pod, row(0, 1, 7, namespace="other", pod="p"))
    assert not about_the_same(pod, row(0, 1, 7, namespace="shop", pod="q"))
    assert about_the_same(pod, row(0, 1, namespace="shop"))
    assert not about_the_same(row(0, 1), row(0, 1)), "of nothing"


def test_counts_and_says_who_is_later():
    first = [row(0, 5, 1), row(40, 45, 1), row(0, 5, 2), row(0, 5, 3)]
    second = [row(3, 9, 1), row(2, 3, 2), row(30, 31, 2), row(0, 5, 3, cluster="c2")]
    assert overlap(first, second, GAP) == Overlap(2, 2, timedelta(minutes=2.5))
    assert overlap(first, second, GAP).share == 0.5
    assert overlap(second, first, GAP).later == timedelta(minutes=-2.5)


def test_nothing():
    assert overlap([], [row(0, 1, 1)], GAP) == Overlap(0, 0, None)
    assert overlap([], [], GAP).share is None
    assert overlap([row(0, 1, 1)], [], GAP) == Overlap(0, 1, None)
