"""How long gangs run, and when they come."""

import numpy as np
import pytest

from detectors.placement import Gangs, learn


def of(size, start, end):
    start, end = np.array(start, float), np.array(end, float)
    return Gangs(np.array(size, float), start, end, np.ones(len(start), bool))


def test_those_that_still_run_count_as_long_as_they_have_run():
    """Left out, long ones would be missing: they have not ended yet."""
    start = np.arange(20.0)
    end = np.where(np.arange(20) % 2 == 0, start + 1.0, np.nan)
    learned = learn(of(np.full(20, 2.0), start, end), 0.0, 40.0, np.zeros(0))
    length, weight = learned.lengths_of(2)
    assert learned.ended == 10
    # Half of them ran for more than an hour, however few of those are over.
    assert weight[length > 1.5].sum() == pytest.approx(0.5, abs=0.05)
    assert weight.sum() == pytest.approx(1.0)


def test_large_gangs_have_lengths_of_their_own_where_enough_were_seen():
    size = np.repeat([1.0, 8.0], 15)
    start = np.arange(30.0)
    length = np.repeat([0.5, 6.0], 15)
    learned = learn(of(size, start, start + length), 0.0, 40.0, np.zeros(0))
    assert learned.lengths_of(8)[0].tolist() == pytest.approx([6.0] * 15)
    # Of a size that was not seen, all.
    assert set(learned.lengths_of(2)[0].round(1)) == {0.5, 6.0}


def test_few_that_ended_tell_nothing_of_lengths():
    learned = learn(of([1.0] * 7, range(7), range(1, 8)), 0.0, 10.0, np.zeros(0))
    assert learned.ended == 7
    assert not learned.length


def test_more_come_by_day_and_those_that_wait_have_come():
    noons = np.array([24.0 * day + 12.0 + step / 10 for day in range(6) for step in range(10)])
    learned = learn(of(np.ones(60), noons, noons + 1.0), 0.0, 144.0, np.zeros(0))
    by_hour = learned.rate[:24]
    assert by_hour.argmax() == 12
    assert by_hour[0] < by_hour[12] / 10
    assert by_hour.sum() == pytest.approx(10.0, rel=0.1)
    waiting = np.zeros(145)
    waiting[13:] = 6.0  # six more came in the first noon's hour, and wait
    more = learn(of(np.ones(60), noons, noons + 1.0), 0.0, 144.0, waiting)
    assert more.came == learned.came + 6.0


def test_weekends_are_quiet_once_two_weeks_were_seen():
    # 1970 began on a Thursday: hours 48 to 95 are a weekend.
    start = np.array([h + 0.5 for h in range(21 * 24) if not 48 <= h % 168 < 96])
    learned = learn(of(np.ones(len(start)), start, start + 0.1), 0.0, 504.0, np.zeros(0))
    assert learned.rate[48:96].mean() < 0.5
    assert learned.rate[100:150].mean() > 0.8
    short = learn(of(np.ones(80), start[:80], start[:80] + 0.1), 0.0, 168.0, np.zeros(0))
    assert short.rate[48:72].mean() == pytest.approx(short.rate[96:120].mean())
