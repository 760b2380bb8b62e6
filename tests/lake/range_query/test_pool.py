"""The pool: bounded, of what was used last, and never wrong."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lake.range_query import Pool, answered
from lake.range_query.question import UnsuitedError

COUNT = "SELECT count(value) AS n FROM samples WHERE metric = 'up'"


def zeros(n):
    return lambda: np.zeros(n, np.uint8)


def test_what_was_used_least_recently_goes():
    pool = Pool(100)
    for key in "abc":
        pool.get(key, zeros(30))
    pool.get("a", zeros(30))
    pool.get("d", zeros(30))
    assert [key in pool for key in "abcd"] == [True, False, True, True]
    assert pool.nbytes == 90


def test_a_lower_limit_holds_at_once():
    pool = Pool(100)
    pool.get("a", zeros(60))
    pool.limit(50)
    assert pool.nbytes == 0
    assert len(pool.get("b", zeros(70))) == 70
    assert pool.nbytes == 0


def test_a_query_that_reads_more_than_half_is_an_engines(some_days):
    pool = Pool(100)
    pool.check(50)
    with pytest.raises(UnsuitedError):
        pool.check(51)
    assert answered(some_days.snapshot(), COUNT, pool=Pool(1 << 22)) is not None
    assert answered(some_days.snapshot(), COUNT, pool=Pool(1 << 12)) is None
    assert answered(some_days.snapshot(), COUNT, pool=Pool(0)) is None


def test_many_at_once(some_days):
    snapshot, pool = some_days.snapshot(), Pool(1 << 20)
    alone = answered(snapshot, COUNT, pool=Pool(1 << 22))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: answered(snapshot, COUNT, pool=pool), range(40)))
    assert all(each == alone for each in found)
    assert 0 < pool.nbytes <= 1 << 20
