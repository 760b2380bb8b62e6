"""What happened under a limit counts against it and smaller ones, and no larger one."""

from datetime import timedelta

import numpy as np
import polars as pl

from lake import TimeRange
from lake.timerange import to_micros
from orchestration.steps.advice.rightsizing.by_limit import (
    HOUR,
    ByLimit,
    limit_changes,
    limit_spans,
)
from orchestration.steps.advice.rightsizing.inventory import take_inventory

NAN = np.nan
SOME = ByLimit(
    3,
    np.array([0, 0, 0, 2]),
    np.array([1.0, 4.0, 2.0, NAN]),
    np.array([10.0, 1.0, 3.0, 7.0]),
)


def test_what_happened_under_a_limit_does_under_smaller_ones():
    assert SOME.under([2.0, 2.0, 2.0]).tolist() == [4.0, 0.0, 7.0]
    assert SOME.under([0.5, 0.5, NAN]).tolist() == [14.0, 0.0, 7.0]
    assert SOME.under([NAN, 0.5, 9.0]).tolist() == [0.0, 0.0, 7.0]
    assert SOME.total.tolist() == [14.0, 0.0, 7.0]


def test_the_highest_limit_of_so_much():
    found = [SOME.highest(np.full(3, least))[0] for least in (0.0, 1.0, 2.0, 4.1, 15.0)]
    np.testing.assert_array_equal(found, [4.0, 4.0, 2.0, 1.0, NAN])
    assert np.isnan(SOME.highest(np.zeros(3))[1:]).all()
    assert SOME.lowest[0] == 1.0


def test_amounts_of_nothing_are_none():
    one = ByLimit.of(pl.DataFrame({"index": [0], "limit": [2.0], "k": [0.0]}), 1, "k")
    assert np.isnan(one.highest([0.0])).all()
    assert ByLimit.nothing(2).total.tolist() == [0.0, 0.0]


def spans(containers, values, now):
    """Limits told every five minutes up to a time: [(since, until, limit)] in hours before it."""
    labels = {"namespace": "shop", "pod": "cart-0", "container": "app", "resource": "memory"}
    metric = {"metric__": "kube_pod_container_resource_limits"}
    containers.put([(values, metric | labels)])
    containers.container(memory=np.full(12, 1.0), request=(None, None), pod="cart-0")
    snapshot = containers.lake.snapshot()
    between = TimeRange(now - timedelta(days=2), now)
    inventory = take_inventory(snapshot, now, timedelta(days=2))
    told = limit_changes(snapshot, between)
    found = limit_spans(told, inventory, "memory", between).sort("since")
    zero = to_micros(now)
    return [
        (since and (since - zero) // HOUR, (until - zero) // HOUR, limit)
        for since, until, limit in found.select("since", "until", "limit").iter_rows()
    ]


def test_the_hour_of_a_change_is_of_the_smaller_limit(containers, now):
    values = np.repeat([300.0, 400.0, 200.0], [6 * 12 + 5, 4 * 12, 3 * 12])
    # 13 hours and 25 minutes are told: changes are 7 hours and 3 hours before now.
    assert spans(containers, values, now) == [(0, -6, 300.0), (-6, -3, 400.0), (-3, 1, 200.0)]


def test_a_silence_is_no_change(containers, now):
    values = np.repeat([300.0, np.nan, 300.0], [30, 60, 30])
    assert spans(containers, values, now) == [(0, 1, 300.0)]
